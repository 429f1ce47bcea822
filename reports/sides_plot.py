"""Members beside non-members as two outlines: what every histogram of both sides shares."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from tfx_privacy.reports.looks import MEMBERS_LOOK, NONMEMBERS_LOOK, LegendEntry, legend_entry
from tfx_privacy.reports.numerals import share_text


def draw_sides(axes: Axes, edges: ArrayLike, members: ArrayLike, nonmembers: ArrayLike) -> None:
    """Draws the shares of both sides, members in front, and labels the axis of shares.

    Args:
      axes: Where.
      edges: [k + 1], where the bars end.
      members: [k], shares of the members.
      nonmembers: [k], shares of the non-members.
    """
    for shares, look in ((nonmembers, NONMEMBERS_LOOK), (members, MEMBERS_LOOK)):
        axes.stairs(shares, edges, fill=True, color=look.colour, alpha=0.22, linewidth=0)
        axes.stairs(
            shares,
            edges,
            color=look.colour,
            linewidth=look.width,
            linestyle=look.linestyle,
            zorder=look.layer,
        )
    axes.set_ylabel("Share of the side")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: share_text(round(share, 6))))
    axes.grid(visible=False, axis="x")


def sides_legend() -> list[LegendEntry]:
    """Which outline is which side."""
    return [
        legend_entry(MEMBERS_LOOK, "members (training records)"),
        legend_entry(NONMEMBERS_LOOK, "non-members (other records)"),
    ]
