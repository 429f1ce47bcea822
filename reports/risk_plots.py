"""The risk of records as plots: how it is spread, and whether it is true."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from tfx_privacy.reports.looks import (
    CHANCE_LOOK,
    MEMBERS_LOOK,
    NONMEMBERS_LOOK,
    LegendEntry,
    draw_line,
    legend_entry,
)
from tfx_privacy.reports.numerals import share_text
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
        positions = np.arange(len(edges))
        for counts, look in ((nonmembers, NONMEMBERS_LOOK), (members, MEMBERS_LOOK)):
            share = counts / max(int(counts.sum()), 1)
            axes.stairs(share, positions, fill=True, color=look.colour, alpha=0.22, linewidth=0)
            axes.stairs(
                share,
                positions,
                color=look.colour,
                linewidth=look.width,
                linestyle=look.linestyle,
                zorder=look.layer,
            )
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
        axes.set_ylabel("Share of the side")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: share_text(round(share, 6))))
        axes.grid(visible=False, axis="x")

    return draw_svg(draw, _DISTRIBUTION_SIZE, "record-risk", label, "plot wide-plot")


def distribution_legend() -> list[LegendEntry]:
    """Which outline is which side."""
    return [
        legend_entry(MEMBERS_LOOK, "members (training records)"),
        legend_entry(NONMEMBERS_LOOK, "non-members (other records)"),
    ]


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
