"""TPR at a given FPR."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics import tpr_at_fpr
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr


def test_estimate_is_the_curve_at_the_rate() -> None:
    counts = ScoreCounts(np.array([50, 30, 20]), np.array([80, 15, 5]))
    # Points (.05, .2) and (.2, .5): at .1 a third of the way.
    assert TprAtFpr(0.1).measure(counts, Thresholds.all_at(0), 0.025).estimate == pytest.approx(0.3)


@pytest.mark.parametrize("n", [1, 5, 100, 3333])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.001])
def test_binomial_quantiles_are_those_of_scipy(n: int, share: float) -> None:
    levels = np.array([0.4, 0.1, 0.025, 1e-3, 1e-6, 1e-12])
    found = tpr_at_fpr._binomial_quantile(levels, n, share)
    assert found.tolist() == stats.binom.ppf(levels, n, share).tolist()


@pytest.mark.parametrize("tangent", [0.5, 1.0, 1.4, 2.0])
def test_distance_keeps_the_error_at_the_worst_bend(tangent: float) -> None:
    # The docstring's case, drawn: the curve is vertical below the rate and flat above.
    # A bound misses where the line has no point (z_m, z_n) with z_n >= d and z_m >= -a.
    alpha = 0.025
    c = tpr_at_fpr._distance(tangent, alpha)
    cos, sin = 1 / math.hypot(1, tangent), tangent / math.hypot(1, tangent)
    rng = np.random.default_rng(5)
    a, d = rng.standard_normal((2, 400_000))
    needed = np.maximum(-a, 0) * cos + np.maximum(d, 0) * sin
    covered = (needed <= c) & (-a * cos <= c) & (d * sin <= c)
    missed = ~covered & ((a < 0) | (d > c / sin))
    assert missed.mean() == pytest.approx(alpha, abs=4 * math.sqrt(alpha / 400_000))


def test_without_members_above_the_lower_bound_is_zero() -> None:
    counts = ScoreCounts(np.array([100, 0]), np.array([99, 1]))
    interval = TprAtFpr(0.01).measure(counts, Thresholds.all_at(1), 0.025)
    assert interval.lower == interval.estimate == 0.0
    # No more certain than with the threshold known: Clopper-Pearson of 0 of 100.
    assert interval.upper > 1 - 0.025 ** (1 / 100)


def test_rates_below_one_record_are_not_known() -> None:
    # 100 non-members cannot tell a rate of .001: the threshold may be below some of them.
    counts = ScoreCounts(np.array([40, 60]), np.array([100, 0]))
    interval = TprAtFpr(0.001).measure(counts, Thresholds.all_at(1), 0.025)
    assert interval.estimate == pytest.approx(0.6, abs=0.01)
    assert interval.lower == 0.0


def test_many_records_approach_the_sum_of_squares() -> None:
    # A million a side, a straight curve: sqrt of the two variances, f (1 - f) / n each.
    size = 1_000_000
    even = np.full(100, size // 100)
    interval = TprAtFpr(0.1).measure(ScoreCounts(even, even), Thresholds.all_at(0), 0.025)
    expected = 1.96 * math.sqrt(2 * 0.1 * 0.9 / size)
    assert 1.0 < (interval.upper - interval.estimate) / expected < 1.05
    assert 1.0 < (interval.estimate - interval.lower) / expected < 1.05
