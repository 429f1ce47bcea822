"""Intervals miss the truth as rarely as they say, and the check would notice if they did not.

A small, seeded version of the simulations: the counts are drawn from known shares of members and
non-members in each bin, so that the truth is known exactly. A cell fails on a one-sided exact
binomial test at .001 divided by the number of cells and sides.
"""

from __future__ import annotations

import dataclasses
import functools
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.canary_epsilon import CanaryEpsilon
from tfx_privacy.metrics.choose_thresholds import choose_thresholds
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.epsilon import Epsilon, epsilon_of_rates
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.registry import metric_key
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

ALPHA = 0.025
RUNS = 1000
MEMBERS, NONMEMBERS = 600, 300
METRICS: tuple[Metric, ...] = (
    Auc(),
    Advantage(),
    BalancedAccuracy(),
    TprAtFpr(0.1),
    Precision(0.5),
    Epsilon(0.0),
    Epsilon(0.01),
)


@dataclasses.dataclass(frozen=True)
class Population:
    """The shares of members and non-members in each bin."""

    members: NDArray[np.float64]
    nonmembers: NDArray[np.float64]

    @property
    def roc(self) -> Roc:
        tpr, fpr = (
            np.concatenate(([0.0], np.cumsum(side[::-1])))
            for side in (self.members, self.nonmembers)
        )
        return Roc(fpr=fpr, tpr=tpr)

    def truth(self, metric: Metric, threshold_bin: int) -> float:
        roc = self.roc
        match metric:
            case Auc():
                below = np.cumsum(self.nonmembers) - self.nonmembers
                return float(self.members @ (below + 0.5 * self.nonmembers))
            case Advantage():
                return float((roc.tpr - roc.fpr).max())
            case BalancedAccuracy():
                return (1.0 + self.truth(Advantage(), threshold_bin)) / 2.0
            case TprAtFpr(fpr=fpr):
                return float(roc.tpr_at(fpr))
            case Precision(prior=prior):
                point = roc.point(threshold_bin)
                called = prior * roc.tpr[point] + (1 - prior) * roc.fpr[point]
                return float(prior * roc.tpr[point] / called) if called > 0 else prior
            case Epsilon(delta=delta):
                point = roc.point(threshold_bin)
                with np.errstate(divide="ignore"):
                    return float(epsilon_of_rates(roc.tpr[point], 1.0 - roc.fpr[point], delta))
        raise AssertionError(metric)


def _smooth(shift: float) -> Population:
    levels = np.linspace(0, 1, 65)[1:-1]
    cut = stats.norm.ppf(levels)
    members = np.diff(np.concatenate(([0.0], stats.norm.cdf(cut - shift), [1.0])))
    return Population(members, np.diff(np.concatenate(([0.0], levels, [1.0]))))


def _shares(members: list[float], nonmembers: list[float]) -> Population:
    return Population(np.array(members), np.array(nonmembers))


POPULATIONS = {
    "smooth, no leak": _smooth(0.0),
    "smooth, AUC .64": _smooth(0.5),
    "five values, no leak": _shares([0.2] * 5, [0.2] * 5),
    "five values, leak": _shares([0.1, 0.15, 0.2, 0.25, 0.3], [0.2] * 5),
    "two values, no leak": _shares([0.5, 0.5], [0.5, 0.5]),
    "two values, a small leak": _shares([0.475, 0.525], [0.525, 0.475]),
    # The curve bends at the rate asked: MOVER misses a tenth here.
    "two values, bend at 10% FPR": _shares([0.4, 0.6], [0.9, 0.1]),
    "a leak in 3% of members": _shares([0.485, 0.485, 0.03], [0.5, 0.5, 0.0]),
}


