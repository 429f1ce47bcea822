"""The interval of a change: its correlation, its bounds, and how often it misses.

A small, seeded version of benchmarks/change.py. Scores are normal, cut at fixed edges, so that the
truth of the quantised score is known exactly.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.change import (
    SharedRows,
    change_interval,
    correlation,
    difference,
    has_change,
    smallest_change_found,
)
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.epsilon import Epsilon
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.registry import metric_key
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr

ALPHA = 0.025
RUNS = 500
METRICS: tuple[Metric, ...] = (
    Auc(),
    Advantage(),
    BalancedAccuracy(),
    TprAtFpr(0.1),
    Precision(0.5),
)
EDGES = np.arange(-4.0, 5.0, 0.05)
BINS = len(EDGES) + 1
# Where TPR - FPR is largest for a shift of .5.
THRESHOLDS = Thresholds.all_at(int(np.searchsorted(EDGES, 0.25)))


@dataclasses.dataclass(frozen=True)
class Two:
    """Two measurements and the rows that they share."""

    current: ScoreCounts
    baseline: ScoreCounts
    shared: SharedRows

    def correlation(self, metric: Metric) -> float:
        return correlation(metric, self.current, THRESHOLDS, self.baseline, THRESHOLDS, self.shared)

    def change(self, metric: Metric, r: float) -> Interval:
        return change_interval(
            metric, self.current, THRESHOLDS, self.baseline, THRESHOLDS, ALPHA, r
        )


def _count(bins: NDArray[np.int64], member: NDArray[np.bool_]) -> ScoreCounts:
    return ScoreCounts(
        np.bincount(bins[member], minlength=BINS), np.bincount(bins[~member], minlength=BINS)
    )


def _two(
    rng: np.random.Generator,
    *,
    members: int = 300,
    nonmembers: int = 150,
    r: float = 0.9,
    shifts: tuple[float, float] = (0.36, 0.18),
    change_sides: float = 0.0,
    raised: float = 0.0,
) -> Two:
    """Scores that correlate by r; of a share of the rows the baseline has the other side."""
    member = np.arange(members + nonmembers) < members
    common = rng.standard_normal(len(member))
    # A given number of rows, so that the sizes of the sides do not vary.
    changed = int(change_sides * nonmembers)
    before = member.copy()
    before[:changed], before[members : members + changed] = False, True
    bins = []
    for shift, side in zip(shifts, (member, before), strict=True):
        own = rng.standard_normal(len(member))
        scores = np.sqrt(r) * common + np.sqrt(1 - r) * own + shift * side
        bins.append(np.searchsorted(EDGES, scores, side="right"))
    bins[0][member & (rng.random(len(member)) < raised)] = BINS - 1
    return Two(
        _count(bins[0], member),
        _count(bins[1], before),
        SharedRows(bins[0], member, bins[1], before, weight=1.0),
    )


def _truth(metric: Metric, shift: float, raised: float = 0.0) -> float:
    """Of the population, to which samples without end come: a metric's own estimate on it."""
    cut = np.concatenate(([0.0], stats.norm.cdf(EDGES), [1.0]))
    members = (1 - raised) * np.diff(np.concatenate(([0.0], stats.norm.cdf(EDGES - shift), [1.0])))
    members[-1] += raised
    rows = 10**12
    counts = ScoreCounts((members * rows).astype(np.int64), (np.diff(cut) * rows).astype(np.int64))
    if isinstance(metric, Advantage | BalancedAccuracy):
        best = float((np.cumsum(np.diff(cut)) - np.cumsum(members)).max())
        return best if isinstance(metric, Advantage) else (1 + best) / 2
    return metric.measure(counts, THRESHOLDS, ALPHA).estimate


@functools.cache
def _runs(setting: tuple[tuple[str, float], ...]) -> list[Two]:
    rng = np.random.default_rng(5)
    return [_two(rng, **dict(setting)) for _ in range(RUNS)]


def _estimates(metric: Metric, runs: list[Two]) -> NDArray[np.float64]:
    """[2, runs]."""
    return np.array(
        [
            [
                metric.measure(counts, THRESHOLDS, ALPHA).estimate
                for counts in (two.current, two.baseline)
            ]
            for two in runs
        ]
    ).T


