"""How much a metric has changed since another measurement, with an interval."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc, placements
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.checks import require_one_sided_error, require_threshold_bin
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr

# How many rows more, in either direction, may have differed between the measurements
# than were seen to: no row that differs may be chance (the "rule of three").
_UNSEEN = 2.0
# Standard errors taken off a correlation that comes from a sample of the shared rows.
_SAMPLED = 2.0
# The curve's slope at a rate is taken between the rates this many standard errors off.
_SLOPE_REACH = 2.0


@dataclasses.dataclass(frozen=True)
class SharedRows:
    """Judged rows that both measurements have, or a sample of them by hash.

    Attributes:
      current_bins: [k] int64, the bin of each row's score in the current measurement.
      current_member: [k] bool, whether the row is a member there.
      baseline_bins: [k] int64, the same in the baseline.
      baseline_member: [k] bool.
      weight: How many shared rows each row stands for; at least 1.
    """

    current_bins: NDArray[np.int64]
    current_member: NDArray[np.bool_]
    baseline_bins: NDArray[np.int64]
    baseline_member: NDArray[np.bool_]
    weight: float


def has_change(metric: Metric) -> bool:
    """Whether two values of a metric have a difference; an epsilon is known from below alone."""
    return isinstance(metric, Auc | Advantage | BalancedAccuracy | Precision | TprAtFpr)


def correlation(
    metric: Metric,
    current: ScoreCounts,
    current_thresholds: Thresholds,
    baseline: ScoreCounts,
    baseline_thresholds: Thresholds,
    shared: SharedRows,
) -> float:
    """The correlation of a metric's two estimates, which comes from the rows they share.

    An estimate errs by the sum of its rows' influence values over the sizes of their
    sides (DeLong, DeLong and Clarke-Pearson 1988 for the AUC, whose values are the
    placements; the delta method for the others). Two estimates covary by the rows
    that are in both: by the sum of the products of a row's two values.

    A correlation above 0, which makes the interval of the change narrower, is returned
    smaller than it was seen: by what `_UNSEEN` rows that differ would take off, by the
    standard error of what was seen to differ, and where the shared rows are a sample by
    two standard errors of sampling. Without that, two scores that agree on the few rows
    above a strict threshold would be taken for one score, and the interval would have
    no width (16% of misses where one score raises 1% of 300 members and nothing else).

    Args:
      metric: Not an epsilon.
      current: Judged rows of the measurement at hand, at least one a side.
      current_thresholds: Where its attack decides.
      baseline: The same of the measurement that the change is counted from.
      baseline_thresholds: Where its attack decides.
      shared: The rows that both have.

    Returns:
      In [-1, 1]; 0 where no row is shared.

    Raises:
      ValueError: If the metric has no change, a side has no rows, or `shared` has
        bins that the counts have not.
    """
    ours = _Influence.of(metric, current, current_thresholds)
    theirs = _Influence.of(metric, baseline, baseline_thresholds)
    if min(ours.effective_rows, theirs.effective_rows) == 0.0 or len(shared.current_bins) == 0:
        return 0.0
    current_values = ours.per_row(shared.current_bins, shared.current_member)
    baseline_values = theirs.per_row(shared.baseline_bins, shared.baseline_member)
    products = current_values * baseline_values
    seen = shared.weight * float(products.sum())
    if seen <= 0.0:
        return max(-1.0, seen)
    # Horvitz and Thompson's variance of a total from rows drawn one by one.
    sampling = math.sqrt(shared.weight * (shared.weight - 1.0) * float(products @ products))
    # 1 - correlation is half the sum of these where all rows are shared.
    differing = (current_values - baseline_values) ** 2
    differing_error = shared.weight * math.sqrt(float(differing @ differing)) / 2.0
    unseen = _UNSEEN * shared.weight / min(ours.effective_rows, theirs.effective_rows)
    return max(0.0, min(1.0, seen) - _SAMPLED * sampling - differing_error - unseen)


def change_interval(
    metric: Metric,
    current: ScoreCounts,
    current_thresholds: Thresholds,
    baseline: ScoreCounts,
    baseline_thresholds: Thresholds,
    alpha: float,
    correlation: float = 0.0,
) -> Interval:
    """Current minus baseline, with an interval that misses at most alpha on each side.

    Each measurement brings its own interval, by `metric`'s definition of its quantity;
    see `difference`.

    Args:
      metric: Not an epsilon.
      current: Judged rows of the measurement at hand, at least one a side.
      current_thresholds: Where its attack decides.
      baseline: The same of the measurement that the change is counted from.
      baseline_thresholds: Where its attack decides.
      alpha: One-sided error of each bound, in (0, 0.5).
      correlation: Of the two estimates, in [-1, 1]; 0 where no row is known to be
        in both.

    Raises:
      ValueError: If the metric has no change, a side has no rows, or a number is out
        of its range.
    """
    _require_change(metric)
    return difference(
        metric.measure(current, current_thresholds, alpha),
        metric.measure(baseline, baseline_thresholds, alpha),
        correlation,
    )


def difference(current: Interval, baseline: Interval, correlation: float) -> Interval:
    """MOVER for a difference of correlated estimates (Zou and Donner 2008, section 2).

    With a = current - its lower bound, b = the baseline's upper bound - baseline, the
    lower bound lies sqrt(a^2 + b^2 - 2 r a b) below the difference of the estimates;
    the upper bound likewise.

    Raises:
      ValueError: If the correlation is not in [-1, 1].
    """
    if not -1.0 <= correlation <= 1.0:
        raise ValueError(f"correlation: found {correlation}, expected a number in [-1, 1]")
    estimate = current.estimate - baseline.estimate
    down = _distance(
        current.estimate - current.lower, baseline.upper - baseline.estimate, correlation
    )
    up = _distance(
        current.upper - current.estimate, baseline.estimate - baseline.lower, correlation
    )
    return Interval(estimate, estimate - down, estimate + up)


def smallest_change_found(change: Interval, alpha: float, power: float) -> float:
    """The change that such a measurement would have told from none.

    With errors about normal and as large as those of the change at hand: the interval of
    a change so large lies on its side of 0 with probability `power`.

    Args:
      change: A change with its interval.
      alpha: One-sided error of each of its bounds, in (0, 0.5).
      power: In [0.5, 1).

    Raises:
      ValueError: If alpha or power is out of range.
    """
    require_one_sided_error(alpha)
    if not 0.5 <= power < 1.0:
        raise ValueError(f"power: found {power}, expected a number in [0.5, 1)")
    z = -float(special.ndtri(alpha))
    return (change.upper - change.lower) / 2.0 * (1.0 + float(special.ndtri(power)) / z)


def _distance(ours: float, theirs: float, correlation: float) -> float:
    return math.sqrt(max(0.0, ours**2 + theirs**2 - 2.0 * correlation * ours * theirs))


@dataclasses.dataclass(frozen=True)
class _Influence:
    """By how much a row of each bin moves an estimate, in its standard errors.

    Attributes:
      members: [b] float64, of a member.
      nonmembers: [b] float64, of a non-member.
      effective_rows: How many rows that all move it as much would make it err as much;
        0 where no row moves it.
    """

    members: NDArray[np.float64]
    nonmembers: NDArray[np.float64]
    effective_rows: float

    @staticmethod
    def of(metric: Metric, counts: ScoreCounts, thresholds: Thresholds) -> _Influence:
        members, nonmembers = _values(metric, counts, thresholds)
        members = members / counts.n_members
        nonmembers = nonmembers / counts.n_nonmembers
        squares = counts.members @ members**2 + counts.nonmembers @ nonmembers**2
        if squares <= 0.0:
            return _Influence(members, nonmembers, 0.0)
        members, nonmembers = members / math.sqrt(squares), nonmembers / math.sqrt(squares)
        fourths = counts.members @ members**4 + counts.nonmembers @ nonmembers**4
        return _Influence(members, nonmembers, 1.0 / float(fourths))

    def per_row(self, bins: NDArray[np.int64], member: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The value of each row, [k] float64.

        Raises:
          ValueError: If a row is in none of the bins.
        """
        n_bins = len(self.members)
        if len(bins) and not 0 <= bins.min() <= bins.max() < n_bins:
            raise ValueError(
                f"shared rows: found bins {bins.min()} to {bins.max()}, expected 0 to {n_bins - 1}"
            )
        return np.where(member, self.members[bins], self.nonmembers[bins])


