"""Bars from counts; expected bars are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.reports.histogram import histogram


def _counts(members, nonmembers):
    return ScoreCounts(np.array(members, np.int64), np.array(nonmembers, np.int64))


def _edges(number, threshold_bin):
    return ScoreEdges(np.arange(1, number + 1, dtype=np.float64), Thresholds.all_at(threshold_bin))


def test_bins_of_equal_weight_stay_as_they_are():
    bars = histogram(_counts([10, 20, 30, 40], [40, 30, 20, 10]), _edges(3, threshold_bin=2))
    assert bars.starts.tolist() == [1, 2, 3]
    assert bars.members.tolist() == [10, 20, 30, 40]
    assert bars.nonmembers.tolist() == [40, 30, 20, 10]
    assert bars.threshold_bar == 2


def test_members_and_nonmembers_weigh_alike_whatever_their_numbers():
    # 40 records of the smaller side make two bars; half of all weight is below bin 2.
    bars = histogram(_counts([0, 500, 0, 500], [0, 20, 10, 10]), _edges(3, threshold_bin=0))
    assert bars.starts.tolist() == [2]
    assert bars.members.tolist() == [500, 500]
    assert bars.nonmembers.tolist() == [20, 20]


def test_a_score_that_many_share_keeps_one_bar():
    bars = histogram(_counts([0, 100], [30, 70]), _edges(1, threshold_bin=1))
    assert bars.members.tolist() == [0, 100]
    assert bars.nonmembers.tolist() == [30, 70]
    assert bars.threshold_bar == 1


def test_scores_that_are_all_equal_are_one_bar_without_a_threshold():
    bars = histogram(_counts([0, 100], [0, 100]), _edges(1, threshold_bin=1))
    assert bars.members.tolist() == [100]
    assert bars.starts.tolist() == []
    assert bars.threshold_bar == 0


@pytest.mark.parametrize("threshold_bin", [0, 1, 700, 1999, 2000])
def test_no_record_is_lost_and_bars_hold_like_shares(threshold_bin):
    random = np.random.default_rng(1)
    counts = _counts(random.integers(0, 9, 2000), random.integers(0, 5, 2000))
    bars = histogram(counts, _edges(1999, threshold_bin))
    assert bars.members.sum() == counts.n_members
    assert bars.nonmembers.sum() == counts.n_nonmembers
    weight = bars.members / counts.n_members / 2 + bars.nonmembers / counts.n_nonmembers / 2
    assert 19 <= bars.bars <= 21
    if threshold_bin == 700:
        assert bars.starts[bars.threshold_bar - 1] == 700
        np.testing.assert_allclose(weight, 0.05, atol=0.005)


def test_few_records_make_few_bars():
    counts = _counts(np.ones(60), np.ones(60))
    assert histogram(counts, _edges(59, threshold_bin=0)).bars == 3
