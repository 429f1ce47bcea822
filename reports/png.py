"""Figures of Matplotlib as PNG, for viewers that show no SVG."""

from __future__ import annotations

import dataclasses
import functools
import io
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tfx_privacy.reports.svg import INK, LINE, MEMBERS, MUTED, NONMEMBERS, SERIES

_DOTS_PER_INCH = 110
_NAMES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    MEMBERS: "--members",
    NONMEMBERS: "--nonmembers",
    **{colour: f"--series-{index}" for index, colour in enumerate(SERIES)},
}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG.

    Attributes:
      data: The file.
      width: In pixels.
      height: In pixels.
    """

    data: bytes
    width: int
    height: int


def draw_png(draw: Callable[[Figure], None], size: tuple[float, float]) -> Picture:
    """Draws a figure on the page's light background.

    The same drawing gives the same bytes, whatever Matplotlib settings the process has.

    Args:
      draw: Draws into an empty figure, in colours of `light_colour`.
      size: Width and height in inches of 110 pixels.
    """
    content = io.BytesIO()
    # Matplotlib reads its settings while it draws; the process gets its own back.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_settings())
        figure = Figure(figsize=size, layout="constrained", dpi=_DOTS_PER_INCH)
        draw(figure)
        figure.savefig(content, format="png", metadata={"Software": None})
    width, height = (round(_DOTS_PER_INCH * side) for side in size)
    return Picture(content.getvalue(), width, height)


def light_colour(colour: str) -> str:
    """What a colour of reports/svg.py is on a light page, as "#rrggbb"."""
    return _light_colours()[_NAMES[colour]]


def _settings() -> dict[str, object]:
    ink, muted, line = (light_colour(colour) for colour in (INK, MUTED, LINE))
    return {
        "font.size": 10,
        "text.parse_math": False,
        "text.color": ink,
        "figure.facecolor": _light_colours()["--paper"],
        "axes.facecolor": _light_colours()["--paper"],
        "axes.edgecolor": muted,
        "axes.labelcolor": ink,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": line,
        "grid.linewidth": 0.7,
        "xtick.color": muted,
        "ytick.color": muted,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
    }


@functools.lru_cache(maxsize=1)
def _light_colours() -> dict[str, str]:
    """The colours of the style sheet by name; its first block has the light ones."""
    style = (Path(__file__).parent / "style.html.j2").read_text(encoding="utf-8")
    light = style[: style.index("}")]
    return dict(re.findall(r"(--[\w-]+): (#\w+);", light))
