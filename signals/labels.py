"""Labels: what an example's label feature says, checked and in one form a task."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

Labels = NDArray[np.int64] | NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class LabelSpec:
    """What labels must look like.

    Attributes:
      key: The name of the feature or column.
      task: What the model answers; never TASK_UNSPECIFIED.
      output_width: Columns of the model's output; 0 where it is not known, and
        then any class from 0 on is taken.
      vocabulary: For string labels: the classes' names, in the order of the
        output's columns.
    """

    key: str
    task: config_pb2.Task.ValueType
    output_width: int
    vocabulary: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """How many classes there are; 0 where any number is possible."""
        return 2 if self.task == config_pb2.BINARY else self.output_width


def labels_of_column(
    features: dict[str, pa.Array], rows: int, spec: LabelSpec, where: str
) -> Labels:
    """The labels in a feature of decoded examples.

    Args:
      features: By name, a list array of int64, float32 or bytes for all rows.
      rows: The number of rows.
      spec: What labels must look like.
      where: Where the rows come from, for errors: "split 'train'".

    Returns:
      [n] int64, the class (BINARY, MULTICLASS), or [n, k] float32 (MULTILABEL,
      REGRESSION).

    Raises:
      InputError: If a row has no label, or one that the task does not know.
    """
    column = features.get(spec.key)
    lengths = np.zeros(rows, np.int64) if column is None else np.diff(column.offsets.to_numpy())
    missing = int((lengths == 0).sum())
    if column is None or missing:
        raise InputError(missing_label_message(spec.key, missing, rows, features, where))
    if lengths.min() != lengths.max():
        raise InputError(
            f"{where}: label {spec.key!r} has {lengths.min()} values in one example and "
            f"{lengths.max()} in another: expected the same number in all"
        )
    width = int(lengths[0])
    values = column.values
    if pa.types.is_large_binary(values.type):
        return _checked(_classes_of_strings(values, spec, where).reshape(rows, width), spec, where)
    return _checked(values.to_numpy().reshape(rows, width), spec, where)


def labels_of_array(values: NDArray[np.generic], spec: LabelSpec, where: str) -> Labels:
    """The labels in an array whose first axis is rows: a transformed label, or a saved one.

    Args and errors are those of `labels_of_column`; strings may be `str` or bytes.
    """
    rows = len(values)
    if values.dtype.kind in "OSU":
        strings = pa.array([_as_bytes(value) for value in values.ravel()], pa.large_binary())
        values = _classes_of_strings(strings, spec, where)
    elif values.dtype.kind not in "buif":
        raise InputError(
            f"{where}: label {spec.key!r} is of type {values.dtype}: expected integers, floats "
            "or strings"
        )
    return _checked(values.reshape(rows, -1), spec, where)


def missing_label_message(
    key: str, missing: int, rows: int, names: Collection[str], where: str
) -> str:
    """What to say of examples without a label."""
    return (
        f"{where}: {missing} of {rows} examples read together have no label {key!r}: expected it "
        f"in every example. Features found: {', '.join(sorted(names)) or 'none'}"
    )


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _classes_of_strings(values: pa.Array, spec: LabelSpec, where: str) -> NDArray[np.int64]:
    if not spec.vocabulary:
        raise InputError(
            f"{where}: label {spec.key!r} holds strings, {_shown(values[0].as_py())} for one: "
            "expected numbers, or a label_vocabulary in the model spec that lists the classes in "
            "the order of the model's output"
        )
    words = pa.array([word.encode() for word in spec.vocabulary], pa.large_binary())
    classes = pc.index_in(values, value_set=words)
    if classes.null_count:
        stranger = values.filter(pc.is_null(classes))[0].as_py()
        raise InputError(
            f"{where}: label {spec.key!r} is {_shown(stranger)} in one of {classes.null_count} bad "
            f"examples of {len(values)} read together: expected a word of label_vocabulary, "
            f"{', '.join(map(repr, spec.vocabulary))}"
        )
    return np.asarray(classes.to_numpy(), np.int64)


def _shown(value: bytes) -> str:
    return repr(value.decode("utf-8", "backslashreplace"))


def _checked(values: NDArray[np.generic], spec: LabelSpec, where: str) -> Labels:
    """The labels from [n, m] numbers."""
    if spec.task == config_pb2.REGRESSION:
        return _numbers(values, spec, where)
    if spec.task == config_pb2.MULTILABEL:
        return _flags(values, spec, where)
    if values.shape[1] == 1:
        return _classes(values[:, 0], spec, where)
    return _hot_columns(values, spec, where)


def _numbers(values: NDArray[np.generic], spec: LabelSpec, where: str) -> NDArray[np.float32]:
    _check_width(values, spec.output_width, spec, where)
    _check_all(np.isfinite(values), values, spec, where, "a finite number")
    return values.astype(np.float32)


def _flags(values: NDArray[np.generic], spec: LabelSpec, where: str) -> NDArray[np.float32]:
    _check_width(values, spec.output_width, spec, where)
    _check_all(np.isin(values, (0, 1)), values, spec, where, "0 or 1, a value for each label")
    return values.astype(np.float32)


def _classes(values: NDArray[np.generic], spec: LabelSpec, where: str) -> NDArray[np.int64]:
    good = np.isfinite(values) & (values == np.floor(values)) & (values >= 0)  # type: ignore[operator]
    if spec.classes:
        good &= values < spec.classes  # type: ignore[operator]
    _check_all(good, values, spec, where, _class_range(spec))
    return values.astype(np.int64)


def _class_range(spec: LabelSpec) -> str:
    if not spec.classes:
        return "a class, a whole number from 0 on"
    return (
        f"a class from 0 to {spec.classes - 1}, since the model answers with "
        f"{spec.output_width or 1} column{'s' * (spec.output_width > 1)}"
    )


def _hot_columns(values: NDArray[np.generic], spec: LabelSpec, where: str) -> NDArray[np.int64]:
    _check_width(values, spec.classes or values.shape[1], spec, where)
    one_hot = np.isin(values, (0, 1)).all(axis=1) & ((values == 1).sum(axis=1) == 1)
    _check_all(one_hot, values, spec, where, "a class, or a one-hot vector with a single 1")
    return np.asarray(values.argmax(axis=1), np.int64)


def _check_width(values: NDArray[np.generic], expected: int, spec: LabelSpec, where: str) -> None:
    if expected and values.shape[1] != expected:
        raise InputError(
            f"{where}: label {spec.key!r} has {values.shape[1]} values an example: expected "
            f"{expected}, as the model's output has for the task "
            f"{config_pb2.Task.Name(spec.task)}"
        )


def _check_all(
    good: NDArray[np.bool_],
    values: NDArray[np.generic],
    spec: LabelSpec,
    where: str,
    expected: str,
) -> None:
    bad = np.flatnonzero(~good.reshape(len(values), -1).all(axis=1))
    if len(bad):
        raise InputError(
            f"{where}: label {spec.key!r} is {values[bad[0]].tolist()} in one of {len(bad)} bad "
            f"examples of {len(values)} read together: expected {expected}"
        )
