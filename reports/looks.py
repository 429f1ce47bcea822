"""How the lines of the plots look, and the legends that name them."""

from __future__ import annotations

import dataclasses

from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tfx_privacy.reports.svg import MEMBERS, MUTED, NONMEMBERS, SERIES, swatch

_DASHES = ("none", "6 2", "2 2", "8 2 2 2", "4 3", "10 3")


@dataclasses.dataclass(frozen=True)
class Look:
    """How a line is drawn, in a plot and in its legend.

    Attributes:
      colour: One of the colours of reports/svg.py.
      dashes: Lengths of dashes and gaps; "none" for a solid line.
      width: In points.
      layer: Lines of a higher layer lie above the others.
    """

    colour: str
    dashes: str
    width: float
    layer: int

    @property
    def linestyle(self) -> str | tuple[int, tuple[float, ...]]:
        """The dashes as Matplotlib has them."""
        if self.dashes == "none":
            return "solid"
        return 0, tuple(float(part) for part in self.dashes.split())


@dataclasses.dataclass(frozen=True)
class LegendEntry:
    """One line of a legend; it stands in the page, where it can wrap."""

    swatch: Markup
    text: str
    is_best: bool = False


CHANCE_LOOK = Look(MUTED, "2 3", 1.2, layer=1)
MEMBERS_LOOK = Look(MEMBERS, "none", 1.8, layer=3)
NONMEMBERS_LOOK = Look(NONMEMBERS, "5 2", 1.8, layer=2)


def look_of_attack(index: int, *, is_best: bool) -> Look:
    """The best attack stands out; the others differ by colour and by dashes."""
    if is_best:
        return Look(SERIES[0], "none", 2.6, layer=3)
    colour = SERIES[1 + index % (len(SERIES) - 1)]
    return Look(colour, _DASHES[index % len(_DASHES)], 1.3, layer=2)


def legend_entry(look: Look, text: str, *, is_best: bool = False) -> LegendEntry:
    """Names a line."""
    return LegendEntry(swatch(look.colour, look.dashes, width=look.width + 0.5), text, is_best)


def draw_line(axes: Axes, x: ArrayLike, y: ArrayLike, look: Look) -> None:
    """Draws one line."""
    axes.plot(
        x,
        y,
        color=look.colour,
        linestyle=look.linestyle,
        linewidth=look.width,
        zorder=look.layer,
    )
