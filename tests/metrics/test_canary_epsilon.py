"""The lower bound of epsilon from canaries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from tfx_privacy.metrics.canary_epsilon import CanaryEpsilon, one_run_p_value
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.metrics.measure import largest_attainable


def _guessed(canaries: int, guesses: int, right: int) -> tuple[ScoreCounts, Thresholds]:
    """Half of the canaries in, all guesses "in" in the upper of three bins."""
    wrong = guesses - right
    half = canaries // 2
    counts = ScoreCounts(
        members=np.array([0, half - right, right]),
        nonmembers=np.array([0, canaries - half - wrong, wrong]),
    )
    return counts, Thresholds(member=1, epsilon=1, guess_in=2, guess_out=0)


def _bound(canaries: int, guesses: int, right: int, delta: float, alpha: float) -> float:
    counts, thresholds = _guessed(canaries, guesses, right)
    return CanaryEpsilon(delta).measure(counts, thresholds, alpha).lower


@pytest.mark.parametrize(
    ("canaries", "guesses", "right", "epsilon", "delta", "expected"),
    [
        # jax_privacy 2.0.0, auditing._one_run_p_value, which is the paper's pseudo-code.
        (100, 50, 40, 0.5, 0.0, 0.005629515062134206),
        (100, 50, 40, 0.5, 1e-5, 0.005770995109684764),
        (1000, 200, 150, 0.8, 1e-4, 0.04633933840937585),
        (1000, 1000, 600, 0.2, 1e-5, 0.0010232412152254599),
        (20, 20, 20, 1.0, 1e-3, 0.006788056788860906),
        (50, 10, 7, 0.0, 1e-3, 0.19443359375),
    ],
)
def test_p_values_are_those_of_jax_privacy(
    canaries: int, guesses: int, right: int, epsilon: float, delta: float, expected: float
) -> None:
    found = one_run_p_value(canaries, guesses, right, epsilon, delta)
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_p_value_by_hand() -> None:
    # Three guesses of four canaries, two right, epsilon 0, delta .01: W is Bin(3, 1/2).
    # P[W >= 2] = 1/2; P[2 > W >= 1] / 1 = 3/8, P[2 > W >= 0] / 2 = 1/4; 2 * 4 * .01 * 3/8 = .03.
    assert one_run_p_value(4, 3, 2, 0.0, 0.01) == pytest.approx(0.53)
    assert one_run_p_value(4, 3, 0, 0.0, 0.01) == 1.0


@pytest.mark.parametrize(
    ("canaries", "guesses", "right", "alpha", "expected"),
    [
        # jax_privacy 2.0.0, auditing._epsilon_one_run at delta 0 (to its tolerance of 1e-6).
        (100, 50, 40, 0.05, 0.7740850997716243),
        (1000, 200, 150, 0.025, 0.772387681628213),
    ],
)
def test_bounds_without_delta_are_those_of_jax_privacy(
    canaries: int, guesses: int, right: int, alpha: float, expected: float
) -> None:
    assert _bound(canaries, guesses, right, 0.0, alpha) == pytest.approx(expected, abs=3e-6)


@pytest.mark.parametrize("guesses", [10, 20, 50])
def test_all_guesses_right_by_hand(guesses: int) -> None:
    # P[W >= r] = q^r = .05.
    share = 0.05 ** (1 / guesses)
    expected = math.log(share / (1 - share))
    assert _bound(100, guesses, guesses, 0.0, 0.05) == pytest.approx(expected)


def test_in_and_out_are_guessed_together() -> None:
    # In: 9 right, 1 wrong; out: 18 right, 2 wrong; 70 canaries without a guess.
    counts = ScoreCounts(np.array([2, 39, 9]), np.array([18, 31, 1]))
    thresholds = Thresholds(member=1, epsilon=1, guess_in=2, guess_out=1)
    found = CanaryEpsilon(0.0).measure(counts, thresholds, 0.025)
    low = stats.binomtest(27, 30).proportion_ci(0.95, method="exact").low
    assert found.lower == pytest.approx(special.logit(low))
    assert (found.estimate, found.upper) == (found.lower, math.inf)


def test_delta_costs_and_each_term_keeps_its_part_of_the_error() -> None:
    without = _bound(1000, 200, 150, 0.0, 0.025)
    small = _bound(1000, 200, 150, 1e-7, 0.025)
    large = _bound(1000, 200, 150, 1e-4, 0.025)
    assert without > small > large > 0.0
    # Three quarters of the error for the binomial, from SciPy; delta's term is far below its own.
    low = stats.binomtest(150, 200).proportion_ci(1 - 2 * 0.75 * 0.025, method="exact").low
    assert small == pytest.approx(special.logit(low))
    # Where delta's term decides, it is a quarter: 2 m delta max_i P[v > W >= v - i] / i by SciPy.
    right = np.arange(1, 151)
    coin = stats.binom(200, special.expit(large))
    leap = ((coin.sf(149 - right) - coin.sf(149)) / right).max()
    assert 2 * 1000 * 1e-4 * leap == pytest.approx(0.025 / 4, rel=1e-6)


@pytest.mark.parametrize("delta", [1e-6, 1e-5, 1e-4])
def test_never_above_the_papers_bound(delta: float) -> None:
    # It keeps more: at its bound the paper's p-value is at most alpha.
    bound = _bound(1000, 200, 160, delta, 0.025)
    assert bound > 0.0
    assert one_run_p_value(1000, 200, 160, bound, delta) <= 0.025 + 1e-9


def test_what_so_many_canaries_can_show() -> None:
    share = 0.025 ** (1 / 200)
    expected = math.log(share / (1 - share))
    assert largest_attainable(CanaryEpsilon(0.0), 110, 90, 0.025) == pytest.approx(expected)


def test_the_bins_of_guesses_suit_a_leak_of_few() -> None:
    # A tenth of the canaries is memorised and stands out; nothing tells who was left out.
    rng = np.random.default_rng(5)
    bounds = []
    for _ in range(40):
        rows = []
        for n in (500, 1000):
            member = rng.random(n) < 0.5
            rows.append((rng.standard_normal(n) + 8.0 * (member & (rng.random(n) < 0.2)), member))
        edges = choose_edges(*rows[0])
        counts = count_scores(*rows[1], edges)
        bounds.append(CanaryEpsilon(0.0).measure(counts, edges.thresholds, 0.025).lower)
    # About a hundred right guesses: q^100 = .025 gives 3.3; guessing all would give about .2.
    assert np.mean(bounds) > 2.4


def test_the_bins_of_guesses_suit_two_halves() -> None:
    # Randomised response by the coin itself, right in 73%: epsilon 1, and every guess counts.
    rng = np.random.default_rng(6)
    bounds = []
    for _ in range(20):
        rows = []
        for n in (1000, 2000):
            member = rng.random(n) < 0.5
            wrong = rng.random(n) > special.expit(1.0)
            rows.append(((member ^ wrong).astype(np.float64), member))
        edges = choose_edges(*rows[0])
        counts = count_scores(*rows[1], edges)
        bounds.append(CanaryEpsilon(0.0).measure(counts, edges.thresholds, 0.025).lower)
    # All guessed: logit of Clopper-Pearson's bound of 1462 / 2000, .899.
    low = stats.binomtest(1462, 2000).proportion_ci(0.95, method="exact").low
    assert special.logit(low) == pytest.approx(0.90, abs=0.005)
    assert np.mean(bounds) > 0.83


def test_scores_that_hang_together_do_not_raise_the_error() -> None:
    # One common shift for all scores of a run, and no leak.
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(400):
        member = rng.random(300) < 0.5
        scores = rng.standard_normal() + 0.01 * rng.standard_normal(300)
        fit = np.arange(300) < 100
        edges = choose_edges(scores[fit], member[fit])
        counts = count_scores(scores[~fit], member[~fit], edges)
        missed += CanaryEpsilon(0.0).measure(counts, edges.thresholds, 0.025).lower > 0.0
    assert missed <= 22  # binomial(400, .025): 23 or more has probability .0003


@pytest.mark.parametrize(("members", "nonmembers"), [(1000, 500), (60, 10), (10, 60)])
def test_sides_that_no_fair_coin_makes_are_refused(members: int, nonmembers: int) -> None:
    counts = ScoreCounts(np.array([0, members]), np.array([nonmembers, 0]))
    assert stats.binomtest(members, members + nonmembers).pvalue < 1e-6
    message = f"found {members} members and {nonmembers} non-members, expected canaries"
    with pytest.raises(ValueError, match=message):
        CanaryEpsilon(0.0).measure(counts, Thresholds.all_at(1), 0.025)


def test_sides_that_a_fair_coin_makes_rarely_are_not_refused() -> None:
    assert stats.binomtest(70, 110).pvalue > 1e-6
    counts = ScoreCounts(np.array([0, 70]), np.array([40, 0]))
    assert CanaryEpsilon(0.0).measure(counts, Thresholds.all_at(1), 0.025).lower > 0.0


def test_one_canary_a_side_and_no_guess_show_nothing() -> None:
    one = ScoreCounts(np.array([0, 1]), np.array([1, 0]))
    assert CanaryEpsilon(1e-5).measure(one, Thresholds.all_at(1), 0.025).lower == 0.0
    silent = Thresholds(member=1, epsilon=1, guess_in=2, guess_out=0)
    assert CanaryEpsilon(0.0).measure(one, silent, 0.025).lower == 0.0


def test_guesses_that_overlap_are_refused() -> None:
    one = ScoreCounts(np.array([0, 1]), np.array([1, 0]))
    with pytest.raises(ValueError, match="guess_out: found bin 2, expected at most guess_in, 1"):
        CanaryEpsilon(0.0).measure(one, Thresholds(1, 1, guess_in=1, guess_out=2), 0.025)


@pytest.mark.parametrize("delta", [-0.1, 1.0, float("nan")])
def test_delta_out_of_range_is_named(delta: float) -> None:
    with pytest.raises(ValueError, match=r"canary_epsilon: found delta .*, expected a number in"):
        CanaryEpsilon(delta)
