"""What holds for every metric and any counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.metrics.edges import count_scores
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import DEFAULT_METRICS, metric_key

_BINS = 6
_SIDE = st.lists(st.integers(0, 400) | st.just(0), min_size=_BINS, max_size=_BINS).filter(
    lambda side: sum(side) > 0
)


def _as_counts(sides: tuple[list[int], list[int]]) -> ScoreCounts:
    return ScoreCounts(np.array(sides[0]), np.array(sides[1]))


_COUNTS = st.tuples(_SIDE, _SIDE).map(_as_counts)


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


@settings(max_examples=60)
@given(counts=_COUNTS, threshold_bin=st.integers(0, _BINS), alpha=st.floats(1e-10, 0.49))
@pytest.mark.parametrize("metric", DEFAULT_METRICS, ids=metric_key)
def test_estimates_lie_between_their_bounds(
    metric: Metric, counts: ScoreCounts, threshold_bin: int, alpha: float
) -> None:
    interval = metric.measure(counts, Thresholds.all_at(threshold_bin), alpha)
    assert 0.0 <= interval.lower <= interval.estimate <= interval.upper <= 1.0
    assert interval.lower < interval.upper


@settings(max_examples=60)
@given(
    counts=_COUNTS,
    threshold_bin=st.integers(0, _BINS),
    alphas=st.lists(st.floats(1e-10, 0.49), min_size=2, max_size=2).map(sorted),
)
@pytest.mark.parametrize("metric", DEFAULT_METRICS, ids=metric_key)
def test_a_smaller_error_widens_the_interval(
    metric: Metric, counts: ScoreCounts, threshold_bin: int, alphas: list[float]
) -> None:
    wide, narrow = (
        metric.measure(counts, Thresholds.all_at(threshold_bin), alpha) for alpha in alphas
    )
    assert wide.lower <= narrow.lower + 1e-12
    assert wide.upper >= narrow.upper - 1e-12
    assert wide.estimate == narrow.estimate


@pytest.mark.parametrize("metric", DEFAULT_METRICS, ids=metric_key)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, -0.1, float("nan")])
def test_an_error_that_no_interval_has_is_named(metric: Metric, alpha: float) -> None:
    counts = ScoreCounts(np.array([1, 2]), np.array([2, 1]))
    with pytest.raises(ValueError, match=r"alpha: found .*, expected a number in"):
        metric.measure(counts, 1, alpha)


@pytest.mark.parametrize("metric", DEFAULT_METRICS, ids=metric_key)
def test_an_empty_side_is_named(metric: Metric) -> None:
    with pytest.raises(ValueError, match="found 0 members and 3 non-members"):
        metric.measure(ScoreCounts(np.array([0, 0]), np.array([2, 1])), Thresholds.all_at(1), 0.025)
