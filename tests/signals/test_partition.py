"""Roles: by hand for a few rows, by count for many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.signals.identity import hash_fractions, row_ids
from tfx_privacy.signals.partition import Role, assign_roles, on_both_sides, repeats


def ids(*numbers: int) -> np.ndarray:
    return np.array([[number, 7] for number in numbers], np.uint64)


def test_ids_that_occur_on_both_sides():
    member = np.array([1, 1, 1, 0, 0, 1, 0, 0], bool)

    #            1 is on both sides; 2 twice among members, 4 twice among non-members.
    shared = on_both_sides(ids(1, 2, 2, 1, 4, 3, 4, 1), member)

    assert shared.tolist() == [True, False, False, True, False, False, False, True]
    assert on_both_sides(np.empty((0, 2), np.uint64), np.empty(0, bool)).tolist() == []


def test_a_third_is_fit_by_the_hash_of_the_id():
    rows = row_ids(0, 30_000, is_member=True)

    roles = assign_roles(rows, None, 5, check_duplicates=True)

    assert set(roles.tolist()) == {Role.FIT, Role.JUDGE}
    assert ((roles == Role.FIT) == (hash_fractions(rows, 5, "fit") < 1 / 3)).all()
    assert stats.binomtest(int((roles == Role.FIT).sum()), 30_000, 1 / 3).pvalue > 0.001


def test_another_seed_gives_other_roles():
    rows = row_ids(0, 1000, is_member=True)

    first, second = (assign_roles(rows, None, seed, check_duplicates=True) for seed in (0, 1))

    assert (first != second).mean() == pytest.approx(4 / 9, abs=0.06)


def test_every_occurrence_of_a_repeated_id_is_left_out():
    roles = assign_roles(ids(1, 2, 1, 3, 3, 3, 4), None, 0, check_duplicates=True)

    duplicate = (roles == Role.DUPLICATE).tolist()
    assert duplicate == [True, False, True, True, True, True, False]


def test_ids_that_share_a_half_are_not_equal():
    rows = np.array([[1, 1], [1, 2], [2, 1], [2, 2]], np.uint64)

    assert repeats(rows).tolist() == [False] * 4


def test_equal_ids_say_nothing_where_duplicates_are_not_checked():
    roles = assign_roles(ids(1, 1, 2), None, 0, check_duplicates=False)

    assert Role.DUPLICATE not in roles.tolist()


def test_one_row_of_each_unit_is_used_and_never_a_duplicate():
    # Unit 10 has a repeated id and one that occurs once; unit 11 has duplicates alone.
    rows = ids(1, 1, 2, 3, 3, 4, 5)
    units = ids(10, 10, 10, 11, 11, 12, 12)

    roles = assign_roles(rows, units, 0, check_duplicates=True)

    assert [Role(role).name for role in roles[[0, 1, 3, 4]]] == ["DUPLICATE"] * 4
    assert roles[2] in (Role.FIT, Role.JUDGE)
    assert sorted([roles[5] == Role.SAME_UNIT, roles[6] == Role.SAME_UNIT]) == [False, True]


def test_the_row_of_a_unit_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(0)
    rows, units = row_ids(0, 999, is_member=True), row_ids(0, 333, is_member=False).repeat(3, 0)
    order = rng.permutation(999)

    roles = assign_roles(rows, units, 0, check_duplicates=True)
    shuffled = assign_roles(rows[order], units[order], 0, check_duplicates=True)

    assert (shuffled == roles[order]).all()


def test_the_row_of_a_unit_is_chosen_without_regard_to_order_or_side():
    # Units of three rows: each position is taken for a third of the units.
    rows, units = row_ids(0, 9000, is_member=True), row_ids(0, 3000, is_member=False).repeat(3, 0)

    used = assign_roles(rows, units, 0, check_duplicates=True) != Role.SAME_UNIT

    taken = used.reshape(3000, 3)
    assert (taken.sum(axis=1) == 1).all()
    assert stats.chisquare(taken.sum(axis=0)).pvalue > 0.001


def test_fit_is_decided_by_the_unit():
    rows, units = row_ids(0, 900, is_member=True), row_ids(0, 300, is_member=False).repeat(3, 0)

    roles = assign_roles(rows, units, 3, check_duplicates=True)

    used = roles != Role.SAME_UNIT
    assert ((roles[used] == Role.FIT) == (hash_fractions(units[used], 3, "fit") < 1 / 3)).all()


def test_no_rows_have_no_roles():
    none = np.empty((0, 2), np.uint64)

    assert len(assign_roles(none, none, 0, check_duplicates=True)) == 0
