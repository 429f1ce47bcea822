"""Rank correlation over classes: against SciPy, and its interval by seeded simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.association import correlation_interval, rank_correlation


def test_spearmans_correlation_with_ties_as_scipy_has_it():
    first, second = [1.0, 2.0, 2.0, 5.0, 3.0, 0.0], [0.2, 0.9, 0.3, 0.3, 0.8, 0.1]
    found = rank_correlation(first, second, 0.025)
    assert found.estimate == pytest.approx(stats.spearmanr(first, second).statistic)


def test_the_interval_by_hand():
    # 0.5 over 28 classes: z = atanh(0.5) = 0.5493 up, atanh(0.5 - 6 / 21924) down.
    found = correlation_interval(0.5, 28, 0.025)
    inner, z = 0.5 - 6 / (28 * 783), 1.959964
    assert found.lower == pytest.approx(
        math.tanh(math.atanh(inner) - z * math.sqrt(1 + inner**2 / 2) / 5), abs=1e-6
    )
    assert found.upper == pytest.approx(
        math.tanh(math.atanh(0.5) + z * math.sqrt(1.25) / 5), abs=1e-6
    )
    mirrored = correlation_interval(-0.5, 28, 0.025)
    assert (mirrored.lower, mirrored.upper) == (-found.upper, -found.lower)


def test_five_classes_in_perfect_order_show_nothing_after_correction():
    """By luck they are so in 1 of 60 cases, which six looks make a tenth."""
    assert correlation_interval(1.0, 5, 0.025 / 6).lower < 0.0
    assert correlation_interval(1.0, 5, 0.025 / 6).upper == 1.0


@pytest.mark.parametrize(
    ("first", "second"), [([1, 2, 3, 4], [1, 2, 3, 4]), ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5])]
)
def test_too_few_classes_or_a_constant_have_no_correlation(first, second):
    assert rank_correlation(first, second, 0.025) is None


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [([1, 2], [1], "shapes"), ([1, 2, math.nan, 4, 5], [1, 2, 3, 4, 5], "NaN")],
)
def test_what_has_no_meaning_is_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        rank_correlation(first, second, 0.025)


def _ranks(values):
    return values.argsort(axis=1).argsort(axis=1)


def _misses(correlation, classes, alpha, runs=4_000):
    """How often each bound misses Spearman's correlation of a bivariate normal."""
    rng = np.random.default_rng(classes)
    x = rng.normal(size=(runs, classes))
    y = correlation * x + math.sqrt(1 - correlation**2) * rng.normal(size=(runs, classes))
    differences = ((_ranks(x) - _ranks(y)) ** 2).sum(axis=1)
    seen, counts = np.unique(1 - 6 * differences / (classes * (classes**2 - 1)), return_counts=True)
    # Kendall and Gibbons: rho_s = 6 / pi arcsin(rho / 2).
    truth = 6 / math.pi * math.asin(correlation / 2)
    intervals = [correlation_interval(float(np.clip(one, -1, 1)), classes, alpha) for one in seen]
    towards_0 = sum(n for i, n in zip(intervals, counts, strict=True) if i.lower > truth)
    away = sum(n for i, n in zip(intervals, counts, strict=True) if i.upper < truth)
    return towards_0 / runs, away / runs


@pytest.mark.parametrize("classes", [5, 10, 30, 100])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.9])
def test_each_bound_misses_at_most_as_often_as_it_says(classes, correlation):
    towards_0, away = _misses(correlation, classes, 0.025)
    # 2.5% and three standard errors of the simulation.
    assert towards_0 <= 0.0325
    assert away <= 0.0345


@pytest.mark.parametrize("classes", [10, 30, 100])
def test_without_an_association_six_looks_claim_one_in_at_most_a_twentieth(classes):
    """The bound that words rest on, at a twelfth of 5% a side: 5% over six properties."""
    towards_0, away = _misses(0.0, classes, 0.025 / 6, runs=10_000)
    # Three standard errors of the simulation above 5%.
    assert 6 * (towards_0 + away) <= 0.066


@pytest.mark.parametrize("classes", [10, 30])
def test_small_classes_with_noisier_areas_are_no_association(classes):
    """An AUC errs the more the smaller its class: sizes as 1, 1/2, 1/3, ..."""
    rng = np.random.default_rng(9)
    size = 1 / np.arange(1, classes + 1)
    claims = 0
    for _ in range(2_000):
        areas = 0.6 + rng.normal(size=classes) / np.sqrt(size)
        found = rank_correlation(size, areas, 0.025)
        claims += found.lower > 0.0 or found.upper < 0.0
    assert claims / 2_000 <= 0.06
