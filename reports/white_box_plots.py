"""Black-box beside white-box as plots: what each group of signals gives, and gradient norms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.looks import MEMBERS_LOOK, NONMEMBERS_LOOK
from tfx_privacy.reports.numerals import score_text
from tfx_privacy.reports.sides_plot import draw_sides
from tfx_privacy.reports.svg import MUTED, SERIES, draw_svg

_WIDTH_OF_GROUPS = 6.0
_HEIGHT_OF_A_GROUP, _HEIGHT_OF_AXES = 0.42, 0.75
_NORMS_SIZE = (6.0, 3.4)
_CHANCE = 0.5
_BLACK_BOX = "outputs"
_MOST_TICKS = 7


def groups_plot(
    titles: Sequence[str], groups: Sequence[results_pb2.SignalGroupResult], label: str
) -> Markup:
    """AUC of each group of signals, a row each, with intervals.

    Args:
      titles: What each group is called, one a group.
      groups: At least one, from above.
      label: What the plot shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axvline(_CHANCE, color=MUTED, linewidth=1.2, linestyle=(0, (2, 3)))
        for row, group in enumerate(groups):
            _draw_group(axes, row, group)
        axes.set_yticks(range(len(groups)), [title.replace(" (", "\n(") for title in titles])
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("AUC (dotted: chance)")

    height = _HEIGHT_OF_AXES + _HEIGHT_OF_A_GROUP * len(groups)
    return draw_svg(draw, (_WIDTH_OF_GROUPS, height), "white-box", label, "plot wide-plot")


def _draw_group(axes: Axes, row: int, group: results_pb2.SignalGroupResult) -> None:
    is_black_box = group.group == _BLACK_BOX
    colour, marker = (SERIES[1], "s") if is_black_box else (SERIES[0], "o")
    axes.plot([group.auc.lower, group.auc.upper], [row, row], color=colour, linewidth=1.6)
    axes.plot([group.auc.estimate], [row], marker, color=colour, markersize=6)
    if is_black_box:
        # What the others are held against, all the way down.
        axes.axvline(group.auc.estimate, color=colour, linewidth=0.9, linestyle=(0, (5, 3)))


def norms_plot(found: results_pb2.NormDistribution, label: str) -> Markup:
    """Members and non-members by gradient norm, on a scale of equal factors.

    Args:
      found: At least one row a side.
      label: What the plot shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shares = [np.array(side) / max(sum(side), 1) for side in (found.members, found.nonmembers)]
        edges = np.log10(np.array(found.edges))
        draw_sides(axes, edges, *shares)
        for median, look in (
            (found.median_member, MEMBERS_LOOK),
            (found.median_nonmember, NONMEMBERS_LOOK),
        ):
            if edges[0] <= _log10(median) <= edges[-1]:
                axes.axvline(
                    _log10(median), color=look.colour, linewidth=1.1, linestyle=(0, (1, 2))
                )
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None))
        ticks = _ticks(found.edges[0], found.edges[-1])
        axes.set_xticks(np.log10(ticks), [score_text(tick) for tick in ticks])
        axes.set_xlabel("Gradient norm" if found.layer else "Gradient norm, all layers together")

    return draw_svg(draw, _NORMS_SIZE, "gradient-norms", label, "plot wide-plot")


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten, or steps of 1, 2 and 5 where there are too few of these."""
    powers = np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(np.arange(1.0, 10.0, 0.5).tolist())):
        ticks = [step * 10.0**power for power in powers.tolist() for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) >= 3:
            break
    return inside[:: -(-len(inside) // _MOST_TICKS)] or [low, high]


def _log10(norm: float) -> float:
    return math.log10(norm) if norm > 0 else -math.inf