@pytest.mark.parametrize("change_sides", [0.0, 0.9])
@pytest.mark.parametrize("metric", METRICS, ids=metric_key)
def test_correlation_is_that_of_estimates_over_many_runs(
    metric: Metric, change_sides: float
) -> None:
    # Rows that change sides pull the two estimates apart: of the 500 of a side 450 do here.
    setting = {"members": 500, "nonmembers": 500, "r": 0.8, "change_sides": change_sides}
    runs = _runs(tuple(setting.items()))
    seen = np.corrcoef(_estimates(metric, runs))[0, 1]
    found = np.array([two.correlation(metric) for two in runs])
    # What is taken off for validity makes a positive one smaller, and leaves a negative one.
    assert seen - 0.12 < found.mean() < seen + 0.06
    assert (found.mean() < -0.2) == (change_sides > 0.5)


def test_correlation_of_aucs_is_delongs() -> None:
    # DeLong, DeLong and Clarke-Pearson 1988, equations 4 to 6, pair by pair of rows.
    two = _two(np.random.default_rng(1), members=3000, nonmembers=2500)
    rows = two.shared
    member = rows.current_member
    placed = []
    for bins in (rows.current_bins, rows.baseline_bins):
        x, y = bins[member][:, None], bins[~member][None, :]
        wins = (x > y) + 0.5 * (x == y)
        placed.append((wins.mean(axis=1), wins.mean(axis=0)))
    covariance = sum(
        np.cov(placed[0][side], placed[1][side]) / len(placed[0][side]) for side in (0, 1)
    )
    expected = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    # Taken off for validity: 2 rows of some 3,000, and a standard error.
    assert expected - 0.01 < two.correlation(Auc()) < expected


def _only(two: Two, which: NDArray[np.bool_], weight: float = 1.0) -> Two:
    """The same measurements, of which fewer rows are known to be shared."""
    rows = two.shared
    shared = SharedRows(
        rows.current_bins[which],
        rows.current_member[which],
        rows.baseline_bins[which],
        rows.baseline_member[which],
        weight,
    )
    return dataclasses.replace(two, shared=shared)


def test_rows_not_shared_do_not_correlate() -> None:
    two = _two(np.random.default_rng(1))
    number = np.arange(len(two.shared.current_bins))
    whole = two.correlation(Auc())
    assert 0.35 * whole < _only(two, number % 2 == 0).correlation(Auc()) < 0.65 * whole
    assert _only(two, number < 0).correlation(Auc()) == 0.0


def test_a_sample_of_the_shared_rows_stands_for_them() -> None:
    rng = np.random.default_rng(1)
    two = _two(rng, members=60_000, nonmembers=30_000)
    sample = _only(two, rng.random(len(two.shared.current_bins)) < 0.25, weight=4.0)
    for metric in METRICS:
        # Two standard errors of sampling are taken off.
        whole = two.correlation(metric)
        assert whole - 0.06 < sample.correlation(metric) < whole


def test_difference_is_mover_by_hand() -> None:
    # Down: .10 and .11, .01 + .0121 - 2 * .5 * .011 = .0111. Up: .08 and .08, together .08.
    found = difference(Interval(0.7, 0.6, 0.78), Interval(0.5, 0.42, 0.61), 0.5)
    assert found.estimate == pytest.approx(0.2)
    assert found.lower == pytest.approx(0.2 - np.sqrt(0.0111))
    assert found.upper == pytest.approx(0.28)


@pytest.mark.parametrize("metric", METRICS, ids=metric_key)
def test_the_same_scores_again_have_not_changed(metric: Metric) -> None:
    two = _two(np.random.default_rng(2), r=1.0, shifts=(0.5, 0.5))
    paired = two.change(metric, two.correlation(metric))
    unpaired = two.change(metric, 0.0)
    assert paired.estimate == 0.0
    assert paired.lower <= 0.0 <= paired.upper
    assert 0.0 < paired.upper - paired.lower < 0.75 * (unpaired.upper - unpaired.lower)


