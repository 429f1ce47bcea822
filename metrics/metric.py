"""What a metric is: a number with an interval, from counts."""

from __future__ import annotations

import abc

from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


class Metric(abc.ABC):
    """One metric with its parameter: a small frozen dataclass."""

    @abc.abstractmethod
    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        """The metric and an interval that misses at most alpha on each side.

        Args:
          counts: Judged rows of both sides, at least one a side.
          thresholds: Where the attack decides, chosen on FIT rows.
          alpha: One-sided error of each bound, in (0, 0.5).

        Raises:
          ValueError: If a side has no rows.
        """

    def lower_bound(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> float:
        """The lower bound of `measure` alone, for less where the upper one is dear."""
        return self.measure(counts, thresholds, alpha).lower

    @property
    @abc.abstractmethod
    def no_leak(self) -> float:
        """The metric's value where members and non-members cannot be told apart."""

    @property
    def ceiling(self) -> float:
        """What the metric cannot exceed; infinite for epsilon."""
        return 1.0

    @abc.abstractmethod
    def spec(self) -> config_pb2.MetricSpec:
        """The metric by name, as configurations have it."""
