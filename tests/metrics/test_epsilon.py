"""The lower bound of epsilon from rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.metrics.epsilon import Epsilon, epsilon_of_rates
from tfx_privacy.metrics.measure import largest_attainable


def _counts(members: list[int], nonmembers: list[int]) -> ScoreCounts:
    return ScoreCounts(np.array(members), np.array(nonmembers))


def _bound(counts: ScoreCounts, alpha: float, delta: float = 0.0, bin_: int = 1) -> float:
    return Epsilon(delta).measure(counts, Thresholds.all_at(bin_), alpha).lower


@pytest.mark.parametrize(
    ("members", "nonmembers", "alpha", "delta", "expected"),
    [
        # jax_privacy 2.0.0, CanaryScoreAuditor.epsilon_clopper_pearson(alpha, delta,
        # one_sided=False, threshold_strategy=Explicit(1)), the same counts as scores 0 and 1.
        ([40, 60], [90, 10], 0.05, 0.0, 1.0372628075841552),
        ([40, 60], [90, 10], 0.05, 0.01, 1.0169455420847555),
        ([5, 495], [400, 100], 0.05, 0.0, 3.4928699886563677),
        ([367, 300], [331, 2], 0.025, 1e-5, 2.8218772118959796),
        ([50, 50], [50, 50], 0.05, 0.0, 0.0),
    ],
)
def test_bounds_are_those_of_jax_privacy(
    members: list[int], nonmembers: list[int], alpha: float, delta: float, expected: float
) -> None:
    assert _bound(_counts(members, nonmembers), alpha, delta) == pytest.approx(expected, abs=1e-9)


def test_bounds_are_those_of_scipys_exact_intervals() -> None:
    # TPR 60/100, FPR 10/100; half of alpha = .05 each.
    tpr = stats.binomtest(60, 100).proportion_ci(0.95, method="exact")
    fpr = stats.binomtest(10, 100).proportion_ci(0.95, method="exact")
    expected = math.log((tpr.low - 0.001) / fpr.high)
    assert _bound(_counts([40, 60], [90, 10]), 0.05, 0.001) == pytest.approx(expected)


def test_the_epsilon_of_rates_by_hand() -> None:
    # TPR .5, FPR .1: log 5 against log(.9 / .5). TPR .9, FPR .5: the other way around.
    assert epsilon_of_rates(0.5, 0.9, 0.0) == pytest.approx(math.log(5.0))
    assert epsilon_of_rates(0.9, 0.5, 0.0) == pytest.approx(math.log(5.0))
    assert epsilon_of_rates(0.5, 0.9, 0.1) == pytest.approx(math.log(4.0))
    assert epsilon_of_rates(0.0, 0.0, 0.1) == 0.0


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0])
def test_randomised_response_has_its_own_epsilon(epsilon: float) -> None:
    # Kairouz et al. 2015: the answer is right with probability e^epsilon / (1 + e^epsilon).
    right = math.exp(epsilon) / (1.0 + math.exp(epsilon))
    assert epsilon_of_rates(right, right, 0.0) == pytest.approx(epsilon)


def test_a_bound_from_below_alone() -> None:
    interval = Epsilon().measure(_counts([40, 60], [90, 10]), Thresholds.all_at(1), 0.025)
    assert interval.estimate == interval.lower
    assert interval.upper == math.inf
    assert Epsilon().ceiling == math.inf
    assert Epsilon().no_leak == 0.0


def test_it_decides_at_its_own_threshold() -> None:
    counts = _counts([10, 50, 40], [50, 49, 1])
    thresholds = Thresholds(member=1, epsilon=2, guess_in=1, guess_out=1)
    found = Epsilon().measure(counts, thresholds, 0.025)
    assert found == Epsilon().measure(counts, Thresholds.all_at(2), 0.025)
    assert found != Epsilon().measure(counts, Thresholds.all_at(1), 0.025)


@pytest.mark.parametrize(("nonmembers", "expected"), [(333, 4.5), (3333, 6.8), (33333, 9.1)])
def test_what_so_many_rows_can_show(nonmembers: int, expected: float) -> None:
    # 4.5, 6.8 and 9.1: None of n seen, at .025: log(n / 3.69). The error of each rate is half of
    # alpha, and with twice as many members the other direction shows log 2 more.
    largest = largest_attainable(Epsilon(), nonmembers, nonmembers, 0.05)
    assert largest == pytest.approx(expected, abs=0.05)
    both = largest_attainable(Epsilon(), 2 * nonmembers, nonmembers, 0.05)
    assert both == pytest.approx(expected + math.log(2), abs=0.06)


@pytest.mark.parametrize(
    ("area", "runs", "members", "expected", "within"),
    [
        # The mean of such bounds, with FIT half as large: .10, .41 and 1.0, 1.8.
        (0.5, 60, 667, 0.0, 0.01),
        (0.6, 60, 667, 0.10, 0.06),
        (0.6, 24, 6667, 0.41, 0.06),
        (0.75, 60, 667, 1.0, 0.1),
        (0.75, 24, 6667, 1.8, 0.1),
    ],
)
def test_bounds_at_the_threshold_of_fit_rows(
    area: float, runs: int, members: int, expected: float, within: float
) -> None:
    rng = np.random.default_rng(12)
    shift = math.sqrt(2) * stats.norm.ppf(area)
    bounds = []
    for _ in range(runs):
        sides = []
        for rows in (members // 2, members):
            member = np.arange(rows + rows // 2) < rows
            sides.append((rng.standard_normal(len(member)) + shift * member, member))
        edges = choose_edges(*sides[0])
        counts = count_scores(*sides[1], edges)
        bounds.append(Epsilon().measure(counts, edges.thresholds, 0.05).lower)
    assert np.mean(bounds) == pytest.approx(expected, abs=within)


def test_one_record_a_side_shows_nothing() -> None:
    assert _bound(_counts([0, 1], [1, 0]), 0.025) == 0.0


def test_equal_scores_show_nothing() -> None:
    scores, member = np.full(100, 2.5), np.arange(100) < 50
    edges = choose_edges(scores, member)
    counts = count_scores(scores, member, edges)
    assert Epsilon().measure(counts, edges.thresholds, 0.025).lower == 0.0


@pytest.mark.parametrize("delta", [-0.1, 1.0, 2.0, float("nan")])
def test_delta_out_of_range_is_named(delta: float) -> None:
    with pytest.raises(ValueError, match=r"epsilon: found delta .*, expected a number in \[0, 1\)"):
        Epsilon(delta)
