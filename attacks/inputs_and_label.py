"""Columns of numbers, for trees, made of input features and label: nothing of the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.input_columns import MAX_COLUMNS, InputColumns
from tfx_privacy.signals.batch import Signals

# The name by which the label stands beside the features.
LABEL = "label"


@dataclasses.dataclass(frozen=True)
class InputsAndLabel:
    """What trees see of a row beside the model: columns of its inputs, then those of its label.

    Attributes:
      inputs: Columns of the features.
      label: [k] int64, the columns of the label that enter; 0 for a class; empty where
        the label is not known.
    """

    inputs: InputColumns
    label: NDArray[np.int64]

    @staticmethod
    def fit(signals: Signals) -> InputsAndLabel:
        """Chooses the columns."""
        labels = _label_columns(signals)
        kept = np.linspace(0, labels.shape[1] - 1, min(labels.shape[1], MAX_COLUMNS)).round()
        return InputsAndLabel(InputColumns.fit(signals.inputs), kept.astype(np.int64))

    @property
    def names(self) -> tuple[str, ...]:
        """The feature of each column."""
        return (*self.inputs.names, *(LABEL for _ in self.label))

    def __call__(self, signals: Signals) -> NDArray[np.float32]:
        """The columns of n rows, [n, d] float32; NaN stands for a missing value.

        Raises:
          ValueError: If a feature or a column of the label is missing.
        """
        if not len(self.label):
            return self.inputs(signals)
        labels = _label_columns(signals)
        if labels.shape[1] <= self.label[-1]:
            raise ValueError(
                f"found labels of {labels.shape[1]} columns; the attack was fitted on rows with "
                f"column {self.label[-1]}"
            )
        return np.concatenate([self.inputs(signals), labels[:, self.label]], axis=1)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        return self.inputs.arrays() | {"label": self.label}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> InputsAndLabel:
        """The columns that `arrays` came from; further arrays are left alone."""
        return InputsAndLabel(InputColumns.from_arrays(arrays), arrays["label"])


def _label_columns(signals: Signals) -> NDArray[np.float32]:
    """The label as numbers, [n, k]; k is 0 where it is not known."""
    if signals.label is None:
        return np.empty((len(signals), 0), np.float32)
    return signals.label.reshape(len(signals), -1).astype(np.float32)
