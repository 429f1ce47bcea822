"""Balanced accuracy of the attack: half of one plus the advantage."""

from __future__ import annotations

import dataclasses

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@dataclasses.dataclass(frozen=True)
class BalancedAccuracy(Metric):
    """The mean of TPR and 1 - FPR at the best threshold: (1 + advantage) / 2."""

    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        """See the base class; (1 + each number of the advantage) / 2."""
        found = Advantage().measure(counts, thresholds, alpha)
        return Interval(
            (1.0 + found.estimate) / 2.0, (1.0 + found.lower) / 2.0, (1.0 + found.upper) / 2.0
        )

    @property
    def no_leak(self) -> float:
        return 0.5

    def spec(self) -> config_pb2.MetricSpec:
        return config_pb2.MetricSpec(name="balanced_accuracy")
