"""The risk of each class against the gap between its train and test accuracy, as a plot."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.svg import MEMBERS, MUTED, draw_svg

_SIZE = (6.0, 3.8)
_CHANCE = 0.5
# The whiskers of many classes would hide each other and the dots.
_MANY = 60
_FAINT = 0.3


def class_gap_plot(groups: Sequence[results_pb2.GroupStatistics], label: str) -> Markup:
    """A dot a class, with the intervals of both as whiskers.

    Args:
      groups: Classes with an AUC and a gap.
      label: What the plot shows, for those who do not see it.
    """
    gaps = [group.gap for group in groups]
    areas = [group.auc for group in groups]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.errorbar(
            [gap.estimate for gap in gaps],
            [area.estimate for area in areas],
            xerr=_whiskers(gaps),
            yerr=_whiskers(areas),
            fmt="o",
            color=MEMBERS,
            ecolor=MUTED,
            elinewidth=0.8,
            markersize=4.5,
            alpha=_FAINT if len(groups) > _MANY else 0.8,
        )
        axes.axhline(_CHANCE, color=MUTED, linewidth=1.2, linestyle=(0, (2, 3)))
        axes.annotate(
            "chance",
            xy=(1, _CHANCE),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            horizontalalignment="right",
        )
        axes.set_xlabel("Train accuracy minus test accuracy of the class, in points")
        axes.set_ylabel("AUC of the best attack on it")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda gap, _: f"{round(100 * gap, 6):g}"))

    return draw_svg(draw, _SIZE, "class-gap", label, "plot wide-plot")


def _whiskers(
    values: Sequence[results_pb2.MeasuredValue],
) -> tuple[list[float], list[float]]:
    """How far each interval reaches down and up."""
    return (
        [max(0.0, value.estimate - value.lower) for value in values],
        [max(0.0, value.upper - value.estimate) for value in values],
    )
