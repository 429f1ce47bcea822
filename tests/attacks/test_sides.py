from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.sides import (
    balanced_folds,
    balancing_weights,
    check_sides,
    sample_of_both,
    smaller_side,
)


def test_each_side_has_half_of_the_weight():
    member = np.array([True, False, False, False])

    # Half of 4 for the one member; half of 4 for three others.
    np.testing.assert_allclose(balancing_weights(member), [2, 2 / 3, 2 / 3, 2 / 3])


@pytest.mark.parametrize("member", [[True, True], [False], []])
def test_a_missing_side_is_an_error(member):
    with pytest.raises(ValueError, match="expected at least one of each"):
        check_sides(np.array(member, np.bool_))


def test_smaller_side():
    assert smaller_side(np.array([True, False, True, True])) == 1


def test_folds_are_dealt_out_evenly_on_each_side():
    member = np.arange(53) < 21
    fold = balanced_folds(member, 4, np.random.default_rng(0))

    # 21 members as 6, 5, 5, 5 and 32 non-members as 8 each.
    assert np.bincount(fold[member]).tolist() == [6, 5, 5, 5]
    assert np.bincount(fold[~member]).tolist() == [8, 8, 8, 8]
    other = balanced_folds(member, 4, np.random.default_rng(1))
    assert (fold != other).any()


@pytest.mark.parametrize(
    ("members", "nonmembers", "wanted", "kept"),
    [(50, 50, 20, (10, 10)), (50, 4, 20, (16, 4)), (3, 50, 21, (3, 18)), (5, 4, 9, (5, 4))],
)
def test_a_sample_is_half_of_each_side_where_there_are_enough(members, nonmembers, wanted, kept):
    member = np.random.default_rng(0).permutation(np.arange(members + nonmembers) < members)

    rows = sample_of_both(member, wanted, np.random.default_rng(1))

    assert (int(member[rows].sum()), int((~member[rows]).sum())) == kept
    assert (np.diff(rows) > 0).all()
