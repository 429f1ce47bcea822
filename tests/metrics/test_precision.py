"""Precision at a stated prior."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.precision import Precision

COUNTS = ScoreCounts(members=np.array([40, 60]), nonmembers=np.array([45, 5]))


def test_by_bayes_rule() -> None:
    # TPR .6, FPR .1: at even odds 6/7; at one member in ten .06 / (.06 + .09) = .4.
    assert Precision(0.5).measure(COUNTS, Thresholds.all_at(1), 0.025).estimate == pytest.approx(
        6 / 7
    )
    assert Precision(0.1).measure(COUNTS, Thresholds.all_at(1), 0.025).estimate == pytest.approx(
        0.4
    )


def test_sizes_of_the_samples_play_no_part() -> None:
    # Twice as many members, no leak: raw counts would give 2/3.
    counts = ScoreCounts(np.array([100, 100]), np.array([50, 50]))
    assert Precision(0.5).measure(counts, Thresholds.all_at(1), 0.025).estimate == 0.5


def test_bounds_are_those_of_the_rates_at_half_the_error() -> None:
    interval = Precision(0.5).measure(COUNTS, Thresholds.all_at(1), 0.025)
    tpr = stats.binomtest(60, 100).proportion_ci(0.975, method="exact")
    fpr = stats.binomtest(5, 50).proportion_ci(0.975, method="exact")
    assert interval.lower == pytest.approx(tpr.low / (tpr.low + fpr.high))
    assert interval.upper == pytest.approx(tpr.high / (tpr.high + fpr.low))


def test_where_nobody_is_called_a_member_nothing_is_known() -> None:
    interval = Precision(0.3).measure(COUNTS, Thresholds.all_at(2), 0.025)
    assert (interval.estimate, interval.lower, interval.upper) == (0.3, 0.0, 1.0)
