"""AUC against the share of members that the attacker knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from tfx_privacy.reports.looks import (
    CHANCE_LOOK,
    LegendEntry,
    Look,
    draw_line,
    legend_entry,
    look_of_attack,
)
from tfx_privacy.reports.numerals import share_text
from tfx_privacy.reports.svg import draw_svg

_SIZE = (7.6, 4.4)
# Neighbouring lines' points are this factor apart, so that intervals do not hide each other.
_APART = 1.035
_CHANCE = 0.5


@dataclasses.dataclass(frozen=True)
class KnownPoint:
    """One attack by one attacker.

    Attributes:
      share: Of the members, known to the attacker; in (0, 1].
      estimate: AUC.
      lower: Its lower bound.
      upper: Its upper bound.
      sees_all: Whether the attacker sees every signal.
    """

    share: float
    estimate: float
    lower: float
    upper: float
    sees_all: bool


@dataclasses.dataclass(frozen=True)
class KnownSeries:
    """One attack by every attacker that mounts it, by rising share."""

    attack: str
    points: tuple[KnownPoint, ...]
    is_best: bool

    @property
    def rise(self) -> float:
        """How far apart its AUCs are."""
        estimates = [point.estimate for point in self.points]
        return max(estimates) - min(estimates)


def known_plot(series: Sequence[KnownSeries], label: str) -> Markup:
    """One line an attack, through those who see everything; others are hollow points.

    Args:
      series: At least one.
      label: What the plot shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shares = sorted({point.share for line in series for point in line.points})
        axes.set_xscale("log")
        axes.set_xlim(shares[0] / 1.4, shares[-1] * 1.4)
        axes.set_xlabel("Share of the members that the attacker knows")
        axes.set_ylabel("AUC")
        axes.xaxis.set_major_locator(FixedLocator(shares))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: share_text(round(share, 9))))
        axes.minorticks_off()
        draw_line(axes, axes.get_xlim(), [_CHANCE, _CHANCE], CHANCE_LOOK)
        for index, line in enumerate(series):
            shift = _APART ** (index - (len(series) - 1) / 2)
            _draw(axes, line, shift, look_of_attack(index, is_best=line.is_best))

    return draw_svg(draw, _SIZE, "attackers", label, "plot wide-plot")


def known_legend(series: Sequence[KnownSeries]) -> list[LegendEntry]:
    """Which line is which attack, and the line of guessing."""
    entries = [
        legend_entry(look_of_attack(index, is_best=line.is_best), line.attack, is_best=line.is_best)
        for index, line in enumerate(series)
    ]
    return [*entries, legend_entry(CHANCE_LOOK, "guessing (chance)")]


def _draw(axes: Axes, line: KnownSeries, shift: float, look: Look) -> None:
    full = [point for point in line.points if point.sees_all]
    draw_line(
        axes, [shift * point.share for point in full], [point.estimate for point in full], look
    )
    for point in line.points:
        x = shift * point.share
        axes.plot([x, x], [point.lower, point.upper], color=look.colour, linewidth=1.2, zorder=3)
        axes.plot(
            [x],
            [point.estimate],
            "o",
            color=look.colour,
            markerfacecolor=look.colour if point.sees_all else "none",
            markersize=5,
            zorder=4,
        )
