"""Signals of a number of examples, as columns in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.reference_signals import ReferenceSignals

# The columns that only an attacker with the model's parameters sees.
WHITE_BOX = ("gradient_norms", "gradient_sketches", "activations")


@dataclasses.dataclass(frozen=True)
class Signals:
    """What an attacker observes of n examples.

    Attributes:
      task: What the model answers; decides the meaning of `label` and `logits`.
      ids: [n, 2] uint64, the two halves of each row's 128-bit id.
      member: [n] bool, whether the model was trained on the row.
      label: The true answer: [n] int64, the class (BINARY, MULTICLASS); [n, k]
        float32, one 0 or 1 a label (MULTILABEL); [n, k] float32, the numbers
        (REGRESSION). None where it is not known.
      logits: [n, w] float32, the model's unnormalised scores; for REGRESSION its
        predictions. w is 1 for a binary model with one output. None where only
        the loss or the entropy is known.
      loss: [n] float32, the loss of the row in nats (squared error for
        REGRESSION). None where there is no label.
      entropy: [n] float32, the entropy of the model's prediction in nats. Only
        where there are no logits, which tell it more precisely.
      units: [n, 2] uint64, a digest of the unit (person) of the row, or None.
      weight: [n] float32, the example weight, or None.
      slices: For each feature that slices are made of, a list<string> array of
        n rows: the row's values of that feature.
      inputs: By name, a list array of n rows, none of them null: what the example
        has for that input feature, list<float32> for numbers and list<uint64>, a
        hash of each word, for strings. An example without the feature has an
        empty list.
      gradient_norms: By the layer's name, [n] float32: the exact norm of the gradient
        of the row's loss with regard to the layer's weights.
      gradient_sketches: By the layer's name, [n, rows * columns] float32: that gradient
        projected at random, row by row of the sketch.
      activations: By the layer's name, [n, w] float32: what comes out of it before its
        activation function, projected at random where it is wide.
    """

    task: config_pb2.Task.ValueType
    ids: NDArray[np.uint64]
    member: NDArray[np.bool_]
    label: NDArray[np.int64] | NDArray[np.float32] | None = None
    logits: NDArray[np.float32] | None = None
    loss: NDArray[np.float32] | None = None
    entropy: NDArray[np.float32] | None = None
    units: NDArray[np.uint64] | None = None
    weight: NDArray[np.float32] | None = None
    slices: Mapping[str, pa.Array] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, pa.Array] = dataclasses.field(default_factory=dict)
    gradient_norms: Mapping[str, NDArray[np.float32]] = dataclasses.field(default_factory=dict)
    gradient_sketches: Mapping[str, NDArray[np.float32]] = dataclasses.field(default_factory=dict)
    activations: Mapping[str, NDArray[np.float32]] = dataclasses.field(default_factory=dict)
    references: ReferenceSignals | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Signals:
        """The rows at the given indices, or where a mask is true."""
        indices = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        columns: dict[str, Any] = {
            name: None if column is None else column[indices]
            for name, column in self._columns().items()
        }
        return Signals(
            task=self.task,
            slices=_take(self.slices, indices),
            inputs=_take(self.inputs, indices),
            gradient_norms=_rows(self.gradient_norms, indices),
            gradient_sketches=_rows(self.gradient_sketches, indices),
            activations=_rows(self.activations, indices),
            references=None if self.references is None else self.references.take(indices),
            **columns,
        )

    def sorted_by_id(self) -> Signals:
        """The same rows in the order of their ids."""
        return self.take(np.lexsort((self.ids[:, 1], self.ids[:, 0])))

    def without_white_box(self) -> Signals:
        """The rows without what only an attacker with the model's parameters sees."""
        return dataclasses.replace(self, gradient_norms={}, gradient_sketches={}, activations={})

    @staticmethod
    def concatenate(parts: Sequence[Signals]) -> Signals:
        """The rows of all parts, in order.

        Raises:
          ValueError: If there are no parts, or they differ in task or columns.
        """
        if not parts:
            raise ValueError("nothing to concatenate: found no parts, expected at least one")
        first = parts[0]
        for part in parts[1:]:
            if part._form() != first._form():
                raise ValueError(
                    "parts of a signals table do not belong together: "
                    f"found {part._form()}, expected {first._form()}"
                )
        columns: dict[str, Any] = {
            name: None
            if column is None
            else np.concatenate([part._columns()[name] for part in parts])
            for name, column in first._columns().items()
        }
        return Signals(
            task=first.task,
            slices=_concatenate([part.slices for part in parts]),
            inputs=_concatenate([part.inputs for part in parts]),
            gradient_norms=_joined([part.gradient_norms for part in parts]),
            gradient_sketches=_joined([part.gradient_sketches for part in parts]),
            activations=_joined([part.activations for part in parts]),
            references=_joined_references([part.references for part in parts]),
            **columns,
        )

    # Columns differ in type and are treated alike here: the one place where Any stands for them.
    def _columns(self) -> dict[str, Any]:
        names = ("ids", "member", "label", "logits", "loss", "entropy", "units", "weight")
        return {name: getattr(self, name) for name in names}

    def _form(self) -> dict[str, object]:
        widths = {
            name: None if column is None else column.shape[1:]
            for name, column in self._columns().items()
        }
        inputs = {name: str(self.inputs[name].type.value_type) for name in sorted(self.inputs)}
        layers = {
            name: {layer: getattr(self, name)[layer].shape[1:] for layer in getattr(self, name)}
            for name in WHITE_BOX
        }
        slices = sorted(self.slices)
        references = None if self.references is None else self.references.layout
        return {
            "task": self.task,
            "slices": slices,
            "inputs": inputs,
            "references": references,
            **widths,
            **layers,
        }


def _take(columns: Mapping[str, pa.Array], indices: NDArray[np.generic]) -> dict[str, pa.Array]:
    if not columns:
        # The first array that PyArrow makes of NumPy's imports pandas: 30 MB.
        return {}
    rows = pa.array(indices)
    return {name: column.take(rows) for name, column in columns.items()}


def _concatenate(parts: Sequence[Mapping[str, pa.Array]]) -> dict[str, pa.Array]:
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _rows(
    columns: Mapping[str, NDArray[np.float32]], indices: NDArray[np.generic]
) -> dict[str, NDArray[np.float32]]:
    return {name: column[indices] for name, column in columns.items()}


def _joined(
    parts: Sequence[Mapping[str, NDArray[np.float32]]],
) -> dict[str, NDArray[np.float32]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _joined_references(parts: Sequence[ReferenceSignals | None]) -> ReferenceSignals | None:
    there = [part for part in parts if part is not None]
    return ReferenceSignals.concatenate(there) if there else None