def _misses(metric: Metric, setting: dict[str, object], width: float = 1.0) -> tuple[int, int]:
    shifts = setting.get("shifts", (0.36, 0.18))
    truth = _truth(metric, shifts[0], setting.get("raised", 0.0)) - _truth(metric, shifts[1])
    below = above = 0
    for two in _runs(tuple(setting.items())):
        found = two.change(metric, two.correlation(metric))
        below += truth < found.estimate - width * (found.estimate - found.lower) - 1e-9
        above += truth > found.estimate + width * (found.upper - found.estimate) + 1e-9
    return below, above


SETTINGS: dict[str, dict[str, object]] = {
    "a rise": {"r": 0.9},
    "a rise, nearly the same scores": {"r": 0.99},
    "no change": {"r": 0.9, "shifts": (0.5, 0.5)},
    # Few rows differ, and some samples have none of them: without what is taken off for those the
    # AUC's interval misses 16% above.
    "the same scores but of 1% of members": {"r": 1.0, "shifts": (0.0, 0.0), "raised": 0.01},
}


def _is_too_many(misses: int) -> bool:
    level = 0.001 / (2 * len(METRICS) * len(SETTINGS))
    return bool(stats.binomtest(misses, RUNS, ALPHA, alternative="greater").pvalue < level)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("metric", METRICS, ids=metric_key)
def test_misses_are_as_rare_as_stated(metric: Metric, name: str) -> None:
    below, above = _misses(metric, SETTINGS[name])
    assert not _is_too_many(below)
    assert not _is_too_many(above)


def test_half_the_width_is_noticed() -> None:
    found = [_misses(Auc(), setting, width=0.5) for setting in SETTINGS.values()]
    assert any(_is_too_many(below) for below, _ in found)
    assert any(_is_too_many(above) for _, above in found)


def test_an_epsilon_has_no_change() -> None:
    two = _two(np.random.default_rng(0))
    with pytest.raises(ValueError, match="epsilon has no change"):
        two.change(Epsilon(), 0.0)
    with pytest.raises(ValueError, match="epsilon has no change"):
        two.correlation(Epsilon())


def test_wrong_arguments_are_named() -> None:
    two = _two(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"correlation: found 1\.5, expected .* \[-1, 1\]"):
        two.change(Auc(), 1.5)
    one = np.array([True])
    beyond = SharedRows(np.array([BINS]), one, np.array([0]), one, weight=1.0)
    with pytest.raises(ValueError, match=rf"found bins {BINS} to {BINS}, expected 0 to {BINS - 1}"):
        dataclasses.replace(two, shared=beyond).correlation(Auc())


def test_the_smallest_change_found_by_hand() -> None:
    # 1.95996 standard errors are .02; .84162 more are found by 80%.
    found = smallest_change_found(Interval(0.5, 0.48, 0.52), ALPHA, 0.8)
    assert found == pytest.approx(0.02 * (1.959964 + 0.841621) / 1.959964)
    with pytest.raises(ValueError, match=r"power: found 1\.2"):
        smallest_change_found(Interval(0.5, 0.48, 0.52), ALPHA, 1.2)


def test_the_smallest_change_found_is_found_as_often_as_said() -> None:
    runs = [_two(np.random.default_rng(3 + i), shifts=(0.3, 0.3)) for i in range(100)]
    changes = [two.change(Auc(), two.correlation(Auc())) for two in runs]
    smallest = np.mean([smallest_change_found(one, ALPHA, 0.8) for one in changes])
    # An AUC of Phi((.3 + x) / sqrt(2)) that lies so far above the baseline's.
    more = np.sqrt(2) * stats.norm.ppf(stats.norm.cdf(0.3 / np.sqrt(2)) + smallest)
    found = [
        two.change(Auc(), two.correlation(Auc())).lower > 0
        for two in (_two(np.random.default_rng(900 + i), shifts=(more, 0.3)) for i in range(200))
    ]
    assert 0.7 < np.mean(found) < 0.9


def test_which_metrics_have_a_change() -> None:
    assert [has_change(metric) for metric in (*METRICS, Epsilon(0.0))] == [True] * 5 + [False]
