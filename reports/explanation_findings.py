"""What the numbers beside the risk show, each only where luck does not explain it."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfx_privacy.metrics.association import FEWEST_CLASSES, correlation_interval
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

# So many properties of classes are looked at.
PROPERTIES = 6
# A gap of accuracy is worth a word where it is at least so wide.
_GAP_OF_NOTE = 0.02


@dataclasses.dataclass(frozen=True)
class ExplanationFindings:
    """What goes with the risk.

    Attributes:
      has_gap: Whether the model does better on members by more than luck: two points of
        accuracy at least, or a smaller loss where answers are not right or wrong.
      is_surer: Whether its answers on members are surer.
      associations: Those that stay when the number of properties is allowed for
        (Bonferroni), the strongest first.
    """

    has_gap: bool
    is_surer: bool
    associations: tuple[results_pb2.Association, ...]

    @property
    def small_classes_leak_more(self) -> bool:
        """Whether classes with fewer members are more at risk."""
        return any(
            found.property == "class size" and found.correlation.estimate < 0
            for found in self.associations
        )


def explanation_findings(explanation: results_pb2.Explanation) -> ExplanationFindings:
    """What an explanation shows."""
    whole = explanation.whole
    least = _GAP_OF_NOTE if has_accuracies(whole) else 0.0
    shown = [found for found in explanation.associations if _stays(found.correlation)]
    shown.sort(key=lambda found: -abs(found.correlation.estimate))
    return ExplanationFindings(
        has_gap=whole.HasField("gap") and whole.gap.lower > least,
        is_surer=_is_surer(whole),
        associations=tuple(shown),
    )


def has_accuracies(group: results_pb2.GroupStatistics) -> bool:
    """Whether a group has a train accuracy and a test accuracy."""
    return group.members.HasField("accuracy") and group.nonmembers.HasField("accuracy")


def _stays(correlation: results_pb2.MeasuredValue) -> bool:
    if correlation.members < FEWEST_CLASSES or not 0.0 < correlation.confidence < 1.0:
        return False
    alpha = (1.0 - correlation.confidence) / 2.0 / PROPERTIES
    interval = correlation_interval(correlation.estimate, correlation.members, alpha)
    return interval.lower > 0.0 or interval.upper < 0.0


def _is_surer(whole: results_pb2.GroupStatistics) -> bool:
    """Whether a member's answer is surer than a non-member's more often than by luck."""
    members, nonmembers = (
        np.array(side.right, np.int64) + np.array(side.wrong, np.int64)
        for side in (whole.members, whole.nonmembers)
    )
    if not (members.sum() and nonmembers.sum() and len(members) == len(nonmembers)):
        return False
    confidence = whole.members.accuracy.confidence
    if not 0.0 < confidence < 1.0:
        return False
    counts = ScoreCounts(members[::-1], nonmembers[::-1])
    surer = Auc().measure(counts, Thresholds.all_at(0), (1.0 - confidence) / 2.0)
    return surer.lower > 0.5
