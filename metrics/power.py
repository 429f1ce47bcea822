"""The smallest leak that a run of this size would have found."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from tfx_privacy.metrics.checks import require_one_sided_error
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.metric import Metric

# Where the attack decides: of no interest to a curve, between the bins where there are two.
_ANYWHERE = Thresholds.all_at(0)
_AT_ONE = Thresholds.all_at(1)

# A share of members is found to this precision.
_PRECISION = 1e-4

# Bins of a score without ties, as far as bounds can tell.
_EVEN_BINS = 256
_TOP_BINS = 128

# Places at which a threshold chosen on FIT may stand.
_PLACES = 8

# Standard errors between a close bound and its estimate.
_CLOSER = 0.5

# Rows from which a metric's value without an error is read.
_MANY = 10**9

# FIT is a third of the rows, so half as large as what is judged, up to its sample.
_FIT_PER_JUDGED = 0.5
_LARGEST_FIT = 100_000


@functools.lru_cache(maxsize=65536)
def smallest_found(
    metric: Metric, members: int, nonmembers: int, above: float, alpha: float, power: float
) -> float:
    """The smallest value whose lower bound exceeds a number with a given probability.

    The attack knows a share p of the members for certain, and nothing of the others:
    those and all non-members have scores of one distribution, without ties. AUC is
    then .5 + p/2, the advantage p, TPR at FPR f p + (1 - p) f.

    - AUC and TPR at a given FPR: the lower bound is taken on the counts to be expected,
      at an error so small that the bound lies as far down as bound and estimate's error
      together do: Phi(-(z_alpha + z_power)).
    - Advantage, balanced accuracy and precision stand at a threshold chosen on FIT,
      which misses the best one by chance: the power is the mean over where that
      threshold may come to stand (see `_places`), and FIT is taken to be half as large
      as the judged rows. The value of precision is its mean there, too.
    - Epsilon: knowing a member for certain is an infinite epsilon. The leak is instead
      randomised response, which is right with probability e^eps / (1 + e^eps); with
      that no threshold is better than its own.

    Args:
      metric: What is measured.
      members: Judged members, at least one.
      nonmembers: Judged non-members, at least one.
      above: What the lower bound shall exceed: the value without a leak, or a limit.
      alpha: One-sided error of the lower bound, in (0, 0.5).
      power: With which probability, in [0.5, 1).

    Returns:
      The value, infinite where even an attack without any mistake is not enough, or
      the metric is not defined for such sides.

    Raises:
      ValueError: If a side has no rows, or alpha or power is out of range.
    """
    require_one_sided_error(alpha)
    if not 0.5 <= power < 1.0:
        raise ValueError(f"power: found {power}, expected a number in [0.5, 1)")
    if min(members, nonmembers) < 1:
        raise ValueError(
            f"power: found {members} members and {nonmembers} non-members, "
            "expected at least one of each"
        )
    if math.isinf(metric.ceiling):
        return _smallest_epsilon(metric, members, nonmembers, above, alpha, power)
    if metric.spec().name in ("auc", "tpr_at_fpr"):
        return _smallest_of_curve(metric, members, nonmembers, above, alpha, power)
    return _smallest_at_threshold(metric, members, nonmembers, above, alpha, power)


def _smallest_of_curve(
    metric: Metric, members: int, nonmembers: int, above: float, alpha: float, power: float
) -> float:
    error = _error_of_both(alpha, power)

    def excess(share: float) -> float:
        counts = _curve_counts(share, members, nonmembers)
        return metric.measure(counts, _ANYWHERE, error).lower - above

    share = _smallest_root(excess)
    if math.isinf(share):
        return math.inf
    return metric.measure(_curve_counts(share, _MANY, _MANY), _ANYWHERE, 0.25).estimate


def _smallest_at_threshold(
    metric: Metric, members: int, nonmembers: int, above: float, alpha: float, power: float
) -> float:
    def excess(share: float) -> float:
        places, weights = _places(share, members, nonmembers)
        reached = [
            _power_at(
                metric, _two_bins(share + (1.0 - share) * t, t, members, nonmembers), above, alpha
            )
            for t in places.tolist()
        ]
        return float(weights @ np.array(reached)) - power

    share = _smallest_root(excess)
    if math.isinf(share):
        return math.inf
    if metric.spec().name != "precision":
        return metric.measure(_two_bins(share, 0.0, _MANY, _MANY), _AT_ONE, 0.25).estimate
    places, weights = _places(share, members, nonmembers)
    values = [
        metric.measure(_two_bins(share + (1 - share) * t, t, _MANY, _MANY), _AT_ONE, 0.25).estimate
        for t in places.tolist()
    ]
    return float(weights @ np.array(values))


def _power_at(metric: Metric, counts: ScoreCounts, above: float, alpha: float) -> float:
    """The probability that the lower bound exceeds `above` where such counts are expected."""
    z = -float(special.ndtri(alpha))
    found = metric.measure(counts, _AT_ONE, alpha)
    error = (found.estimate - found.lower) / z
    if found.lower <= metric.no_leak:
        # A bound stops at the value without a leak: one closer to the estimate does not.
        closer = metric.measure(counts, _AT_ONE, float(special.ndtr(-_CLOSER)))
        error = max(error, (closer.estimate - closer.lower) / _CLOSER)
    ahead = (found.estimate - above) / max(error, 1e-12)
    return float(special.ndtr(ahead - z))


def _smallest_epsilon(
    metric: Metric, members: int, nonmembers: int, above: float, alpha: float, power: float
) -> float:
    error = _error_of_both(alpha, power)

    def excess(right: float) -> float:
        counts = _two_bins(right, 1.0 - right, members, nonmembers)
        return metric.measure(counts, _AT_ONE, error).lower - above

    # Beyond that randomised response is right in every row there is.
    furthest = 1.0 - 0.25 / max(members, nonmembers)
    try:
        within_reach = excess(furthest) > 0.0
    except ValueError:
        # Canaries have to be about as many on either side; others show nothing.
        within_reach = False
    if not within_reach:
        return math.inf
    right = _root(excess, 0.5, furthest)
    return math.log(right / (1.0 - right))


def _error_of_both(alpha: float, power: float) -> float:
    """The error of a bound as far down as the bound at alpha and the estimate's own error."""
    return float(special.ndtr(special.ndtri(alpha) - special.ndtri(power)))


