"""Slices: which rows are in which, against TFMA's meaning written out row by row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_privacy.metrics.counts import SliceKey
from tfx_privacy.metrics.slicing import FeatureValues, slice_rows, spec_features
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


def test_the_slices_of_some_rows_are_those_found_among_them_alone() -> None:
    """Outside reference: `slice_rows` of the chosen rows by themselves."""
    chosen = np.array([True, False, True, True])
    specs = [_spec("colour"), _spec("size"), _spec("colour", size="1")]
    some = slice_rows(specs, {k: FeatureValues.of_rows(v) for k, v in COLOURS.items()})
    found = some.among(chosen)
    alone = {name: [rows[row] for row in np.flatnonzero(chosen)] for name, rows in COLOURS.items()}
    rows_of = {
        key: sorted(found.rows[found.slices == index].tolist())
        for index, key in enumerate(found.keys)
    }
    assert {key: rows for key, rows in rows_of.items() if rows} == _members_of(specs, alone)
    assert not len(some.among(np.zeros(4, np.bool_)).rows)


def test_signals_are_crossed_with_features_under_names_of_their_own() -> None:
    rows = {
        "size": [["1"], ["1"], ["2"], ["2"]],
        "prediction": [["right"], ["wrong"], ["right"], ["right"]],
        "label": [["cat"], ["dog"], ["dog"], []],
    }
    spec = config_pb2.SlicingSpec(feature_keys=["size"], signals=["CORRECTNESS"])
    assert _members_of([spec], rows) == {
        (("prediction", "right"), ("size", "1")): [0],
        (("prediction", "right"), ("size", "2")): [2, 3],
        (("prediction", "wrong"), ("size", "1")): [1],
    }
    both = config_pb2.SlicingSpec(signals=["CORRECTNESS", "CLASS"], feature_values={"size": "2"})
    assert _members_of([both], rows) == {
        (("label", "dog"), ("prediction", "right"), ("size", "2")): [2]
    }


def test_the_features_of_a_spec_are_those_of_its_keys() -> None:
    spec = config_pb2.SlicingSpec(
        feature_keys=["z", "a"], feature_values={"m": "1"}, signals=["LOSS_DECILE", "CLASS"]
    )
    assert spec_features(spec) == ["a", "label", "loss decile", "m", "z"]
