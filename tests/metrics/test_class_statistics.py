"""Sums by class by hand, and the coverage of their intervals by seeded simulation."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import special, stats

from tfx_privacy.metrics.class_statistics import (
    MEMBER,
    NONMEMBER,
    WHOLE_CLASS,
    ClassRows,
    ClassSums,
    Group,
    fewer_edges,
    sum_by_class,
)
from tfx_privacy.metrics.counts import ScoreEdges, Thresholds


def _rows(member, classes, loss, right, uncertainty, bins):
    return ClassRows(
        np.array(member, np.bool_),
        np.array(classes, np.int64),
        np.array(loss, np.float64),
        np.array(right, np.bool_),
        np.array(uncertainty, np.float64),
        np.array(bins, np.int64),
    )


@pytest.fixture
def ten():
    """Three classes: 0 with two a side, 1 with three members and two others, 2 with one member."""
    return _rows(
        member=[1, 1, 0, 0, 1, 1, 1, 0, 0, 1],
        classes=[0, 0, 0, 0, 1, 1, 1, 1, 1, 2],
        loss=[0.5, 1.5, 2.0, 4.0, 0.0, 0.25, 0.5, 1.0, 3.0, 8.0],
        right=[1, 1, 1, 0, 1, 0, 1, 0, 0, 0],
        uncertainty=[0.0, 0.1, 0.5, 1.0, 0.04, 0.05, 0.06, 0.99, 0.3, 0.7],
        bins=[2, 1, 0, 1, 2, 2, 0, 0, 1, 2],
    )


def test_sums_of_three_classes_by_hand(ten):
    sums = sum_by_class(ten, 3)
    assert sums.classes.tolist() == [WHOLE_CLASS, 0, 1, 2]
    assert sums.rows.tolist() == [[4, 6], [2, 2], [2, 3], [0, 1]]
    assert sums.right.tolist() == [[1, 4], [1, 2], [0, 2], [0, 0]]
    groups = sums.groups()
    assert groups[0].mean_loss(MEMBER) == 1.0
    assert groups[0].mean_loss(NONMEMBER) == 3.0
    assert groups[1].mean_loss(MEMBER) == 0.25
    # The losses of the six members add up to 10.75.
    assert groups[WHOLE_CLASS].mean_loss(MEMBER) == pytest.approx(10.75 / 6, abs=1e-9)
    assert groups[1].mean_uncertainty(MEMBER) == pytest.approx(0.05, abs=1e-9)
    assert groups[1].scores.tolist() == [[1, 1, 0], [1, 0, 2]]
    assert not groups[2].has_both_sides()
    # Bins are a twentieth wide; 1 belongs to the last, and 0.05 begins the second.
    members_right, members_wrong = groups[1].histogram[MEMBER][::-1]
    assert members_right[:3].tolist() == [1, 1, 0]
    assert members_wrong[:3].tolist() == [0, 1, 0]
    assert np.flatnonzero(groups[0].histogram[NONMEMBER, 0]).tolist() == [19]


def test_the_accuracy_gap_by_hand(ten):
    gap = sum_by_class(ten, 3).groups()[0].accuracy_gap(0.025)
    # 2 of 2 right against 1 of 2: Clopper-Pearson [0.025 ** 0.5, 1] and [0.0126, 0.9874].
    low = math.sqrt(0.025)
    lower, upper = (special.betaincinv(1, 2, 0.025), special.betaincinv(2, 1, 0.975))
    assert gap.estimate == 0.5
    assert gap.lower == pytest.approx(0.5 - math.hypot(1 - low, upper - 0.5))
    assert gap.upper == pytest.approx(0.5 + (0.5 - lower))


def test_the_rise_of_the_loss_is_welchs_interval(ten):
    """By SciPy's Welch test on the same rows."""
    rise = sum_by_class(ten, 3).groups()[WHOLE_CLASS].loss_rise(0.025)
    theirs = stats.ttest_ind(ten.loss[~ten.member], ten.loss[ten.member], equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert rise.estimate == pytest.approx(2.5 - 10.75 / 6, abs=1e-8)
    assert (rise.lower, rise.upper) == pytest.approx((interval.low, interval.high), abs=1e-7)


def test_one_row_a_side_has_no_rise_of_the_loss(ten):
    assert sum_by_class(ten, 3).groups()[2].loss_rise(0.025) is None


def test_the_auc_of_a_class_by_hand(ten):
    # Members in bins 0, 2, 2 against others in 0, 1: of six pairs four won, one tied.
    assert sum_by_class(ten, 3).groups()[1].auc(0.025).estimate == pytest.approx(4.5 / 6)


def test_any_grouping_of_rows_adds_up_to_the_same_bits():
    rng = np.random.default_rng(3)
    n = 3_000
    rows = ClassRows(
        rng.random(n) < 0.5,
        rng.integers(0, 40, n),
        np.exp(rng.normal(0, 8, n)),
        rng.random(n) < 0.7,
        rng.random(n),
        rng.integers(0, 8, n),
    )
    whole = sum_by_class(rows, 8)
    order = rng.permutation(n)
    parts = [
        sum_by_class(rows.take(np.isin(np.arange(n), part)), 8) for part in np.array_split(order, 7)
    ]
    total = parts[0]
    for part in parts[1:][::-1]:
        total = part + total
    for field in dataclasses.fields(ClassSums):
        assert np.array_equal(getattr(total, field.name), getattr(whole, field.name)), field.name
    assert total.groups()[WHOLE_CLASS].mean_uncertainty(MEMBER) == pytest.approx(
        rows.uncertainty[rows.member].mean(), abs=1e-9
    )


def test_classes_beyond_the_bound_are_part_of_the_whole_alone(ten):
    many = dataclasses.replace(ten, classes=np.where(ten.classes == 1, 1_000, ten.classes))
    sums = sum_by_class(many, 3)
    assert sums.classes.tolist() == [WHOLE_CLASS, 0, 2]
    assert sums.rows[0].tolist() == [4, 6]


def test_without_classes_answers_and_scores_there_is_the_loss_of_the_whole():
    rows = ClassRows(np.array([True, False]), None, np.array([1.0, 2.0]), None, None, None)
    sums = sum_by_class(rows, 0)
    assert sums.classes.tolist() == [WHOLE_CLASS]
    assert sums.scores.shape == (1, 2, 0)
    assert sums.groups()[WHOLE_CLASS].mean_loss(NONMEMBER) == 2.0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("loss", np.nan, "loss: found NaN"),
        ("uncertainty", 1.1, r"uncertainty: .* outside \[0, 1\]"),
    ],
)
def test_what_has_no_meaning_is_refused(ten, field, value, message):
    getattr(ten, field)[0] = value
    with pytest.raises(ValueError, match=message):
        sum_by_class(ten, 3)