def _smallest_root(excess: Callable[[float], float]) -> float:
    """The smallest share at which `excess`, which rises, is above 0; infinite where none is."""
    if excess(1.0) <= 0.0:
        return math.inf
    return _root(excess, 0.0, 1.0)


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    if excess(low) > 0.0:
        return low
    # A bound equal to what it shall exceed does not exceed it.
    return float(optimize.brentq(lambda x: excess(x) or -1e-9, low, high, xtol=_PRECISION / 2))


@functools.lru_cache(maxsize=64)
def _curve_levels() -> NDArray[np.float64]:
    """Shares of a distribution, from the top: even steps, and finer ones towards the top."""
    even = np.linspace(0.0, 1.0, _EVEN_BINS + 1)
    levels: NDArray[np.float64] = np.unique(
        np.concatenate((even, np.geomspace(1e-5, 1.0, _TOP_BINS)))
    )
    return levels


def _curve_counts(share: float, members: int, nonmembers: int) -> ScoreCounts:
    """What is to be expected of each bin: known members in the highest, the others evenly."""
    levels = _curve_levels()
    known = round(share * members)
    others = np.diff((levels * (members - known)).round()).astype(np.int64)
    return ScoreCounts(
        members=np.append(others[::-1], known),
        nonmembers=np.append(np.diff((levels * nonmembers).round()).astype(np.int64)[::-1], 0),
    )


def _two_bins(tpr: float, fpr: float, members: int, nonmembers: int) -> ScoreCounts:
    """Counts below and above a threshold with such rates."""
    above = round(tpr * members), round(fpr * nonmembers)
    return ScoreCounts(
        members=np.array([members - above[0], above[0]], np.int64),
        nonmembers=np.array([nonmembers - above[1], above[1]], np.int64),
    )


def _places(
    share: float, members: int, nonmembers: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a threshold chosen on FIT comes to stand, as a false-positive rate t.

    On FIT, TPR - FPR at t is about p - p t + s B(t), B a Brownian bridge and
    s^2 = (1 - p) / m + 1 / n. Its largest value is at t with the density

      f(t) ~ (t (1 - t))^(-3/2) I,  I = int_0^inf y (y + r) exp(-(y + r t)^2 / (2 v^2)) dy,

    r = p / s and v^2 = t (1 - t): up to a constant the density with which the path first
    reaches the height y at t, times that with which, run backwards from its end at -r,
    it first reaches y after 1 - t (both by the reflection principle).

    Returns:
      Places and their weights, which sum to 1.
    """
    fit_members = min(max(members * _FIT_PER_JUDGED, 1.0), _LARGEST_FIT)
    fit_nonmembers = min(max(nonmembers * _FIT_PER_JUDGED, 1.0), _LARGEST_FIT)
    spread = math.sqrt((1.0 - share) / fit_members + 1.0 / fit_nonmembers)
    ratio = share / spread
    # Even steps of the angle: without a leak the density has roots' poles at both ends.
    # With one, all of it draws together within some 1 / r^2 of 0.
    within = min(1.0, 20.0 / max(ratio, 1e-9) ** 2)
    angle = (np.arange(_PLACES) + 0.5) / _PLACES * math.pi / 2.0
    places = within * np.sin(angle) ** 2
    step = within * 2.0 * np.sin(angle) * np.cos(angle)
    v = np.sqrt(places * (1.0 - places))
    a, b = ratio * places, ratio * (1.0 - places)
    edge = np.exp(-((a / v) ** 2) / 2.0)
    tail = math.sqrt(2.0 * math.pi) * special.ndtr(-a / v)
    integral = v * (v * a * edge + v**2 * tail + v * (b - a) * edge - a * b * tail)
    density = np.maximum(integral, 0.0) / v**3 * step
    return places, density / density.sum()
