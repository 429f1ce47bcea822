"""Slice words, with TFMA's meaning."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.slices import class_slice_values, slice_values


def words(rows: list, kind: pa.DataType) -> list[list[str]]:
    found = slice_values(pa.array(rows, pa.large_list(kind)), len(rows))
    assert found.type == pa.list_(pa.string())
    return found.to_pylist()


def test_strings_are_words():
    assert words([[b"Cash"], ["Zürich".encode()]], pa.large_binary()) == [["Cash"], ["Zürich"]]


def test_bytes_that_are_no_text_are_escaped():
    assert words([[b"\xff\x00a"]], pa.large_binary()) == [["\\xff\x00a"]]


def test_numbers_are_words_as_they_are_printed():
    assert words([[3], [-7]], pa.int64()) == [["3"], ["-7"]]
    assert words([[0.1], [3.0], [float("nan")]], pa.float32()) == [["0.1"], ["3.0"], ["nan"]]


def test_a_row_is_in_the_slice_of_each_of_its_values_once():
    rows = [[b"b", b"a", b"b"], None, [], [b"a"]]

    found = words(rows, pa.large_binary())

    assert [sorted(row) for row in found] == [["a", "b"], [], [], ["a"]]


def test_a_feature_that_no_row_has_makes_no_slices():
    assert slice_values(None, 2).to_pylist() == [[], []]


def test_classes_are_called_by_name_or_number():
    label = np.array([2, 0, 2])

    named = class_slice_values(label, config_pb2.MULTICLASS, ("red", "green", "blue"))
    numbered = class_slice_values(label, config_pb2.MULTICLASS, ())

    assert named.to_pylist() == [["blue"], ["red"], ["blue"]]
    assert numbered.to_pylist() == [["2"], ["0"], ["2"]]


def test_a_row_of_several_labels_is_in_the_slice_of_each():
    label = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32)

    found = class_slice_values(label, config_pb2.MULTILABEL, ("red", "green", "blue"))

    assert found.to_pylist() == [["red", "blue"], [], ["green"]]


def test_numbers_are_no_classes():
    with pytest.raises(ValueError, match="regression"):
        class_slice_values(np.zeros((1, 1), np.float32), config_pb2.REGRESSION, ())