def test_few_edges_are_kept_as_they_are_and_many_thinned_out():
    def edges(number):
        return ScoreEdges(np.arange(number, dtype=np.float64), Thresholds.all_at(1))

    assert fewer_edges(edges(9), 10).tolist() == list(range(9))
    thinned = fewer_edges(edges(1_000), 10)
    assert thinned.tolist() == [0, 125, 250, 375, 500, 624, 749, 874, 999]


def _group(right, rows):
    blank = np.zeros((2, 2), np.int64)
    return Group(
        rows=np.array(rows), right=np.array(right), loss=blank, squares=blank, uncertainty=blank,
        histogram=np.zeros((2, 2, 20), np.int64), scores=np.zeros((2, 1), np.int64),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("train", "test", "rows"),
    [(1.0, 0.6, (27, 85)), (0.98, 0.98, (50, 25)), (0.9, 0.7, (20, 200)), (0.995, 0.5, (200, 20))],
)
def test_the_interval_of_the_gap_misses_at_most_as_often_as_it_says(train, test, rows):
    rng = np.random.default_rng(5)
    runs = 1_500
    members, nonmembers = rng.binomial(rows[0], train, runs), rng.binomial(rows[1], test, runs)
    above = below = 0
    for m, n in zip(members, nonmembers, strict=True):
        gap = _group([n, m], [rows[1], rows[0]]).accuracy_gap(0.025)
        above += gap.lower > train - test
        below += gap.upper < train - test
    # 2.5% and three standard errors of the simulation: 3.7%.
    assert max(above, below) / runs <= 0.037


def test_the_interval_of_the_loss_rise_nearly_holds_for_skewed_losses():
    """Exponential losses: the bounds of 2.5% miss 1% and 5% of 3,000 runs."""
    rng = np.random.default_rng(6)
    runs, missed = 600, np.zeros(2)
    member = np.arange(150) < 100
    for _ in range(runs):
        loss = rng.exponential(np.where(member, 0.2, 1.0))
        rows = ClassRows(member, None, loss, None, None, None)
        rise = sum_by_class(rows, 0).groups()[WHOLE_CLASS].loss_rise(0.025)
        missed += rise.lower > 0.8, rise.upper < 0.8
    assert missed[0] / runs <= 0.03
    # 5.3% and three standard errors of the simulation.
    assert missed[1] / runs <= 0.081
