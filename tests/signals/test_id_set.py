"""Sets of records: counted and summed, in no order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.identity import Ids


def random_ids(rows: int, seed: int = 0) -> Ids:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 2**64, (rows, 2), dtype=np.uint64)


@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_parts_add_up_to_the_whole_in_any_order(cut: int, seed: int) -> None:
    ids = random_ids(40)
    shuffled = np.random.default_rng(seed).permutation(ids)
    assert IdSet.of(shuffled[:cut]) + IdSet.of(shuffled[cut:]) == IdSet.of(ids)


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize("half", [0, 1])
def test_a_changed_bit_is_another_set(row: int, half: int) -> None:
    ids = random_ids(5)
    changed = ids.copy()
    changed[row, half] ^= np.uint64(1) << np.uint64(row * 12)
    assert IdSet.of(changed).digest != IdSet.of(ids).digest


def test_halves_swapped_between_two_ids_are_another_set() -> None:
    """Sums of each half by itself would not see it."""
    ids = random_ids(2)
    swapped = np.stack([ids[:, 0], ids[::-1, 1]], axis=1)
    assert IdSet.of(swapped) != IdSet.of(ids)


def test_a_record_that_comes_twice_counts_twice() -> None:
    ids = random_ids(3)
    twice = np.concatenate([ids, ids[:1]])
    assert IdSet.of(twice).records == 4
    assert IdSet.of(twice) == IdSet.of(ids) + IdSet.of(ids[:1])
    assert IdSet.of(twice).digest != IdSet.of(ids).digest


def test_ids_that_are_small_numbers_do_not_cancel() -> None:
    """Row numbers 0 .. 999 and 1 .. 1,000 have sums that differ by 1,000 if they are not hashed."""
    numbers = np.arange(1001, dtype=np.uint64)
    ids = np.stack([np.zeros_like(numbers), numbers], axis=1)
    sets = {IdSet.of(np.delete(ids, row, axis=0)).digest for row in range(1001)}
    assert len(sets) == 1001


def test_nobody() -> None:
    assert IdSet.of(random_ids(0)) == IdSet()
    assert IdSet().digest == "0" * 32


def test_the_digest_is_the_same_on_every_machine() -> None:
    """Recorded once: reference models of an older run must stay comparable."""
    assert IdSet.of(np.array([[1, 2], [3, 4]], np.uint64)).digest == DIGEST


DIGEST = "f5696173baa0671989694316028605e9"
