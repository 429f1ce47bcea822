"""Labels in every form that TFX users have them, and what is no label."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.labels import LabelSpec, labels_of_array, labels_of_column

BINARY = LabelSpec("y", config_pb2.BINARY, 1)
TWO_COLUMNS = LabelSpec("y", config_pb2.BINARY, 2)
THREE = LabelSpec("y", config_pb2.MULTICLASS, 3)
WORDS = LabelSpec("y", config_pb2.MULTICLASS, 3, ("red", "grün", "blue"))
LABELS = LabelSpec("y", config_pb2.MULTILABEL, 2)
NUMBERS = LabelSpec("y", config_pb2.REGRESSION, 2)


def column(rows: list, kind: pa.DataType) -> pa.Array:
    return pa.array(rows, pa.large_list(kind))


def from_column(rows: list, kind: pa.DataType, spec: LabelSpec) -> np.ndarray:
    return labels_of_column({"y": column(rows, kind)}, len(rows), spec, "split 'eval'")


@pytest.mark.parametrize(
    ("rows", "kind", "spec", "expected"),
    [
        ([[0], [1]], pa.int64(), BINARY, [0, 1]),
        ([[0.0], [1.0]], pa.float32(), BINARY, [0, 1]),
        ([[0, 1], [1, 0]], pa.int64(), TWO_COLUMNS, [1, 0]),
        ([[2], [0]], pa.int64(), THREE, [2, 0]),
        ([[2.0], [0.0]], pa.float32(), THREE, [2, 0]),
        ([[0, 0, 1], [0, 1, 0]], pa.int64(), THREE, [2, 1]),
        ([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], pa.float32(), THREE, [2, 0]),
        ([["grün".encode()], [b"red"]], pa.large_binary(), WORDS, [1, 0]),
        ([[2], [0]], pa.int64(), WORDS, [2, 0]),
    ],
)
def test_classes(rows: list, kind: pa.DataType, spec: LabelSpec, expected: list[int]):
    label = from_column(rows, kind, spec)

    assert label.dtype == np.int64
    assert label.tolist() == expected


@pytest.mark.parametrize("kind", [pa.int64(), pa.float32()])
def test_several_labels_are_zeros_and_ones(kind: pa.DataType):
    label = from_column([[0, 1], [1, 1]], kind, LABELS)

    assert label.dtype == np.float32
    assert label.tolist() == [[0, 1], [1, 1]]


def test_numbers_stay_numbers():
    assert from_column([[0.5, -2.0]], pa.float32(), NUMBERS).tolist() == [[0.5, -2.0]]


@pytest.mark.parametrize(
    ("values", "spec", "expected"),
    [
        (np.array([1, 0]), BINARY, [1, 0]),
        (np.array([[1], [0]]), BINARY, [1, 0]),
        (np.array([True, False]), BINARY, [1, 0]),
        (np.array([[0, 0, 1]], np.float32), THREE, [2]),
        (np.array([b"blue", b"red"], object), WORDS, [2, 0]),
        (np.array([["blue"], ["red"]]), WORDS, [2, 0]),
    ],
)
def test_arrays_are_read_as_columns_are(values: np.ndarray, spec: LabelSpec, expected: list[int]):
    assert labels_of_array(values, spec, "here").tolist() == expected


def test_any_class_is_taken_where_the_number_of_classes_is_not_known():
    spec = LabelSpec("y", config_pb2.MULTICLASS, 0)

    assert labels_of_array(np.array([900, 0]), spec, "here").tolist() == [900, 0]


@pytest.mark.parametrize(
    ("rows", "kind", "spec", "message"),
    [
        ([[0], [3], [7]], pa.int64(), THREE,
         "label 'y' is 3 in one of 2 bad examples of 3 .* a class from 0 to 2, .* 3 columns"),
        ([[-1]], pa.int64(), THREE, "label 'y' is -1 .* a class from 0 to 2"),
        ([[2]], pa.int64(), BINARY, "label 'y' is 2 .* a class from 0 to 1, .* 1 column$"),
        ([[0.5]], pa.float32(), BINARY, r"label 'y' is 0\.5 "),
        ([[float("nan")]], pa.float32(), BINARY, "label 'y' is nan "),
        ([[float("inf")]], pa.float32(), LabelSpec("y", config_pb2.MULTICLASS, 0), "is inf "),
        ([[0, 1]], pa.int64(), THREE, "label 'y' has 2 values an example: expected 3"),
        ([[0, 1, 1]], pa.int64(), THREE, r"label 'y' is \[0, 1, 1\] .* with a single 1"),
        ([[0.5, 0.5]], pa.float32(), LABELS, r"label 'y' is \[0\.5, 0\.5\] .* expected 0 or 1"),
        ([[1]], pa.int64(), LABELS, "has 1 values an example: expected 2, .* MULTILABEL"),
        ([[float("nan"), 0.0]], pa.float32(), NUMBERS, "expected a finite number"),
        ([[1.0]], pa.float32(), NUMBERS, "has 1 values an example: expected 2, .* REGRESSION"),
        ([[1], [1, 2]], pa.int64(), THREE, "has 1 values in one example and 2 in another"),
        ([[b"red"]], pa.large_binary(), THREE, "label 'y' holds strings, 'red' .*label_vocabulary"),
        ([[b"red"], [b"\xff"]], pa.large_binary(), WORDS,
         r"label 'y' is '\\\\xff' in one of 1 bad examples of 2 .* 'red', 'grün', 'blue'"),
    ],
)  # fmt: skip
def test_what_is_no_label_is_an_error(rows: list, kind: pa.DataType, spec: LabelSpec, message: str):
    with pytest.raises(InputError, match=f"^split 'eval': .*{message}"):
        from_column(rows, kind, spec)


def test_examples_without_the_label_are_counted():
    features = {"y": column([[1], None, []], pa.int64()), "x": column([[1]] * 3, pa.int64())}

    with pytest.raises(
        InputError, match=r"^split 'eval': 2 of 3 examples .* no label 'y': .* found: x, y$"
    ):
        labels_of_column(features, 3, THREE, "split 'eval'")


def test_a_label_that_no_example_has_is_an_error():
    with pytest.raises(InputError, match=r"2 of 2 examples .* no label 'y': .* found: none"):
        labels_of_column({}, 2, THREE, "split 'eval'")


def test_labels_of_other_types_are_an_error():
    with pytest.raises(InputError, match="label 'y' is of type complex128"):
        labels_of_array(np.array([1j]), THREE, "here")
