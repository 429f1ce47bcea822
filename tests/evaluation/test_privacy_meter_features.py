"""Columns of the feature matrix, by hand."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.evaluation import privacy_meter_features
from tfx_privacy.evaluation.privacy_meter_features import FeatureLayout, FeatureLengths
from tfx_privacy.signals.inputs import NUMBER, WORD

NAN = np.nan


def _numbers(rows: list[list[float]]) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32()))


def _words(rows: list[list[int]]) -> pa.Array:
    return pa.array(rows, pa.list_(pa.uint64()))


def _layout(columns: dict[str, pa.Array]) -> FeatureLayout:
    kinds = {pa.float32(): NUMBER, pa.uint64(): WORD}
    lengths = FeatureLengths([(name, kinds[of.type.value_type]) for name, of in columns.items()])
    lengths.count(columns)
    return lengths.layout()


def test_a_column_a_value_and_nan_where_there_is_none() -> None:
    columns = {
        "a": _numbers([[1], [], [3]]),
        "b": _numbers([[1, 2], [3, 4], [5, 6]]),
        "c": _numbers([[7], [8, 9, 10], []]),
    }
    layout = _layout(columns)
    expected = [
        [1, 1, 2, 7, NAN, NAN],
        [NAN, 3, 4, 8, 9, 10],
        [3, 5, 6, NAN, NAN, NAN],
    ]
    np.testing.assert_array_equal(layout.matrix(columns, 3), np.array(expected, np.float32))


def test_words_are_whole_numbers_that_float32_holds() -> None:
    large = 2**63 + 12_345
    columns = {"w": _words([[5], [2**24 + 5], [large]])}
    found = _layout(columns).matrix(columns, 3)[:, 0]
    assert found.tolist() == [5, 5, large % 2**24]


def test_rows_of_a_part_of_a_longer_array_are_their_own() -> None:
    columns = {"a": _numbers([[1], [2, 3], [4], [5, 6]])}
    layout = _layout(columns)
    part = {"a": columns["a"].slice(1, 2)}
    np.testing.assert_array_equal(layout.matrix(part, 2), np.array([[2, 3], [4, NAN]], np.float32))


def test_lists_that_differ_in_length_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy_meter_features, "MOST_OF_A_LIST", 2)
    columns = {"same": _numbers([[1, 2, 3], [4, 5, 6]]), "cut": _numbers([[1], [2, 3, 4]])}
    layout = _layout(columns)
    np.testing.assert_array_equal(
        layout.matrix(columns, 2), np.array([[1, 2, 3, 1, NAN], [4, 5, 6, 2, 3]], np.float32)
    )
    content = json.loads(layout.to_json())
    assert [(one["columns"], one["rows_cut"]) for one in content["features"]] == [(3, 0), (2, 1)]


def test_lengths_of_all_batches_count() -> None:
    lengths = FeatureLengths([("a", NUMBER), ("never", NUMBER)])
    for rows in ([[1.0]], [[1.0, 2.0]], [[]]):
        lengths.count({"a": _numbers(rows), "never": _numbers([[]])})
    layout = lengths.layout()
    assert [one.columns for one in layout.features] == [2, 0]
    assert layout.columns == 2
