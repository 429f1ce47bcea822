"""Slice values: the words that slices are made of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.labels import Labels

SLICE_TYPE = pa.list_(pa.string())


def slice_values(column: pa.Array | None, rows: int) -> pa.Array:
    """The values of a feature as slice words, with TFMA's meaning.

    A row with several values is in several slices, once in each; a row without
    the feature is in none. Numbers are words as they are printed (a float32 by its
    shortest decimal), and bytes that are not UTF-8 are escaped.

    Args:
      column: A list array of int64, float32 or bytes, or None if no row has it.
      rows: The number of rows.

    Returns:
      list<string>, n rows, none of them null.
    """
    if column is None:
        return _lists(np.zeros(rows + 1, np.int64), pa.array([], pa.string()))
    distinct = column.values.dictionary_encode()
    words = pa.array([_word(value) for value in _elements(distinct.dictionary)], pa.string())
    codes = distinct.indices.to_numpy().astype(np.int64)
    offsets = column.offsets.to_numpy()
    if np.diff(offsets).max(initial=0) > 1:
        codes, offsets = _without_repeats(codes, offsets, len(words))
    return _lists(offsets, words.take(pa.array(codes)))


def class_slice_values(
    label: Labels, task: config_pb2.Task.ValueType, vocabulary: tuple[str, ...]
) -> pa.Array:
    """The label as slice words: the class's name, or its number where it has none.

    Args:
      label: [n] classes, or [n, k] zeros and ones (MULTILABEL), where a row is in
        the slice of each label it has.
      task: BINARY, MULTICLASS or MULTILABEL.
      vocabulary: The classes' names, or ().

    Returns:
      list<string>, n rows.

    Raises:
      ValueError: For REGRESSION, whose labels are no classes.
    """
    if task == config_pb2.REGRESSION:
        raise ValueError("the labels of a regression are no classes to make slices of")
    if task == config_pb2.MULTILABEL:
        rows, codes = np.nonzero(label)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(label)))])
    else:
        codes, offsets = label.astype(np.int64), np.arange(len(label) + 1)
    present, inverse = np.unique(codes, return_inverse=True)
    words = pa.array([_class_word(int(code), vocabulary) for code in present], pa.string())
    return _lists(offsets, words.take(pa.array(inverse)))


def _class_word(code: int, vocabulary: tuple[str, ...]) -> str:
    return vocabulary[code] if code < len(vocabulary) else str(code)


def _elements(values: pa.Array) -> list[bytes | int | np.float32]:
    # A float32 must not become a Python float: 0.1 would print as 0.10000000149011612.
    return list(values.to_numpy()) if pa.types.is_float32(values.type) else values.to_pylist()


def _word(value: bytes | int | np.float32) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _without_repeats(
    codes: NDArray[np.int64], offsets: NDArray[np.int64], n_codes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    pairs = np.unique(rows * n_codes + codes)
    counts = np.bincount(pairs // n_codes, minlength=len(offsets) - 1)
    return pairs % n_codes, np.concatenate([[0], np.cumsum(counts)])


def _lists(offsets: NDArray[np.int64], words: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), words)
