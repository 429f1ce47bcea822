"""True-positive rate at a given false-positive rate."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.checks import require_one_sided_error
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

# Ways of sharing an error between members and threshold that a bound goes through.
_DIVISIONS = 33
# Sides more unequal than this shall not stretch the line of `_distance` further.
_STEEPEST = 2.0


@dataclasses.dataclass(frozen=True)
class TprAtFpr(Metric):
    """The height of the population's ROC curve at a false-positive rate.

    The curve is that of the quantised score: a straight line between its points,
    the top at vertical steps.

    The estimate errs for two reasons: the share of members above a threshold is
    seen in a sample, and so is the threshold itself. A bound lets the threshold err
    by z_n standard errors (binomial quantiles of the non-members above it) and the
    members by z_m (Clopper-Pearson at the curve's height there), and is the worst
    over all (z_m, z_n) on a straight line. Where the curve is straight and nothing
    leaks this is as wide, in large samples, as MOVER (Zou and Donner 2008: the root
    of the two summed squares); where the curve bends at the rate asked, as it does
    with ties, MOVER misses up to 22% and this does not. See `_distance`.

    Attributes:
      fpr: The false-positive rate, in (0, 1).
    """

    fpr: float

    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        """See the base class. The attack's own thresholds play no part."""
        estimate, members_alpha, below, above, m = self._seen(counts, alpha)
        upper = clopper_pearson.upper_bound(m * above, m, members_alpha).max()
        lower = _lowest_bound(below, m, members_alpha)
        return Interval(estimate, min(estimate, lower), max(estimate, float(upper)))

    def lower_bound(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> float:
        """See the base class."""
        estimate, members_alpha, below, _, m = self._seen(counts, alpha)
        return min(estimate, _lowest_bound(below, m, members_alpha))

    def _seen(
        self, counts: ScoreCounts, alpha: float
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
        """The estimate; by division the members' error and the curve's height at both rates."""
        require_one_sided_error(alpha)
        roc = Roc.from_counts(counts)
        m, n = counts.n_members, counts.n_nonmembers
        members_alpha, rates = _divisions(m, n, self.fpr, alpha)
        heights = roc.tpr_at(rates)
        below = np.where(rates[:_DIVISIONS] > 0, heights[:_DIVISIONS], 0.0)
        return float(heights[-1]), members_alpha, below, heights[_DIVISIONS:-1], m

    @property
    def no_leak(self) -> float:
        return self.fpr

    def spec(self) -> config_pb2.MetricSpec:
        return config_pb2.MetricSpec(name="tpr_at_fpr", fpr=self.fpr)


def _lowest_bound(
    heights: NDArray[np.float64], m: int, members_alpha: NDArray[np.float64]
) -> float:
    """The worst of Clopper-Pearson's lower bounds, which is 0 where one of the heights is."""
    if heights.min() <= 0.0:
        return 0.0
    return float(clopper_pearson.lower_bound(m * heights, m, members_alpha).min())


@functools.lru_cache(maxsize=4096)
def _divisions(
    m: int, n: int, fpr: float, alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ways of sharing the error: points on the line z_m cos + z_n sin = distance.

    The line's slope is that at which members and threshold weigh the same where
    nothing leaks: the tangent of its angle is sqrt(m / n), within reason.

    Returns:
      For each point the one-sided error left to the members. For each point the lowest
      rate at which the sample's curve may have the threshold, then for each the highest,
      then the rate that is asked.
    """
    tangent = float(np.clip(math.sqrt(m / n), 1.0 / _STEEPEST, _STEEPEST))
    distance = _distance(tangent, alpha)
    along = np.linspace(0.0, 1.0, _DIVISIONS)
    members_alpha = special.ndtr(-distance * math.hypot(1.0, tangent) * (1.0 - along))
    threshold_alpha = special.ndtr(-distance * math.hypot(1.0, 1.0 / tangent) * along)
    # The fewest and the most non-members above the threshold that are to be expected.
    fewest = _binomial_quantile(threshold_alpha, n, fpr)
    most = n - _binomial_quantile(threshold_alpha, n, 1.0 - fpr)
    # A non-member stands in the middle of its piece of the curve.
    lowest = np.maximum(fewest - 0.5, 0.0) / n
    highest = np.minimum(most + 0.5, n) / n
    return members_alpha, np.concatenate((lowest, highest, [fpr]))


@functools.lru_cache(maxsize=4096)
def _distance(tangent: float, alpha: float) -> float:
    """How many standard errors the line keeps from the origin.

    Let members and threshold err by independent normals a and d, and the bound be the
    worst over the line z_m cos + z_n sin = c between the axes, which it meets at
    z_m = c / cos and z_n = c / sin. For d <= 0 the threshold errs to the safe side,
    and a miss needs a < -c / cos. For 0 < d <= c / sin the line has a point with
    z_n = d, and a miss needs (a, d) beyond the line. For d > c / sin nothing is
    needed. Together, whatever the shape of a curve that does not fall,

      P(miss) <= T(c, tan) + T(c, 1 / tan) + (Phi(-c / cos) + Phi(-c / sin)) / 2,

    T Owen's function, reached where a vertical step ends at the rate asked. This is
    alpha at a c of 1.99 to 2.03 for the 1.96 of alpha = .025.
    """
    over_cos, over_sin = math.hypot(1.0, tangent), math.hypot(1.0, 1.0 / tangent)

    def excess(c: float) -> float:
        beyond = special.owens_t(c, tangent) + special.owens_t(c, 1.0 / tangent)
        outside = (special.ndtr(-c * over_cos) + special.ndtr(-c * over_sin)) / 2.0
        return math.log(beyond + outside) - math.log(alpha)

    return float(optimize.brentq(excess, 0.0, 30.0))


def _binomial_quantile(level: NDArray[np.float64], n: int, share: float) -> NDArray[np.float64]:
    """The smallest k with P(Bin(n, share) <= k) >= level."""
    found = np.maximum(np.ceil(special.bdtrik(level, n, share)), 0.0)
    # The inverse is exact to rounding only: step down where one less is enough.
    fewer = np.maximum(found - 1.0, 0.0)
    return np.where(special.bdtr(fewer, n, share) >= level, fewer, found)
