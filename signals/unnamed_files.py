"""Files of predictions whose columns have no names: .npy arrays, and Privacy Meter's layout.

ML Privacy Meter (2020) reads `.txt` files of lines "v1,v2,...;label", and `.npy` arrays of
strings that hold the same: [n, 2], or [n, c + 1] with the values in c parts. What follows
the last semicolon is the label. There the values are a record's features; here they are
what the model answers for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError

# An array `<name>_labels.npy` has the labels of `<name>.npy`, and of these as well.
_LABELS = "_labels"
_INSTEAD_OF_LABELS = ("_logits", "_probabilities", "_predictions")
# So many rows of text are taken apart at once: their pieces take more memory than they do.
_ROWS_AT_ONCE = 16384


@dataclasses.dataclass(frozen=True)
class UnnamedColumns:
    """What such a file holds.

    Attributes:
      values: [n] or [n, w] numbers, what the model answers.
      label: [n] or [n, k] numbers, or [n] strings; None where there are none.
    """

    values: NDArray[Any]
    label: NDArray[Any] | None


def columns_of_text(path: str, stream: BinaryIO) -> UnnamedColumns:
    """The columns of a text file of lines "v1,v2,...;label", or of values alone.

    Args:
      path: The file, for errors.
      stream: Its bytes, UTF-8. Empty lines are skipped.

    Raises:
      InputError: If a line has another number of values or parts than the first, or a
        value is no number.
      ValueError: If the file is not UTF-8.
    """
    lines = stream.read().decode().splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if line.strip()]
    rows = [lines[number - 1].split(";") for number in numbers]
    return _columns(rows, lambda row: f"line {numbers[row]} of {path!r}")


def columns_of_npy(path: str, stream: BinaryIO) -> UnnamedColumns:
    """The columns of an .npy array.

    Args:
      path: The file; where it holds numbers, labels are looked for beside it:
        `<name>_labels.npy`, or where the name ends in `_logits`, `_probabilities` or
        `_predictions`, the name with `_labels` in the place of that.
      stream: Its bytes: an array of [n] or [n, w] numbers, or of [n, 2] strings or
        more, the last of each row the label.

    Raises:
      InputError: If the array has another form, or the labels do not belong to it.
      ValueError: If a file is no .npy array, or holds pickled objects.
    """
    values: NDArray[Any] = np.load(stream, allow_pickle=False)
    if values.dtype.kind in "SU" and values.ndim == 2 and values.shape[1] > 1:
        words = np.char.decode(values) if values.dtype.kind == "S" else values
        return _columns(words.tolist(), lambda row: f"row {row} of {path!r}")
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2):
        raise InputError(
            f"{path!r} is an array of {values.dtype} of shape {values.shape}: expected [n] or "
            "[n, w] numbers, what the model answers, or [n, 2] strings, its values and the label"
        )
    beside = _labels_beside(path)
    if beside is None:
        return UnnamedColumns(values, None)
    with files.open_to_read(beside) as labels_stream:
        label: NDArray[Any] = np.load(labels_stream, allow_pickle=False)
    if not label.ndim or len(label) != len(values):
        raise InputError(
            f"{beside!r} has the shape {label.shape} and {path!r} {values.shape}: expected a "
            "label for each row"
        )
    return UnnamedColumns(values, label)


def _labels_beside(path: str) -> str | None:
    stem = path.removesuffix(".npy")
    names = [stem, *(stem.removesuffix(end) for end in _INSTEAD_OF_LABELS if stem.endswith(end))]
    paths = (f"{name}{_LABELS}.npy" for name in names)
    return next((found for found in paths if files.exists(found)), None)


def _columns(rows: Sequence[Sequence[str]], where: Callable[[int], str]) -> UnnamedColumns:
    """The columns of rows of parts, of which the last is the label if there are several.

    Args:
      rows: n rows of parts.
      where: A row in words, by its number.
    """
    if not rows:
        return UnnamedColumns(np.empty((0, 1)), None)
    parts = len(rows[0])
    for row, found in enumerate(rows):
        if len(found) != parts:
            raise InputError(
                f"{where(row)} has {len(found)} parts divided by ';': expected {parts}, as "
                f"{where(0)} has"
            )
    if parts == 1:
        return UnnamedColumns(_numbers([found[0] for found in rows], where), None)
    values = _numbers([",".join(found[:-1]) for found in rows], where)
    return UnnamedColumns(values, _labels([found[-1].strip() for found in rows]))


def _numbers(texts: Sequence[str], where: Callable[[int], str]) -> NDArray[np.float64]:
    """[n, w] of n texts of w numbers each."""
    width = texts[0].count(",") + 1
    for row, text in enumerate(texts):
        if text.count(",") + 1 != width:
            raise InputError(
                f"{where(row)} has {text.count(',') + 1} values: expected {width}, as {where(0)} "
                "has"
            )
    parts = []
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        words = ",".join(texts[start : start + _ROWS_AT_ONCE]).split(",")
        try:
            numbers = np.array(words, np.float64)
        except ValueError as error:
            bad = next(place for place, word in enumerate(words) if not _is_number(word))
            raise InputError(
                f"{where(start + bad // width)} has {words[bad]!r} among its values: expected "
                "numbers divided by ','"
            ) from error
        parts.append(numbers.reshape(-1, width))
    return np.concatenate(parts)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _labels(texts: Sequence[str]) -> NDArray[Any]:
    """Whole numbers if all are, else numbers, else the texts as they are."""
    words = [text.split(",") for text in texts]
    if len({len(found) for found in words}) == 1:
        for kind in (np.int64, np.float64):
            try:
                labels = np.array(words).astype(kind)
            except ValueError:
                continue
            return labels if labels.shape[1] > 1 else labels[:, 0]
    return np.array(texts)
