"""A lower bound of epsilon from canaries: the audit in one training run."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.bound_from_below import BoundFromBelow, interval_from_below
from tfx_privacy.metrics.checks import (
    require_both_sides,
    require_delta,
    require_one_sided_error,
    require_threshold_bin,
)
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

# Sides that a fair coin makes more rarely than this are no canaries'.
_UNFAIR = 1e-6
# What part of the error is kept for the term of delta.
_SHARE_OF_DELTA = 0.25
_STEPS = 32


@dataclasses.dataclass(frozen=True)
class CanaryEpsilon(BoundFromBelow):
    """The epsilon that any (epsilon, delta) guarantee of this training has at least.

    Steinke, Nasr and Jagielski 2023, "Privacy auditing with one (1) training run",
    theorem 5.2. Members are the canaries that a fair coin of each canary's own put
    into the training data, non-members those that it left out; see
    `tfx-privacy canaries`. The attack guesses in from the bin `guess_in` on, out
    below `guess_out`, and abstains between. Of r guesses about m judged canaries v are
    right; under (epsilon, 0)-differential privacy v is at most as large as a binomial
    W of r tosses that fall right with probability e^epsilon / (1 + e^epsilon), so that
    epsilon is at least the logit of Clopper-Pearson's lower bound of v / r. A delta
    adds 2 m delta max_i P[v > W >= v - i] / i to the p-value.

    Unlike `Epsilon`, this needs no independence of rows: the coins alone are random,
    the canaries may influence each other through the one model in any way.

    Why the theorem survives the choice of attack and bins on FIT rows: which canaries
    are FIT rows is decided by a hash of their ids, not by their coins. The coins
    of FIT canaries are independent of those of JUDGE canaries; given them, training is
    still an (epsilon, delta)-private mechanism of the remaining coins, and whatever is
    made of FIT coins is part of the guesser. So m counts JUDGE canaries alone, and
    nothing is paid for the choice among numbers of guesses. Several attacks are paid
    for by `best_of_attacks`.

    How many guesses two fixed bins make is itself random. Without delta the theorem
    holds given any guesses. With delta its second term bounds an average over what is
    guessed, and the sum of both may not be inverted at a random r. So that part is
    given an error of its own, a quarter of alpha, and the first term the rest: then
    P[miss] <= E[first] + E[second] <= 3/4 alpha + 1/4 alpha however r falls. At delta
    = 0 the whole of alpha is the first term's, and the bound is the paper's.

    It bounds from below only: estimate and lower bound are one, the upper is infinite.

    Attributes:
      delta: In [0, 1).
    """

    delta: float

    def __post_init__(self) -> None:
        require_delta("canary_epsilon", self.delta)

    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        """See the base class.

        Raises:
          ValueError: Also if the numbers of members and non-members are such as a fair
            coin makes in less than one of a million cases.
        """
        require_one_sided_error(alpha)
        require_both_sides(counts)
        require_threshold_bin(thresholds.guess_in, counts)
        require_threshold_bin(thresholds.guess_out, counts)
        if thresholds.guess_out > thresholds.guess_in:
            raise ValueError(
                f"guess_out: found bin {thresholds.guess_out}, expected at most guess_in, "
                f"{thresholds.guess_in}"
            )
        require_fair_coins(counts.n_members, counts.n_nonmembers)
        right_in = int(counts.members[thresholds.guess_in :].sum())
        right_out = int(counts.nonmembers[: thresholds.guess_out].sum())
        wrong_in = int(counts.nonmembers[thresholds.guess_in :].sum())
        wrong_out = int(counts.members[: thresholds.guess_out].sum())
        right = right_in + right_out
        bound = _bound(
            counts.n_members + counts.n_nonmembers,
            right + wrong_in + wrong_out,
            right,
            self.delta,
            alpha,
        )
        return interval_from_below(bound)

    def spec(self) -> config_pb2.MetricSpec:
        return config_pb2.MetricSpec(name="canary_epsilon", delta=self.delta)


def one_run_p_value(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """How probable so many right guesses are at most, under (epsilon, delta)-privacy.

    Steinke et al. 2023, theorem 5.2: P[W >= v] + 2 m delta max_i P[v > W >= v - i] / i,
    for a number of guesses fixed beforehand.

    Args:
      canaries: m, each put into the training data by a fair coin of its own.
      guesses: r, at most m.
      right: v, at most r.
      epsilon: At least 0.
      delta: In [0, 1).
    """
    chance, leap = _terms(guesses, right, epsilon)
    return min(1.0, chance + 2.0 * canaries * delta * leap)


def require_fair_coins(members: int, nonmembers: int) -> None:
    """Refuses sides such as a fair coin makes in less than one of a million cases.

    For an error before anything is computed, too: with the numbers of all canaries.

    Raises:
      ValueError: Saying so.
    """
    fewer = min(members, nonmembers)
    # Both tails are the same where the coin is fair.
    chance = min(1.0, 2.0 * float(special.bdtr(fewer, members + nonmembers, 0.5)))
    if chance < _UNFAIR:
        raise ValueError(
            f"metric canary_epsilon: found {members} members and {nonmembers} non-members, "
            "expected canaries that a fair coin put into the training data or left out, about "
            "as many of each; `tfx-privacy canaries` makes such splits"
        )


@functools.lru_cache(maxsize=4096)
def _bound(canaries: int, guesses: int, right: int, delta: float, alpha: float) -> float:
    """The largest epsilon that so many right guesses refute at the level alpha."""
    if right == 0:
        return 0.0
    for_delta = _SHARE_OF_DELTA * alpha if delta > 0 else 0.0
    share = float(clopper_pearson.lower_bound(right, guesses, alpha - for_delta))
    if share <= 0.5:
        return 0.0
    without_delta = float(special.logit(share))
    allowed = for_delta / (2.0 * canaries * delta) if delta > 0 else 1.0
    leaps = _Leaps(guesses, right)
    if leaps.largest(without_delta) <= allowed:
        return without_delta
    if leaps.largest(0.0) > allowed:
        return 0.0
    below, above = 0.0, without_delta
    for _ in range(_STEPS):
        middle = (below + above) / 2.0
        if leaps.largest(middle) <= allowed:
            below = middle
        else:
            above = middle
    return below


def _terms(guesses: int, right: int, epsilon: float) -> tuple[float, float]:
    """P[W >= v], and max_i P[v > W >= v - i] / i."""
    if right == 0:
        return 1.0, 0.0
    chance = float(special.betainc(right, guesses - right + 1.0, special.expit(epsilon)))
    return chance, _Leaps(guesses, right).largest(epsilon)


class _Leaps:
    """max over i in 1 .. v of P[v > W >= v - i] / i, for any epsilon."""

    def __init__(self, guesses: int, right: int) -> None:
        """Prepares what does not depend on epsilon; `right` is at least 1."""
        # Whatever epsilon is, W is below r / 2 - 20 standard deviations in no case to speak of
        # (e^-200): from there on the sum stands still and i alone grows.
        lowest = max(0, int(guesses / 2.0 - 10.0 * math.sqrt(guesses)))
        self._hits = np.arange(right - 1, min(lowest, right - 1) - 1, -1, dtype=np.float64)
        self._misses = guesses - self._hits
        self._log_ways = (
            special.gammaln(guesses + 1.0)
            - special.gammaln(self._hits + 1.0)
            - special.gammaln(self._misses + 1.0)
        )
        self._steps: NDArray[np.float64] = np.arange(1, len(self._hits) + 1, dtype=np.float64)

    def largest(self, epsilon: float) -> float:
        log_hit = float(special.log_expit(epsilon))
        log_miss = float(special.log_expit(-epsilon))
        mass = np.exp(self._log_ways + self._hits * log_hit + self._misses * log_miss)
        return float((np.cumsum(mass) / self._steps).max())
