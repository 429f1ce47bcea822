"""How surely a metric is above its limit."""

from __future__ import annotations

import math

from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.metric import Metric

# Below this a p-value is not told apart from this; no family is so large.
SMALLEST = 1e-12
_LARGEST_ALPHA = 0.4999
_STEPS = 20


def p_value_above(
    metric: Metric, counts: ScoreCounts, thresholds: Thresholds, limit: float
) -> float:
    """The smallest one-sided level at which the metric's lower bound exceeds the limit.

    That is the p-value of "the metric is at most the limit", by inverting the
    interval: bisection on the logarithm of alpha, down to a relative 3e-5.

    Args:
      metric: What is limited.
      counts: JUDGE rows, at least one a side.
      thresholds: Where the attack decides, chosen on FIT rows.
      limit: The largest value allowed.

    Returns:
      The level, rounded up, in [SMALLEST, 0.5); 1.0 where no level does.

    Raises:
      ValueError: If a side has no rows.
    """

    def exceeds(alpha: float) -> bool:
        return metric.measure(counts, thresholds, alpha).lower > limit

    if not exceeds(_LARGEST_ALPHA):
        return 1.0
    if exceeds(SMALLEST):
        return SMALLEST
    below, above = math.log(SMALLEST), math.log(_LARGEST_ALPHA)
    for _ in range(_STEPS):
        middle = (below + above) / 2.0
        if exceeds(math.exp(middle)):
            above = middle
        else:
            below = middle
    return math.exp(above)
