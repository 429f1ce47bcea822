"""Counts of all slices: against counting row by row, in parts and at once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tfx_privacy.metrics import slice_totals
from tfx_privacy.metrics.counts import SliceKey
from tfx_privacy.metrics.slice_totals import (
    CHANCE_FROM,
    SliceTotals,
    count_rows_in_slices,
    count_scores_in_slices,
)
from tfx_privacy.metrics.slicing import FeatureValues, slice_rows
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

SPEC = config_pb2.SlicingSpec(feature_keys=["f"])
BINS = 7


class _Rows:
    """Drawn rows; every third value stands twice in a row, under two values."""

    def __init__(self, rows: int, values: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.member = rng.random(rows) < 0.6
        self.values = [
            [f"v{a}", f"v{b}"] if c == 0 else [f"v{a}"]
            for a, b, c in rng.integers(0, [[values, values, 3]] * rows)
        ]
        self.bins = {name: rng.integers(0, BINS, rows) for name in ("a", "b")}

    def total(self, part: slice, most: int, numbers: dict[SliceKey, int]) -> SliceTotals:
        rows = slice_rows([SPEC], {"f": FeatureValues.of_rows(self.values[part])})
        of_keys = np.array([numbers[key] for key in rows.keys], np.uint64)
        member = self.member[part]
        bins = {name: (bins[part], BINS) for name, bins in self.bins.items()}
        return count_rows_in_slices(rows, of_keys, member, most) + count_scores_in_slices(
            rows, of_keys, member, bins, most
        )

    def by_hand(self, key: SliceKey, attack: str) -> tuple[list[int], list[int]]:
        ((_, value),) = key
        found = Counter(
            (bool(member), int(bin_))
            for values, member, bin_ in zip(
                self.values, self.member, self.bins[attack], strict=True
            )
            if value in values
        )
        members, nonmembers = (
            [found[side, bin_] for bin_ in range(BINS)] for side in (True, False)
        )
        return members, nonmembers


def _numbers(values: int) -> dict[SliceKey, int]:
    """The first five come first; the others have numbers of chance."""
    drawn = np.random.default_rng(9).integers(0, CHANCE_FROM, values, dtype=np.uint64).tolist()
    return {
        (("f", f"v{value}"),): value if value < 5 else CHANCE_FROM + drawn[value]
        for value in range(values)
    }


def _check(total: SliceTotals, rows: _Rows) -> None:
    counts = total.counts()
    for key, sides in total.slice_rows().items():
        for attack in ("a", "b"):
            members, nonmembers = rows.by_hand(key, attack)
            found = counts[attack, key].dense()
            assert found.members.tolist() == members
            assert found.nonmembers.tolist() == nonmembers
            assert found.members.dtype == np.int64
            assert sides == (sum(members), sum(nonmembers))


def test_counts_are_those_of_going_row_by_row() -> None:
    rows = _Rows(500, 12)
    total = rows.total(slice(None), 100, _numbers(12))
    assert len(total.keys) == 12
    assert total.left_out() == (0, 0)
    _check(total, rows)


@pytest.mark.parametrize("most", [3, 5, 20, 60, 1000])
def test_parts_add_up_to_the_whole_whatever_is_left_out(most: int) -> None:
    rows = _Rows(600, 60, seed=1)
    numbers = _numbers(60)
    whole = rows.total(slice(None), most, numbers)
    cuts = [(0, 40), (40, 300), (300, 301), (301, 600)]
    first, *others = [rows.total(slice(*cut), most, numbers) for cut in reversed(cuts)]
    total = first
    for other in others:
        total = total + other
    assert total.keys == whole.keys
    assert total.slice_rows() == whole.slice_rows()
    assert total.left_out() == whole.left_out()
    assert set(total.counts()) == set(whole.counts())
    _check(total, rows)


def test_the_first_are_kept_and_the_rest_is_counted() -> None:
    rows = _Rows(600, 60, seed=1)
    numbers = _numbers(60)
    total = rows.total(slice(None), 5, numbers)
    assert list(total.keys) == [(("f", f"v{value}"),) for value in range(5)]
    sizes = Counter(value for values in rows.values for value in set(values))
    assert total.left_out() == (55, max(sizes[f"v{value}"] for value in range(5, 60)))


def test_where_there_is_room_the_smallest_numbers_fill_it() -> None:
    numbers = _numbers(60)
    total = _Rows(600, 60, seed=1).total(slice(None), 20, numbers)
    assert list(total.keys) == sorted(numbers, key=numbers.__getitem__)[:20]


def test_no_slices_no_counts() -> None:
    none, member = slice_rows([], {}), np.array([True, False])
    numbers = np.empty(0, np.uint64)
    bins = {"a": (np.array([0, 1]), 2)}
    total = count_rows_in_slices(none, numbers, member, 5) + count_scores_in_slices(
        none, numbers, member, bins, 5
    )
    assert (total.counts(), total.slice_rows(), total.left_out()) == ({}, {}, (0, 0))


def test_more_slices_than_can_be_told_apart_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slice_totals, "MOST_SEEN", 1000)
    keys = {(("f", f"v{value}"),): value for value in range(20_000)}
    rng = np.random.default_rng(3)
    drawn = (CHANCE_FROM + rng.integers(0, CHANCE_FROM, 20_000, dtype=np.uint64)).astype(np.uint64)
    rows = slice_rows([SPEC], {"f": FeatureValues.of_rows([[f"v{v}"] for v in range(20_000)])})
    of_keys = drawn[[keys[key] for key in rows.keys]]
    member = np.ones(20_000, np.bool_)
    half = len(member) // 2
    parts = [
        count_rows_in_slices(rows.among(np.arange(20_000) < half), of_keys, member[:half], 10),
        count_rows_in_slices(rows.among(np.arange(20_000) >= half), of_keys, member[half:], 10),
    ]
    left, largest = (parts[0] + parts[1]).left_out()
    # The k-th smallest of n uniform numbers tells n to about 1 / sqrt(k): 3%.
    assert left == pytest.approx(19_990, rel=0.12)
    assert largest == 1
