"""Metrics that are known from below alone."""

from __future__ import annotations

import math

from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric


class BoundFromBelow(Metric):
    """An epsilon: evidence shows that it is at least so large, and never how large at most."""

    @property
    def no_leak(self) -> float:
        return 0.0

    @property
    def ceiling(self) -> float:
        return math.inf


def interval_from_below(bound: float) -> Interval:
    """The bound, which is its own estimate, without an upper end."""
    return Interval(estimate=bound, lower=bound, upper=math.inf)
