"""Advantage and its maximum in sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.advantage import Advantage, max_in_sample
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds

BINARY = ScoreCounts(members=np.array([40, 60]), nonmembers=np.array([70, 30]))


def _exact(count: int, total: int) -> tuple[float, float]:
    interval = stats.binomtest(count, total).proportion_ci(0.95, method="exact")
    return interval.low, interval.high


def test_one_threshold_by_the_formula() -> None:
    # TPR 60/100, FPR 30/100; SciPy's exact intervals, combined by hand.
    interval = Advantage().measure(BINARY, Thresholds.all_at(1), 0.025)
    tpr_low, tpr_high = _exact(60, 100)
    fpr_low, fpr_high = _exact(30, 100)
    assert interval.estimate == pytest.approx(0.3)
    assert interval.lower == pytest.approx(0.3 - math.hypot(0.6 - tpr_low, fpr_high - 0.3))
    # The bounds between which the upper one is interpolated are some 1e-3 apart.
    assert interval.upper == pytest.approx(
        0.3 + math.hypot(tpr_high - 0.6, 0.3 - fpr_low), rel=2e-3
    )


def test_upper_bound_allows_for_the_best_threshold_of_the_population() -> None:
    # In sample the best threshold is the trivial one, since TPR < FPR at the other; the bound has
    # to reach as far as the other's own.
    counts = ScoreCounts(members=np.array([52, 48]), nonmembers=np.array([48, 52]))
    interval = Advantage().measure(counts, Thresholds.all_at(1), 0.025)
    _, tpr_high = _exact(48, 100)
    fpr_low, _ = _exact(52, 100)
    assert max_in_sample(counts) == 0.0
    assert interval.estimate == interval.lower == 0.0
    assert interval.upper >= (-0.04 + math.hypot(tpr_high - 0.48, 0.52 - fpr_low)) * 0.998


def test_max_in_sample_has_no_absolute_value() -> None:
    assert max_in_sample(BINARY) == pytest.approx(0.3)
    assert max_in_sample(ScoreCounts(BINARY.nonmembers, BINARY.members)) == 0.0


def test_max_in_sample_is_biased_as_documented() -> None:
    # evidence: .034 at 1,000 and 500 without a leak.
    rng = np.random.default_rng(2)
    found = []
    for _ in range(300):
        scores, member = rng.random(1500), np.arange(1500) < 1000
        bins = np.argsort(np.argsort(scores))
        found.append(
            max_in_sample(
                ScoreCounts(
                    np.bincount(bins[member], minlength=1500),
                    np.bincount(bins[~member], minlength=1500),
                )
            )
        )
    assert np.mean(found) == pytest.approx(0.034, abs=0.0015)


def test_threshold_outside_the_bins_is_named() -> None:
    with pytest.raises(ValueError, match="threshold_bin: found 3, expected 0 to 2"):
        Advantage().measure(BINARY, Thresholds.all_at(3), 0.025)
