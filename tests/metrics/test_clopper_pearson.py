"""Clopper-Pearson bounds against SciPy's exact interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics import clopper_pearson


@pytest.mark.parametrize("total", [1, 7, 100, 3333])
@pytest.mark.parametrize("alpha", [0.025, 0.001])
def test_bounds_are_those_of_scipy(total: int, alpha: float) -> None:
    counts = sorted({0, 1, total // 3, total // 2, total - 1, total})
    for count in counts:
        expected = stats.binomtest(count, total).proportion_ci(1 - 2 * alpha, method="exact")
        assert clopper_pearson.lower_bound(count, total, alpha) == pytest.approx(
            expected.low, abs=1e-10
        )
        assert clopper_pearson.upper_bound(count, total, alpha) == pytest.approx(
            expected.high, abs=1e-10
        )


def test_rule_of_three() -> None:
    # None of n seen: the upper bound is 1 - alpha^(1/n), by hand.
    assert clopper_pearson.upper_bound(0, 50, 0.05) == pytest.approx(1 - 0.05 ** (1 / 50))
    assert clopper_pearson.lower_bound(0, 50, 0.05) == 0.0
    assert clopper_pearson.lower_bound(50, 50, 0.05) == pytest.approx(0.05 ** (1 / 50))


def test_real_counts_lie_between_their_neighbours() -> None:
    counts = np.linspace(0.0, 10.0, 101)
    for bound in (clopper_pearson.lower_bound, clopper_pearson.upper_bound):
        assert (np.diff(bound(counts, 10, 0.025)) >= 0).all()


def test_shapes_broadcast() -> None:
    bounds = clopper_pearson.lower_bound(np.array([3.0, 4.0]), 10, np.array([[0.1], [0.01]]))
    assert bounds.shape == (2, 2)
    assert (bounds[0] > bounds[1]).all()


@pytest.mark.parametrize("alpha", [1e-6, 1e-12])
def test_far_tails_stay_in_order(alpha: float) -> None:
    counts = np.arange(0.0, 31.0, 0.25)
    lower = clopper_pearson.lower_bound(counts, 1000, alpha)
    assert (np.diff(lower) >= 0).all()
    assert (lower <= counts / 1000).all()
    assert (clopper_pearson.upper_bound(counts, 1000, alpha) >= counts / 1000).all()


@pytest.mark.parametrize("total", [1, 2, 10, 333, 33_333])
def test_many_at_once_are_near_enough(total: int) -> None:
    counts = np.arange(total + 1)
    exact = clopper_pearson.lower_bound(counts, total, 0.0125)
    found = clopper_pearson.lower_bounds_of_many(counts, total, 0.0125)
    assert np.abs(found - exact).max() <= 0.01 * (counts / total - exact).max()
    assert (np.abs(found - exact) <= 0.01 * (counts / total - exact) + 1e-15).all()
