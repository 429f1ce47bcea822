"""Slices: which rows are in which, against TFMA's meaning written out row by row."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_privacy.metrics.counts import ScoreCounts, SliceKey
from tfx_privacy.metrics.slicing import FeatureValues, slice_counts, slice_rows
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

Rows = Mapping[str, Sequence[Sequence[str]]]
COLOURS: Rows = {
    "colour": [["red"], ["blue", "red"], [], ["blue", "blue"]],
    "size": [["1"], ["1"], ["2"], ["2"]],
}


def _spec(*keys: str, **values: str) -> config_pb2.SlicingSpec:
    return config_pb2.SlicingSpec(feature_keys=keys, feature_values=values)


def _members_of(specs: Sequence[config_pb2.SlicingSpec], rows: Rows) -> dict[SliceKey, list[int]]:
    found = slice_rows(specs, {name: FeatureValues.of_rows(rows[name]) for name in rows})
    return {
        key: sorted(found.rows[found.slices == index].tolist())
        for index, key in enumerate(found.keys)
    }


def _row_by_row(specs: Sequence[config_pb2.SlicingSpec], rows: Rows) -> dict[SliceKey, list[int]]:
    """The product of each row's values, as tfma.slicer describes it."""
    n = len(next(iter(rows.values())))
    found: dict[SliceKey, set[int]] = {}
    for spec, row in itertools.product(specs, range(n)):
        if any(value not in rows[key][row] for key, value in spec.feature_values.items()):
            continue
        pinned = list(spec.feature_values.items())
        for values in itertools.product(*(rows[key][row] for key in spec.feature_keys)):
            key = tuple(sorted([*pinned, *zip(spec.feature_keys, values, strict=True)]))
            if key:
                found.setdefault(key, set()).add(row)
    return {key: sorted(value) for key, value in found.items()}


def test_one_slice_for_each_value() -> None:
    assert _members_of([_spec("colour")], COLOURS) == {
        (("colour", "red"),): [0, 1],
        (("colour", "blue"),): [1, 3],
    }


def test_crosses_are_sorted_by_feature() -> None:
    assert _members_of([_spec("size", "colour")], COLOURS) == {
        (("colour", "red"), ("size", "1")): [0, 1],
        (("colour", "blue"), ("size", "1")): [1],
        (("colour", "blue"), ("size", "2")): [3],
    }


def test_a_value_held_is_crossed_with_keys() -> None:
    assert _members_of([_spec("colour", size="2")], COLOURS) == {
        (("colour", "blue"), ("size", "2")): [3]
    }


def test_numbers_are_compared_as_numbers() -> None:
    assert _members_of([_spec(size="1.0")], COLOURS) == {(("size", "1.0"),): [0, 1]}


def test_the_empty_spec_adds_nothing() -> None:
    assert _members_of([_spec()], COLOURS) == {}


def test_a_row_counts_once_in_a_slice_that_two_specs_make() -> None:
    assert _members_of([_spec("size"), _spec(size="2")], COLOURS)[(("size", "2"),)] == [2, 3]


def test_values_that_do_not_occur_make_no_slice() -> None:
    assert _members_of([_spec("colour", size="3")], COLOURS) == {}


def test_parts_of_longer_columns_have_offsets_of_their_own() -> None:
    # The last two of three rows, as a slice of an Arrow list array gives them.
    values = FeatureValues(np.array([5, 6, 8]), np.array([1, 0, 1]), ["a", "b"])
    found = slice_rows([_spec("f")], {"f": values})
    pairs = {(found.keys[s][0][1], r) for s, r in zip(found.slices, found.rows, strict=True)}
    assert pairs == {("b", 0), ("a", 1), ("b", 1)}


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(ValueError, match="found no values of age, expected features among colour"):
        _members_of([_spec("age")], {"colour": COLOURS["colour"]})


