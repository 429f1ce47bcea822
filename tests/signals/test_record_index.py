"""Records are found by both halves of their ids."""

from __future__ import annotations

import numpy as np

from tfx_privacy.signals.record_index import RecordIndex


def _ids(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs, np.uint64).reshape(-1, 2)


def test_distinct_ids_have_places_and_rows():
    index = RecordIndex(_ids((5, 1), (2, 9), (5, 1), (2, 3)))

    # In ascending order: (2, 3), (2, 9), (5, 1).
    assert index.size == 3
    assert index.places.tolist() == [2, 1, 2, 0]
    assert index.find(_ids((2, 9), (5, 1), (2, 3))).tolist() == [1, 2, 0]
    assert index.a_row(np.array([0, 1])).tolist() == [3, 1]
    assert index.a_row(np.array([2]))[0] in (0, 2)


def test_ids_that_share_a_half_are_told_apart():
    # Five of one first half: as many steps as it takes.
    index = RecordIndex(_ids((7, 1), (7, 2), (7, 3), (7, 4), (7, 5), (8, 0)))

    found = index.find(_ids((7, 5), (7, 4), (7, 6), (7, 0), (8, 0), (8, 1), (6, 1), (9, 0)))
    assert found.tolist() == [4, 3, -1, -1, 5, -1, -1, -1]


def test_among_none_nothing_is_found():
    index = RecordIndex(_ids())
    assert index.size == 0
    assert index.find(_ids((1, 2), (0, 0))).tolist() == [-1, -1]
    assert RecordIndex(_ids((1, 2))).find(_ids()).tolist() == []


def test_many_random_ids_agree_with_a_dictionary():
    rng = np.random.default_rng(0)
    # Small numbers, so that halves and whole ids come again.
    ids, wanted = rng.integers(0, 30, (2, 500, 2)).astype(np.uint64)
    index = RecordIndex(ids)
    place = {pair: at for at, pair in enumerate(sorted(set(map(tuple, ids.tolist()))))}

    assert index.find(wanted).tolist() == [
        place.get(pair, -1) for pair in map(tuple, wanted.tolist())
    ]
    assert index.places.tolist() == [place[pair] for pair in map(tuple, ids.tolist())]
