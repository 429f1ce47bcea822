"""Edges, bins and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.metrics.edges import MAX_BINS, bin_scores, choose_edges, count_bins, count_scores
from tfx_privacy.metrics.resolution import resolution
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr


def _normal_scores(
    rng: np.random.Generator, members: int, nonmembers: int, shift: float
) -> tuple[np.ndarray, np.ndarray]:
    member = np.arange(members + nonmembers) < members
    return rng.standard_normal(members + nonmembers) + shift * member, member


def test_bins_are_closed_below() -> None:
    edges = ScoreEdges(np.array([0.0, 1.0]), Thresholds.all_at(1))
    assert bin_scores(np.array([-0.5, 0.0, 0.5, 1.0, 9.0]), edges).tolist() == [0, 1, 1, 2, 2]


def test_counts_by_hand() -> None:
    edges = ScoreEdges(np.array([0.0, 1.0]), Thresholds.all_at(1))
    scores = np.array([-0.5, 0.0, 0.5, 1.0, 9.0])
    member = np.array([True, False, True, True, False])
    counts = count_scores(scores, member, edges)
    assert counts.members.tolist() == [1, 1, 1]
    assert counts.nonmembers.tolist() == [0, 1, 1]


def test_few_values_each_have_a_bin() -> None:
    scores = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.5])
    member = np.array([True, False, True, True, False, False])
    edges = choose_edges(scores, member)
    assert edges.edges.tolist() == [0.0, 0.5, 1.0]
    # At 1.0: TPR 2/3, FPR 1/3. At 0.5: 2/3 and 2/3.
    assert edges.thresholds.member == 3


def test_all_equal_scores() -> None:
    edges = choose_edges(np.full(10, 2.5), np.arange(10) < 4)
    assert edges.edges.tolist() == [2.5]
    assert edges.thresholds.member == 1
    assert count_scores(np.full(3, 2.5), np.array([True, True, False]), edges).members.tolist() == [
        0,
        2,
    ]


def test_tails_are_resolved() -> None:
    rng = np.random.default_rng(0)
    scores, member = _normal_scores(rng, 60_000, 30_000, 0.36)
    edges = choose_edges(scores, member)
    assert edges.bins <= MAX_BINS
    assert (np.diff(edges.edges) > 0).all()
    judge_scores, judge_member = _normal_scores(rng, 120_000, 60_000, 0.36)
    counts = count_scores(judge_scores, judge_member, edges)
    # No step of the curve near a rate of .001 is larger than a fifth of it.
    fpr = np.cumsum(counts.nonmembers[::-1]) / counts.n_nonmembers
    assert np.diff(fpr[fpr < 2e-3]).max() < 2e-4
    assert resolution(counts) < 1e-3
    for rate in (0.1, 0.01, 0.001):
        truth = stats.norm.cdf(stats.norm.ppf(rate) + 0.36)
        interval = TprAtFpr(rate).measure(counts, edges.thresholds.member, 0.001)
        assert interval.lower < truth < interval.upper


def test_a_small_side_keeps_its_tail() -> None:
    rng = np.random.default_rng(1)
    scores, member = _normal_scores(rng, 100_000, 500, 0.0)
    edges = choose_edges(scores, member)
    top = np.sort(scores[~member])[-10:]
    assert np.isin(top, edges.edges).all()


def test_heavy_ties_keep_their_bin() -> None:
    rng = np.random.default_rng(4)
    scores, member = _normal_scores(rng, 20_000, 10_000, 0.0)
    scores[rng.random(len(scores)) < 0.4] = 3.0
    edges = choose_edges(scores, member)
    assert 3.0 in edges.edges
    assert edges.bins <= MAX_BINS


def test_threshold_maximises_the_gain_on_the_given_rows() -> None:
    rng = np.random.default_rng(6)
    scores, member = _normal_scores(rng, 20_000, 20_000, 1.0)
    edges = choose_edges(scores, member)
    # Between two unit normals half way is best.
    assert edges.edges[edges.thresholds.member - 1] == pytest.approx(0.5, abs=0.15)


def test_order_of_rows_is_irrelevant() -> None:
    rng = np.random.default_rng(7)
    scores, member = _normal_scores(rng, 3000, 2000, 0.5)
    order = rng.permutation(5000)
    there, back = choose_edges(scores, member), choose_edges(scores[order], member[order])
    assert there.edges.tolist() == back.edges.tolist()
    assert there.thresholds == back.thresholds


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers(wrong: float) -> None:
    scores, member = np.array([0.0, wrong, 1.0]), np.array([True, False, True])
    with pytest.raises(ValueError, match="found NaN or infinity in 1 of 3 rows"):
        choose_edges(scores, member)
    with pytest.raises(ValueError, match="found NaN or infinity in 1 of 3 rows"):
        count_scores(scores, member, ScoreEdges(np.array([0.5]), 1))


def test_an_empty_side_is_named() -> None:
    with pytest.raises(ValueError, match="found scores of 2 members and 0 non-members"):
        choose_edges(np.array([0.0, 1.0]), np.array([True, True]))


def test_resolution_by_hand() -> None:
    # Bins hold 1/2, 1/2 of the members and 1/4, 3/4 of the others: (1/8 + 3/8) / 2.
    assert resolution(ScoreCounts(np.array([5, 5]), np.array([1, 3]))) == 0.25


def test_bins_that_are_known_are_counted_alike() -> None:
    member = np.array([True, False, True, True, False])
    counts = count_bins(np.array([0, 1, 1, 2, 2]), member, 4)
    assert counts.members.tolist() == [1, 1, 1, 0]
    assert counts.nonmembers.tolist() == [0, 1, 1, 0]


def test_bins_outside_or_of_other_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="found 0 to 2, expected 0 to 1"):
        count_bins(np.array([0, 2]), np.array([True, False]), 2)
    with pytest.raises(ValueError, match="expected one value a row in both"):
        count_bins(np.array([0, 1]), np.array([True]), 2)