def _values(
    metric: Metric, counts: ScoreCounts, thresholds: Thresholds
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The influence values of members and of non-members, [b] each, of mean 0."""
    _require_change(metric)
    roc = Roc.from_counts(counts)
    match metric:
        case Auc():
            above, below = placements(counts.nonmembers), 1.0 - placements(counts.members)
            return _centred(above, counts.members), _centred(below, counts.nonmembers)
        case TprAtFpr(fpr=fpr):
            above = _share_called(counts.nonmembers, fpr)
            by_members, by_nonmembers = 1.0, -_slope(roc, fpr, counts.n_nonmembers)
        case _:
            require_threshold_bin(thresholds.member, counts)
            point = roc.point(thresholds.member)
            above = (np.arange(len(counts.members)) >= thresholds.member).astype(np.float64)
            by_members, by_nonmembers = _gradient(
                metric, float(roc.tpr[point]), float(roc.fpr[point])
            )
    return (
        by_members * _centred(above, counts.members),
        by_nonmembers * _centred(above, counts.nonmembers),
    )


def _gradient(metric: Metric, tpr: float, fpr: float) -> tuple[float, float]:
    """By how much the metric moves with TPR and with FPR."""
    match metric:
        case Advantage():
            return 1.0, -1.0
        case BalancedAccuracy():
            return 0.5, -0.5
        case Precision(prior=prior):
            called = prior * tpr + (1.0 - prior) * fpr
            if called == 0.0:
                return 0.0, 0.0
            each = prior * (1.0 - prior) / called**2
            return each * fpr, -each * tpr
    raise AssertionError(metric)


def _slope(roc: Roc, fpr: float, nonmembers: int) -> float:
    """The curve's slope around a rate, as far as the threshold itself may err."""
    reach = _SLOPE_REACH * math.sqrt(fpr * (1.0 - fpr) / nonmembers)
    left, right = max(0.0, fpr - reach), min(1.0, fpr + reach)
    return float(roc.tpr_at(right) - roc.tpr_at(left)) / (right - left)


def _share_called(nonmembers: NDArray[np.int64], fpr: float) -> NDArray[np.float64]:
    """What share of each bin's rows the attacker calls members at a rate, [b].

    All of the bins above, none of those below, and as many of the one between as it
    takes, at random.
    """
    total = nonmembers.sum()
    strictly_above = (total - np.cumsum(nonmembers)) / total
    room = fpr - strictly_above
    width = nonmembers / total
    share = np.where(width > 0, room / np.where(width > 0, width, 1.0), room >= 0)
    return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float64)


def _centred(values: NDArray[np.float64], side: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(values - (side @ values) / side.sum(), dtype=np.float64)


def _require_change(metric: Metric) -> None:
    if not has_change(metric):
        raise ValueError(
            f"{metric.spec().name} has no change: it is known from below alone; expected auc, "
            "advantage, balanced_accuracy, precision or tpr_at_fpr"
        )
