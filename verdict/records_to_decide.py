"""How many records would turn "cannot tell" into an answer."""

from __future__ import annotations

import math

from scipy import special

from tfx_privacy.metrics.interval import Interval

# Beyond so many times the records at hand nothing is promised.
MOST_TIMES = 10
NOT_DECIDABLE = -1
_POWER = 0.8


def records_to_decide(
    interval: Interval, limit: float, records: int, alpha: float, block_alpha: float
) -> int:
    """Records with which the answer would come with 80% power, if the estimate is right.

    N ((z + .84) s / |estimate - limit|)^2, where s is the standard error that the
    interval's side towards the limit shows, and z the quantile of the bound that
    would have to fall on the other side of the limit: 1.96 of the upper one to pass
    where the estimate is below the limit, that of the corrected level to block where
    it is above.

    Args:
      interval: With error `alpha` on each side.
      limit: What the metric is held against.
      records: N, the rows of the splits: FIT, JUDGE and those left out.
      alpha: One-sided error of the interval, and level at which to pass.
      block_alpha: Level at which to block.

    Returns:
      Rows of the splits; NOT_DECIDABLE where they are more than MOST_TIMES N.
    """
    gap = abs(interval.estimate - limit)
    if interval.estimate > limit:
        side, level = interval.estimate - interval.lower, block_alpha
    else:
        side, level = interval.upper - interval.estimate, alpha
    if gap == 0.0 or records == 0:
        return NOT_DECIDABLE
    standard_error = side / -float(special.ndtri(alpha))
    needed = (-float(special.ndtri(level)) + float(special.ndtri(_POWER))) * standard_error / gap
    times = needed * needed
    if times > MOST_TIMES:
        return NOT_DECIDABLE
    return math.ceil(records * times)
