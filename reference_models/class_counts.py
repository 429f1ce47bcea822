"""How many records of each class there are, in a pool and in the training set of each model."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.reference_models.model_job import model_name
from tfx_privacy.signals.errors import InputError

# More different values than this are no classes.
_MOST_CLASSES = 50_000


@dataclasses.dataclass(frozen=True)
class ClassCounts:
    """Counts that can be added.

    Attributes:
      of: By class, as text, the records of the pool and then of each model's training set.
      are_numbers: Whether labels are no classes: floats, or too many different ones.
    """

    of: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    are_numbers: bool = False

    def __add__(self, other: ClassCounts) -> ClassCounts:
        if self.are_numbers or other.are_numbers:
            return ClassCounts(are_numbers=True)
        added = dict(self.of)
        for label, counts in other.of.items():
            mine = added.get(label)
            added[label] = (
                counts if mine is None else tuple(a + b for a, b in zip(mine, counts, strict=True))
            )
        if len(added) > _MOST_CLASSES:
            return ClassCounts(are_numbers=True)
        return ClassCounts(added)


def count_classes(column: pa.Array | None, inside: NDArray[np.bool_]) -> ClassCounts:
    """Counts the classes of some records.

    Args:
      column: The label feature, a list array: a class, or a number for each class that is
        not 0 where the record has the class. None where no record has the feature.
      inside: [n, models], whether each model is trained on each record.
    """
    if column is None:
        return ClassCounts()
    if pa.types.is_floating(column.type.value_type):
        return ClassCounts(are_numbers=True)
    rows, labels = _classes(column)
    members = np.concatenate([np.ones((len(inside), 1), bool), inside], axis=1)[rows]
    distinct = labels.dictionary_encode()
    codes = distinct.indices.to_numpy()
    if not len(codes):
        return ClassCounts()
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(distinct.dictionary)))
    counts = np.add.reduceat(members[order], starts, axis=0, dtype=np.int64)
    names = [_name(value) for value in distinct.dictionary.to_pylist()]
    return ClassCounts(dict(zip(names, map(tuple, counts.tolist()), strict=True)))


def require_classes(
    counts: ClassCounts, label_key: str, columns: Sequence[int], records: Mapping[int, int], k: int
) -> None:
    """Sees to it that every model is trained on every class of the pool.

    Args:
      counts: Of the pool and some models.
      label_key: The label feature, for errors.
      columns: Which models are counted.
      records: By index of each model to look at, how many records it is trained on.
      k: How many models there are.

    Raises:
      InputError: If a model's training set lacks a class.
    """
    for label, (pool, *of_models) in sorted(counts.of.items()):
        for index, count in zip(columns, of_models, strict=True):
            if not count and index in records:
                raise InputError(
                    f"{model_name(index, k)}: none of its {records[index]:,} training records is "
                    f"of class {label} of the label {label_key!r}, of which the pool has {pool:,}: "
                    "expected every class in every half of the pool; use a larger pool, leave the "
                    f"class out, or draw other halves by another seed{_unless_a_class(label)}"
                )


def require_label(label_key: str, features: Collection[str], transformed: Collection[str]) -> None:
    """Raises an InputError where a label feature is in neither sort of features."""
    if label_key not in features and label_key not in transformed:
        also = f"; Transform's graph makes {', '.join(sorted(transformed))}" if transformed else ""
        raise InputError(
            f"there is no label {label_key!r} (model_spec.label_key) in the pool of the reference "
            f"models: found the features {', '.join(sorted(features)) or 'none'}{also}"
        )


def _unless_a_class(label: str) -> str:
    """What to do where a class's name is a number that is none."""
    if not label.lstrip("-").isdigit():
        return ""
    return "; if this label is a quantity and no class, set model_spec.task to REGRESSION"


def _classes(column: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """The row and the class of each label."""
    lengths = np.diff(column.offsets.to_numpy())
    rows = np.repeat(np.arange(len(column)), lengths)
    start, end = column.offsets[0].as_py(), column.offsets[-1].as_py()
    values = column.values[start:end]
    if lengths.max(initial=0) <= 1 or pa.types.is_large_binary(values.type):
        return rows, values
    # One-hot, or a flag for each class.
    position = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    has = values.to_numpy() != 0
    return rows[has], pa.array(position[has])


def _name(value: int | bytes) -> str:
    return (
        repr(value.decode("utf-8", "backslashreplace")) if isinstance(value, bytes) else f"{value}"
    )
