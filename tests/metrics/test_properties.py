"""What holds for every metric and any counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfx_privacy.metrics.advantage import max_in_sample
from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.canary_epsilon import CanaryEpsilon, one_run_p_value
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.metrics.edges import bin_scores, choose_edges, count_scores
from tfx_privacy.metrics.epsilon import Epsilon
from tfx_privacy.metrics.measure import largest_attainable
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import DEFAULT_METRICS, metric_key
from tfx_privacy.metrics.roc import Roc

_METRICS = (*DEFAULT_METRICS, BalancedAccuracy(), Epsilon(1e-3), CanaryEpsilon(1e-3))
_BINS = 6
_SIDE = st.lists(st.integers(0, 400) | st.just(0), min_size=_BINS, max_size=_BINS).filter(
    lambda side: sum(side) > 0
)


def _as_counts(sides: tuple[list[int], list[int]]) -> ScoreCounts:
    return ScoreCounts(np.array(sides[0]), np.array(sides[1]))


_COUNTS = st.tuples(_SIDE, _SIDE).map(_as_counts)


def _suit(metric: Metric, counts: ScoreCounts) -> ScoreCounts:
    """For canaries, counts of which a fair coin could be the reason: both sides as large."""
    if not isinstance(metric, CanaryEpsilon):
        return counts
    return counts + ScoreCounts(counts.nonmembers[::-1], counts.members[::-1])


def _same(one: ScoreCounts, other: ScoreCounts) -> bool:
    return bool((one.members == other.members).all() and (one.nonmembers == other.nonmembers).all())


@given(_COUNTS, _COUNTS, _COUNTS)
def test_merging_is_associative_and_commutative(
    a: ScoreCounts, b: ScoreCounts, c: ScoreCounts
) -> None:
    assert _same(a + b, b + a)
    assert _same((a + b) + c, a + (b + c))


@given(st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1), st.randoms())
def test_order_of_rows_is_irrelevant(rows: list[tuple[float, bool]], random: object) -> None:
    edges = ScoreEdges(np.array([-2.0, 0.0, 0.5, 3.0]), Thresholds.all_at(2))
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    there, back = (
        count_scores(np.array([s for s, _ in r]), np.array([m for _, m in r]), edges)
        for r in (rows, shuffled)
    )
    assert _same(there, back)


@given(_COUNTS)
def test_swapping_sides_mirrors_the_auc(counts: ScoreCounts) -> None:
    assert auc(ScoreCounts(counts.nonmembers, counts.members)) == pytest.approx(1 - auc(counts))


@given(_COUNTS)
def test_swapping_sides_mirrors_the_curve(counts: ScoreCounts) -> None:
    # Points (FPR, TPR) become (TPR, FPR).
    there = Roc.from_counts(counts)
    back = Roc.from_counts(ScoreCounts(counts.nonmembers, counts.members))
    assert back.fpr.tolist() == there.tpr.tolist()
    assert back.tpr.tolist() == there.fpr.tolist()


@given(_COUNTS)
def test_turning_scores_around_mirrors_the_auc(counts: ScoreCounts) -> None:
    negated = ScoreCounts(counts.members[::-1], counts.nonmembers[::-1])
    assert auc(negated) == pytest.approx(1 - auc(counts))
    # And both at once change nothing, neither the AUC nor the largest advantage.
    both = ScoreCounts(counts.nonmembers[::-1], counts.members[::-1])
    assert auc(both) == pytest.approx(auc(counts))
    assert max_in_sample(both) == pytest.approx(max_in_sample(counts))


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2).filter(
        lambda rows: 0 < sum(member for _, member in rows) < len(rows)
    )
)
def test_thresholds_are_edges_that_count_alike_in_parts(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in rows], dtype=np.float64)
    member = np.array([is_member for _, is_member in rows])
    edges = choose_edges(scores, member)
    found = edges.thresholds
    assert 1 <= found.member < edges.bins
    assert 1 <= found.epsilon < edges.bins
    assert 0 <= found.guess_out <= found.guess_in <= edges.bins
    assert found.guess_in >= 1
    assert bin_scores(scores, edges).min() == 1
    half = len(rows) // 2
    parts = count_scores(scores[:half], member[:half], edges) + count_scores(
        scores[half:], member[half:], edges
    )
    assert _same(parts, count_scores(scores, member, edges))


@settings(max_examples=60)
@given(counts=_COUNTS, threshold_bin=st.integers(0, _BINS), alpha=st.floats(1e-10, 0.49))
@pytest.mark.parametrize("metric", _METRICS, ids=metric_key)
def test_estimates_lie_between_their_bounds(
    metric: Metric, counts: ScoreCounts, threshold_bin: int, alpha: float
) -> None:
    interval = metric.measure(_suit(metric, counts), Thresholds.all_at(threshold_bin), alpha)
    assert 0.0 <= interval.lower <= interval.estimate <= interval.upper <= metric.ceiling
    assert interval.lower < interval.upper


@settings(max_examples=60)
@given(
    counts=_COUNTS,
    threshold_bin=st.integers(0, _BINS),
    alphas=st.lists(st.floats(1e-10, 0.49), min_size=2, max_size=2).map(sorted),
)
@pytest.mark.parametrize("metric", _METRICS, ids=metric_key)
def test_a_smaller_error_widens_the_interval(
    metric: Metric, counts: ScoreCounts, threshold_bin: int, alphas: list[float]
) -> None:
    wide, narrow = (
        metric.measure(_suit(metric, counts), Thresholds.all_at(threshold_bin), alpha)
        for alpha in alphas
    )
    assert wide.lower <= narrow.lower + 1e-9
    assert wide.upper >= narrow.upper - 1e-12
    # A bound from below alone is its own estimate.
    assert wide.estimate == (wide.lower if metric.ceiling == np.inf else narrow.estimate)


@given(
    counts=_COUNTS,
    thresholds=st.lists(st.integers(0, _BINS), min_size=2, max_size=2).map(sorted),
    alpha=st.floats(1e-10, 0.49),
    delta=st.just(0.0) | st.floats(1e-9, 0.9),
)
def test_an_epsilon_is_at_most_what_so_many_rows_can_show(
    counts: ScoreCounts, thresholds: list[int], alpha: float, delta: float
) -> None:
    bins = Thresholds(1, thresholds[0], guess_in=thresholds[1], guess_out=thresholds[0])
    for metric in (Epsilon(delta), CanaryEpsilon(delta)):
        suited = _suit(metric, counts)
        largest = largest_attainable(metric, suited.n_members, suited.n_nonmembers, alpha)
        assert metric.measure(suited, bins, alpha).lower <= largest + 1e-9


@given(
    counts=_COUNTS,
    threshold_bin=st.integers(0, _BINS),
    alpha=st.floats(1e-10, 0.49),
    deltas=st.lists(st.floats(0.0, 0.9), min_size=2, max_size=2).map(sorted),
)
def test_a_larger_delta_leaves_a_smaller_epsilon(
    counts: ScoreCounts, threshold_bin: int, alpha: float, deltas: list[float]
) -> None:
    for make in (Epsilon, CanaryEpsilon):
        more, less = (
            make(delta).measure(_suit(make(delta), counts), Thresholds.all_at(threshold_bin), alpha)
            for delta in deltas
        )
        assert less.lower <= more.lower + 1e-9


@given(
    counts=_COUNTS,
    threshold_bin=st.integers(0, _BINS),
    alpha=st.floats(1e-10, 0.49),
    delta=st.floats(0.0, 0.9),
)
def test_swapping_sides_and_turning_scores_around_changes_no_epsilon(
    counts: ScoreCounts, threshold_bin: int, alpha: float, delta: float
) -> None:
    mirrored = ScoreCounts(counts.nonmembers[::-1], counts.members[::-1])
    there = Epsilon(delta).measure(counts, Thresholds.all_at(threshold_bin), alpha)
    back = Epsilon(delta).measure(mirrored, Thresholds.all_at(_BINS - threshold_bin), alpha)
    assert back.lower == pytest.approx(there.lower, abs=1e-9)


@given(
    guesses=st.integers(1, 200),
    wrong=st.integers(0, 200),
    epsilons=st.lists(st.floats(0.0, 8.0), min_size=2, max_size=2).map(sorted),
)
def test_a_larger_epsilon_explains_more(guesses: int, wrong: int, epsilons: list[float]) -> None:
    right = max(0, guesses - wrong)
    less, more = (one_run_p_value(200, guesses, right, epsilon, 0.0) for epsilon in epsilons)
    assert less <= more + 1e-12


@pytest.mark.parametrize("metric", _METRICS, ids=metric_key)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, -0.1, float("nan")])
def test_an_error_that_no_interval_has_is_named(metric: Metric, alpha: float) -> None:
    counts = ScoreCounts(np.array([1, 2]), np.array([2, 1]))
    with pytest.raises(ValueError, match=r"alpha: found .*, expected a number in"):
        metric.measure(counts, Thresholds.all_at(1), alpha)


@pytest.mark.parametrize("metric", _METRICS, ids=metric_key)
def test_an_empty_side_is_named(metric: Metric) -> None:
    with pytest.raises(ValueError, match="found 0 members and 3 non-members"):
        metric.measure(ScoreCounts(np.array([0, 0]), np.array([2, 1])), Thresholds.all_at(1), 0.025)


@pytest.mark.parametrize("metric", _METRICS, ids=metric_key)
@pytest.mark.parametrize("apart", [True, False])
def test_one_record_a_side_says_next_to_nothing(metric: Metric, apart: bool) -> None:
    counts = ScoreCounts(np.array([0, 1]), np.array([1, 0]) if apart else np.array([0, 1]))
    interval = metric.measure(counts, Thresholds.all_at(1), 0.025)
    assert interval.lower <= metric.no_leak
    assert interval.upper - interval.lower > 0.45


@pytest.mark.parametrize("metric", _METRICS, ids=metric_key)
def test_equal_scores_are_no_leak(metric: Metric) -> None:
    scores, member = np.full(400, 2.5), np.arange(400) < 200
    edges = choose_edges(scores, member)
    interval = metric.measure(count_scores(scores, member, edges), edges.thresholds, 0.025)
    assert interval.lower <= metric.no_leak <= interval.upper
    assert interval.lower < interval.upper


_DECIDING = [m for m in _METRICS if m.spec().name not in ("auc", "tpr_at_fpr")]


@pytest.mark.parametrize("metric", _DECIDING, ids=metric_key)
def test_a_threshold_outside_the_bins_is_named(metric: Metric) -> None:
    counts = ScoreCounts(np.array([1, 2]), np.array([2, 1]))
    with pytest.raises(ValueError, match="threshold_bin: found 3, expected 0 to 2"):
        metric.measure(counts, Thresholds.all_at(3), 0.025)
