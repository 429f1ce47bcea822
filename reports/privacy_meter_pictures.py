"""The pictures that ML Privacy Meter's users know, as SVG files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.counts import ScoreCounts
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.looks import MEMBERS_LOOK, NONMEMBERS_LOOK, draw_line
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.risk_plots import risk_distribution
from tfx_privacy.reports.roc_plots import RocCurve, linear_roc, roc_legend
from tfx_privacy.reports.sides_plot import sides_legend
from tfx_privacy.reports.svg import draw_svg
from tfx_privacy.reports.svg_file import svg_file
from tfx_privacy.reports.white_box_plots import norms_plot

_WIDE = (6.4, 3.4)
_MOST_LABELS = 40
_LONGEST_LABEL = 20


@dataclasses.dataclass(frozen=True)
class ClassRisk:
    """Judged records of one class.

    Attributes:
      name: The class.
      members: How many members there are.
      nonmembers: How many non-members.
      member_mean: The members' mean membership probability; None where there are none.
      nonmember_mean: The non-members'.
    """

    name: str
    members: int
    nonmembers: int
    member_mean: float | None
    nonmember_mean: float | None


def risk_picture(
    title: str,
    edges: Sequence[float],
    members: NDArray[np.int64],
    nonmembers: NDArray[np.int64],
) -> str:
    """A histogram of membership probability.

    Args:
      title: Of the picture.
      edges: [b + 1], where the bins end, from 0 to 1; the prior in the middle.
      members: [b] counts.
      nonmembers: [b] counts.
    """
    counted = (
        f"{title}: {count_text(int(members.sum()))} members, "
        f"{count_text(int(nonmembers.sum()))} non-members"
    )
    return svg_file(risk_distribution(edges, members, nonmembers, counted), counted, sides_legend())


def roc_picture(attack: str, counts: ScoreCounts) -> str:
    """The ROC curve of the attack that the membership probabilities come from."""
    roc = Roc.from_counts(counts)
    title = f"ROC of {attack}: AUC {auc(counts):.3f}"
    curves = [RocCurve(attack, roc, is_best=True)]
    return svg_file(linear_roc(curves, [], title), title, roc_legend(curves))


def label_picture(classes: Sequence[ClassRisk]) -> str:
    """Mean membership probability by class, the classes with the highest risk first.

    Args:
      classes: At least one. Of more than 40 the ones with the most records are drawn.
    """
    largest = sorted(classes, key=lambda one: -(one.members + one.nonmembers))[:_MOST_LABELS]
    shown = sorted(largest, key=lambda one: -(one.member_mean or 0.0))
    title = "Mean membership probability by label"
    if len(shown) < len(classes):
        title += f": {len(shown)} of {len(classes)} labels, those with the most records"

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for look, means in (
            (NONMEMBERS_LOOK, [one.nonmember_mean for one in shown]),
            (MEMBERS_LOOK, [one.member_mean for one in shown]),
        ):
            for place, mean in enumerate(means):
                if mean is not None:
                    draw_line(axes, [place - 0.35, place + 0.35], [mean, mean], look)
        names = [one.name[:_LONGEST_LABEL] for one in shown]
        axes.set_xticks(range(len(shown)), names, rotation=90 if len(shown) > 10 else 0)
        axes.grid(visible=False, axis="x")
        axes.set(xlim=(-0.5, len(shown) - 0.5))
        axes.set_xlabel("Label")
        axes.set_ylabel("Mean membership probability")

    return svg_file(draw_svg(draw, _WIDE, "labels", title, "plot wide-plot"), title, sides_legend())


def norm_picture(norms: results_pb2.NormDistribution) -> str:
    """Gradient norms of members and of non-members, at least one of each."""
    of = f"of {norms.layer}" if norms.layer else "of all layers together"
    title = (
        f"Gradient norms {of}: median of members {norms.median_member:.3g}, "
        f"of non-members {norms.median_nonmember:.3g}"
    )
    return svg_file(norms_plot(norms, title), title, sides_legend())
