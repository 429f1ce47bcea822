from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import hash_fractions


@pytest.fixture(scope="module")
def ids():
    return np.random.default_rng(8).integers(0, 2**64, (20_000, 2), dtype=np.uint64)


def test_every_record_is_in_one_model_of_each_pair(ids):
    found = inside(ids, seed=3, k=6)

    assert found.shape == (20_000, 6)
    assert found.dtype == np.bool_
    assert (found[:, 0::2] != found[:, 1::2]).all()
    assert (found.sum(axis=1) == 3).all()


def test_halves_and_pairs_are_independent(ids):
    first_of_pair = inside(ids, seed=3, k=12)[:, 0::2]
    # The 64 ways to be in the first of six pairs are equally frequent, whatever the pairs'
    # order, and so they are in each half of the FIT rows. Level .001 over both tests.
    code = first_of_pair @ (1 << np.arange(6))
    assert stats.chisquare(np.bincount(code, minlength=64)).pvalue > 0.0005
    fit = hash_fractions(ids, 3, "fit") < 1 / 2
    table = np.stack([np.bincount(code[fit == side], minlength=64) for side in (True, False)])
    assert stats.chi2_contingency(table).pvalue > 0.0005


def test_neighbouring_ids_are_as_good_as_random_ones():
    # Ids of rows without a key: side, row number.
    ids = np.stack([np.ones(20_000), np.arange(20_000)], axis=1).astype(np.uint64)
    code = inside(ids, seed=0, k=12)[:, 0::2] @ (1 << np.arange(6))
    assert stats.chisquare(np.bincount(code, minlength=64)).pvalue > 0.001


def test_adding_pairs_changes_none_of_the_first(ids):
    np.testing.assert_array_equal(inside(ids, 3, 16)[:, :4], inside(ids, 3, 4))


def test_depends_on_the_seed_and_on_nothing_else_of_the_call(ids):
    found = inside(ids, 3, 4)

    agree = (inside(ids, 4, 4)[:, 0::2] == found[:, 0::2]).mean(axis=0)
    assert agree == pytest.approx([0.5, 0.5], abs=0.02)
    np.testing.assert_array_equal(inside(ids[::-1][:100], 3, 4), found[::-1][:100])


def test_rows_of_a_unit_are_together(ids):
    units = ids[np.random.default_rng(1).integers(0, 500, 2_000)]

    found = inside(units, seed=3, k=8)

    _, unit = np.unique(units[:, 0], return_inverse=True)
    for number in range(unit.max() + 1):
        rows = found[unit == number]
        assert (rows == rows[0]).all()
    assert 0.4 < found[:, 0].mean() < 0.6


def test_no_records():
    assert inside(np.zeros((0, 2), np.uint64), 0, 4).shape == (0, 4)


@pytest.mark.parametrize("k", [0, 1, 3, -2])
def test_refuses_a_number_that_is_no_pairs(ids, k):
    with pytest.raises(InputError, match=f"found {k} as the number of reference models"):
        inside(ids, 0, k)
