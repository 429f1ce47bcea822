"""The scores of members and non-members, as a plot."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfx_privacy.reports.histogram import Histogram
from tfx_privacy.reports.numerals import score_text
from tfx_privacy.reports.sides_plot import draw_sides
from tfx_privacy.reports.svg import INK, draw_svg

_SIZE = (6.0, 3.4)
_MOST_TICKS = 7
# Beyond this part of the width there is no room to the right of the threshold's line.
_ROOM_FOR_A_NOTE = 0.7


def score_histogram(bars: Histogram, label: str) -> Markup:
    """Shares of members and of non-members in each bar.

    Args:
      bars: At least one record a side.
      label: What the plot shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        positions = np.arange(bars.bars + 1)
        members, nonmembers = (side / side.sum() for side in (bars.members, bars.nonmembers))
        draw_sides(axes, positions, members, nonmembers)
        _draw_threshold(axes, bars)
        axes.set(xlim=(0, bars.bars), ylim=(0, None))
        ticks = range(1, bars.bars, max(1, -(-len(bars.starts) // _MOST_TICKS)))
        axes.set_xticks(list(ticks), [score_text(bars.starts[tick - 1]) for tick in ticks])
        axes.set_xlabel("Attack score: more member-like to the right")

    return draw_svg(draw, _SIZE, "histogram", label, "plot wide-plot")


def _draw_threshold(axes: Axes, bars: Histogram) -> None:
    if not 0 < bars.threshold_bar < bars.bars:
        return
    axes.axvline(bars.threshold_bar, color=INK, linewidth=1.1, linestyle=(0, (3, 2)))
    has_room = bars.threshold_bar <= _ROOM_FOR_A_NOTE * bars.bars
    axes.annotate(
        "called members →",
        xy=(bars.threshold_bar, 1),
        xycoords=("data", "axes fraction"),
        xytext=(6 if has_room else -6, -4),
        textcoords="offset points",
        horizontalalignment="left" if has_room else "right",
        verticalalignment="top",
    )
