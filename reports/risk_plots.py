"""The risk of records as plots: how it is spread, and whether it is true."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tfx_privacy.reports.looks import (
    CHANCE_LOOK,
    draw_line,
)
from tfx_privacy.reports.sides_plot import draw_sides
from tfx_privacy.reports.svg import INK, MEMBERS, draw_svg

_DISTRIBUTION_SIZE = (6.0, 3.4)
_RELIABILITY_SIZE = (4.8, 4.4)
_TICKS = 10
# Axes that end above all risks by this factor, where risks are small.
_ROOM = 1.08


@dataclasses.dataclass(frozen=True)
class ReliabilityPoint:
    """One group of records: the risk said, and the share of members found.

    Attributes:
      risk: Its mean.
      share: Of members, weighted to the prior.
      lower: The share's lower bound.
      upper: Its upper bound.
      is_off: Whether the risk is outside the interval, corrected for the number of groups.
    """

    risk: float
    share: float
    lower: float
    upper: float
    is_off: bool


def risk_distribution(
    edges: Sequence[float],
    members: NDArray[np.int64],
    nonmembers: NDArray[np.int64],
    label: str,
) -> Markup:
    """Shares of members and of non-members by risk, in bins of equal width on the page.

    Args:
      edges: [b + 1] ascending from 0 to 1.
      members: [b] counts.
      nonmembers: [b] counts.
      label: What the plot shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shares = (side / max(int(side.sum()), 1) for side in (members, nonmembers))
        draw_sides(axes, np.arange(len(edges)), *shares)
        # The risk of even odds is in the middle of the bins: the prior.
        middle = (len(edges) - 1) / 2
        axes.axvline(middle, color=INK, linewidth=1.1, linestyle=(0, (3, 2)))
        axes.annotate(
            "prior",
            xy=(middle, 1),
            xycoords=("data", "axes fraction"),
            xytext=(5, -4),
            textcoords="offset points",
            verticalalignment="top",
        )
        ticks = range(0, len(edges), max(1, (len(edges) - 1) // _TICKS))
        axes.set_xticks(list(ticks), [f"{edges[tick]:.2g}" for tick in ticks])
        axes.set(xlim=(0, len(edges) - 1), ylim=(0, None))
        axes.set_xlabel("Risk: P(member | score)")

    return draw_svg(draw, _DISTRIBUTION_SIZE, "record-risk", label, "plot wide-plot")


def reliability_plot(points: Sequence[ReliabilityPoint], label: str) -> Markup:
    """Share found against risk said, with whiskers; the diagonal is what risks promise.

    Args:
      points: By rising risk.
      label: What the plot shows, for those who do not see it.
    """
    largest = max(max(point.risk, point.upper) for point in points)
    end = 1.0 if largest > 0.5 else largest * _ROOM

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_aspect("equal")
        draw_line(axes, [0, end], [0, end], CHANCE_LOOK)
        for point in points:
            _draw_point(axes, point)
        axes.set(xlim=(0, end), ylim=(0, end))
        axes.set_xlabel("Risk said (mean of a group)")
        axes.set_ylabel("Share of members found")

    return draw_svg(draw, _RELIABILITY_SIZE, "reliability", label)


def _draw_point(axes: Axes, point: ReliabilityPoint) -> None:
    axes.plot(
        [point.risk, point.risk], [point.lower, point.upper], color=INK, linewidth=1.4, zorder=4
    )
    axes.plot(
        [point.risk],
        [point.share],
        "o" if not point.is_off else "X",
        color=INK if not point.is_off else MEMBERS,
        markersize=4.5 if not point.is_off else 7,
        zorder=5,
    )