@functools.cache
def _draws(name: str) -> list[tuple[ScoreCounts, int]]:
    """Counts of JUDGE rows, and a threshold from half as many FIT rows, for each run."""
    population = POPULATIONS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))

    def draw(share: int) -> list[ScoreCounts]:
        members = rng.multinomial(MEMBERS // share, population.members, RUNS)
        nonmembers = rng.multinomial(NONMEMBERS // share, population.nonmembers, RUNS)
        return [ScoreCounts(*sides) for sides in zip(members, nonmembers, strict=True)]

    thresholds = []
    for fit in draw(2):
        roc = Roc.from_counts(fit)
        thresholds.append(1 + int(np.argmax((roc.tpr - roc.fpr)[::-1][1:-1])))
    return list(zip(draw(1), thresholds, strict=True))


def _misses(metric: Metric, name: str) -> tuple[int, int]:
    """How often the truth lies below the lower and above the upper bound."""
    truths = {
        threshold_bin: POPULATIONS[name].truth(getattr(metric, "metric", metric), threshold_bin)
        for _, threshold_bin in _draws(name)
    }
    below = above = 0
    for counts, threshold_bin in _draws(name):
        interval = metric.measure(counts, Thresholds.all_at(threshold_bin), ALPHA)
        below += truths[threshold_bin] < interval.lower - 1e-9
        above += truths[threshold_bin] > interval.upper + 1e-9
    return below, above


def _is_too_many(misses: int) -> bool:
    level = 0.001 / (2 * len(METRICS) * len(POPULATIONS))
    return bool(stats.binomtest(misses, RUNS, ALPHA, alternative="greater").pvalue < level)


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("metric", METRICS, ids=metric_key)
def test_misses_are_as_rare_as_stated(metric: Metric, name: str) -> None:
    below, above = _misses(metric, name)
    assert not _is_too_many(below)
    assert not _is_too_many(above)


@dataclasses.dataclass(frozen=True)
class Narrowed(Metric):
    """A metric whose interval claims half of the width that it needs."""

    metric: Metric

    def measure(self, counts: ScoreCounts, thresholds: Thresholds, alpha: float) -> Interval:
        whole = self.metric.measure(counts, thresholds, alpha)
        estimate = whole.estimate
        if isinstance(self.metric, Epsilon):
            # Its estimate is its bound: half way is to the sample's own rates.
            roc, point = Roc.from_counts(counts), len(counts.members) - thresholds.epsilon
            rates = roc.tpr[point], 1.0 - roc.fpr[point]
            estimate = float(epsilon_of_rates(*rates, self.metric.delta))
        return Interval(estimate, (estimate + whole.lower) / 2, (estimate + whole.upper) / 2)

    @property
    def no_leak(self) -> float:
        return self.metric.no_leak

    def spec(self) -> config_pb2.MetricSpec:
        return self.metric.spec()


@pytest.mark.parametrize("metric", METRICS, ids=metric_key)
def test_half_the_width_is_noticed(metric: Metric) -> None:
    cells = ("smooth, AUC .64", "two values, a small leak", "two values, bend at 10% FPR")
    found = [_misses(Narrowed(metric), name) for name in cells]
    assert any(_is_too_many(below) for below, _ in found)
    assert any(_is_too_many(above) for _, above in found) or metric.ceiling == np.inf


CANARIES = 900


@functools.cache
def _canary_draws(name: str) -> list[tuple[ScoreCounts, Thresholds]]:
    """Counts of JUDGE canaries, and thresholds from half as many FIT canaries, for each run."""
    population = POPULATIONS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)

    def draw(canaries: int) -> ScoreCounts:
        included = rng.binomial(canaries, 0.5)
        members = rng.multinomial(included, population.members)
        nonmembers = rng.multinomial(canaries - included, population.nonmembers)
        # No score lies below the lowest edge.
        return ScoreCounts(np.append(0, members), np.append(0, nonmembers))

    return [(draw(CANARIES), choose_thresholds(draw(CANARIES // 2))) for _ in range(RUNS)]


def _odds_of_guesses(population: Population, thresholds: Thresholds) -> float:
    """Log odds of a right guess: what an audit without delta bounds, and at most epsilon."""
    inside, outside = (
        np.append(0.0, population.members),
        np.append(0.0, population.nonmembers),
    )
    right = inside[thresholds.guess_in :].sum() + outside[: thresholds.guess_out].sum()
    wrong = outside[thresholds.guess_in :].sum() + inside[: thresholds.guess_out].sum()
    return float(np.log(right / wrong)) if wrong > 0 else np.inf


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("delta", [0.0, 1e-5])
def test_canaries_miss_as_rarely_as_stated(name: str, delta: float) -> None:
    missed = 0
    for counts, thresholds in _canary_draws(name):
        bound = CanaryEpsilon(delta).measure(counts, thresholds, ALPHA).lower
        missed += bound > max(0.0, _odds_of_guesses(POPULATIONS[name], thresholds)) + 1e-9
    assert not _is_too_many(missed)


def test_canaries_at_half_the_width_are_noticed() -> None:
    name = "smooth, AUC .64"
    missed = 0
    for counts, thresholds in _canary_draws(name):
        bound = CanaryEpsilon(0.0).measure(counts, thresholds, ALPHA).lower
        shares = Population(
            counts.members[1:] / counts.n_members, counts.nonmembers[1:] / counts.n_nonmembers
        )
        narrowed = (bound + min(_odds_of_guesses(shares, thresholds), 10.0)) / 2
        missed += narrowed > _odds_of_guesses(POPULATIONS[name], thresholds)
    assert _is_too_many(missed)


def test_an_audit_with_delta_where_delta_is_used() -> None:
    # Randomised response of epsilon 1 that gives a canary away in 10% of cases: (1, .1)-private,
    # which an audit without delta takes for a larger epsilon.
    right = np.e / (1 + np.e)
    rng = np.random.default_rng(9)
    missed = without = 0
    thresholds = Thresholds(member=1, epsilon=1, guess_in=1, guess_out=1)
    for _ in range(RUNS):
        guessed_right = rng.random(CANARIES) < right + 0.1 * (1 - right)
        member = rng.random(CANARIES) < 0.5
        high = member == guessed_right
        counts = ScoreCounts(
            np.array([(member & ~high).sum(), (member & high).sum()]),
            np.array([(~member & ~high).sum(), (~member & high).sum()]),
        )
        missed += CanaryEpsilon(0.1).measure(counts, thresholds, ALPHA).lower > 1.0
        without += CanaryEpsilon(0.0).measure(counts, thresholds, ALPHA).lower > 1.0
    assert not _is_too_many(missed)
    assert without > 100