def test_a_feature_in_both_places_is_named() -> None:
    with pytest.raises(ValueError, match="found size in both feature_keys and feature_values"):
        _members_of([_spec("size", size="1")], COLOURS)


_VALUES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)
_SPECS = st.lists(
    st.sampled_from(
        [
            _spec("x"),
            _spec("y"),
            _spec("x", "y"),
            _spec("z", "x", "y"),
            _spec("x", y="a"),
            _spec(x="a", y="b"),
            _spec(),
        ]
    ),
    max_size=4,
)


@given(
    st.lists(st.tuples(_VALUES, _VALUES, _VALUES), min_size=1, max_size=12),
    _SPECS,
)
def test_any_rows_and_specs(
    rows: list[tuple[list[str], list[str], list[str]]], specs: list[config_pb2.SlicingSpec]
) -> None:
    columns = dict(zip("xyz", map(list, zip(*rows, strict=True)), strict=True))
    assert _members_of(specs, columns) == _row_by_row(specs, columns)


def test_counts_of_every_slice_in_one_pass() -> None:
    rng = np.random.default_rng(0)
    n, n_bins = 500, 7
    bins, member = rng.integers(0, n_bins, n), rng.random(n) < 0.6
    classes = [[str(rng.integers(0, 10))] for _ in range(n)]
    slices = slice_rows([_spec("label")], {"label": FeatureValues.of_rows(classes)})
    counts = slice_counts(bins, member, slices, n_bins)
    assert list(counts) == list(slices.keys)
    for ((_, value),), found in counts.items():
        inside = np.array([row == [value] for row in classes])
        expected = Counter(zip(bins[inside].tolist(), member[inside].tolist(), strict=True))
        assert found.members.tolist() == [expected[b, True] for b in range(n_bins)]
        assert found.nonmembers.tolist() == [expected[b, False] for b in range(n_bins)]
        assert found.members.dtype == np.int64


def test_the_slices_of_some_rows_are_those_found_among_them_alone() -> None:
    """Outside reference: `slice_rows` of the chosen rows by themselves."""
    chosen = np.array([True, False, True, True])
    specs = [_spec("colour"), _spec("size"), _spec("colour", size="1")]
    some = slice_rows(specs, {k: FeatureValues.of_rows(v) for k, v in COLOURS.items()})
    among = some.among(chosen)
    alone = slice_rows(
        specs,
        {
            name: FeatureValues.of_rows([rows[row] for row in np.flatnonzero(chosen)])
            for name, rows in COLOURS.items()
        },
    )
    bins, member = np.array([0, 1, 1]), np.array([True, False, True])
    found, expected = (slice_counts(bins, member, one, 2) for one in (among, alone))
    assert set(found) == set(expected)
    assert (("size", "2"),) in found
    for key, counts in expected.items():
        assert found[key].members.tolist() == counts.members.tolist()
        assert found[key].nonmembers.tolist() == counts.nonmembers.tolist()
    assert some.among(np.zeros(4, np.bool_)).keys == ()


def test_no_slices_no_counts() -> None:
    none = slice_rows([], {})
    assert slice_counts(np.array([0, 1]), np.array([True, False]), none, 2) == {}


def test_batches_add_up() -> None:
    rng = np.random.default_rng(1)
    n = 300
    bins, member = rng.integers(0, 5, n), rng.random(n) < 0.5
    values = [[str(v)] for v in rng.integers(0, 3, n)]

    def count(part: slice) -> dict[SliceKey, ScoreCounts]:
        rows = slice_rows([_spec("f")], {"f": FeatureValues.of_rows(values[part])})
        return slice_counts(bins[part], member[part], rows, 5)

    whole, first, second = count(slice(0, n)), count(slice(0, 100)), count(slice(100, n))
    for key, counts in whole.items():
        total = first[key] + second[key]
        assert total.members.tolist() == counts.members.tolist()
        assert total.nonmembers.tolist() == counts.nonmembers.tolist()
