"""Features of signals on the scale of the FIT rows: the input of every trained attack."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.features import feature_groups
from tfx_privacy.attacks.required import required_logits, required_loss
from tfx_privacy.attacks.scaled_columns import ScaledColumns
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

# Risk does not rise steadily with these: members of an overfitted model lie in a
# band, and who is surer than any member is an easy record, not a member.
_BENT = ("true_log_odds", "log_entropy", "log_loss")

# The raw logits are the least specific features of all and many: a smaller scale
# makes an attack need more evidence to use them.
_GROUP_SCALE: Mapping[str, float] = {"logits": 0.5, "margins": 0.5, "predicted": 0.5}


class Features(Protocol):
    """What a fitted attack makes of signals before anything else."""

    @property
    def limit(self) -> float:
        """No feature is larger than this."""

    def __call__(self, signals: Signals) -> NDArray[np.float64]:
        """The features of n rows, [n, d] float64."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """Features of logits, loss and label, standardised; see scaled_columns.py.

    Attributes:
      task: The task of the rows it was made from.
      width: Columns of their logits.
      loss_floor: The smallest positive loss on FIT.
      columns: The scale of the features.
    """

    task: config_pb2.Task.ValueType
    width: int
    loss_floor: float
    columns: ScaledColumns

    @staticmethod
    def fit(signals: Signals) -> FeatureMap:
        """A map with the statistics of these rows, of which there is at least one.

        Raises:
          ValueError: If there are no logits, loss or label.
        """
        loss = required_loss(signals)
        positive = loss[loss > 0]
        loss_floor = float(positive.min()) if len(positive) else 1.0
        groups = {
            name: values.shape[1]
            for name, values in feature_groups(signals.take(np.arange(1)), loss_floor).items()
        }
        columns = in_blocks(lambda block: _columns(block, loss_floor), signals)
        return FeatureMap(
            task=signals.task,
            width=required_logits(signals).shape[1],
            loss_floor=loss_floor,
            columns=ScaledColumns.of(columns, groups, _BENT, _GROUP_SCALE),
        )

    @property
    def limit(self) -> float:
        """No feature is larger than this."""
        return self.columns.limit

    def __call__(self, signals: Signals) -> NDArray[np.float64]:
        """The features of n rows, [n, d] float64.

        Raises:
          ValueError: If the rows are of another kind than those the map was made from.
        """
        found = (signals.task, required_logits(signals).shape[1])
        if found != (self.task, self.width):
            raise ValueError(
                f"found signals of the task {config_pb2.Task.Name(found[0])} with {found[1]} "
                f"columns of logits; the attack was fitted on {config_pb2.Task.Name(self.task)} "
                f"with {self.width}"
            )
        return in_blocks(self._standardised, signals)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        return {
            "task": np.asarray(self.task),
            "width": np.asarray(self.width),
            "loss_floor": np.asarray(self.loss_floor),
            **self.columns.arrays(),
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> FeatureMap:
        """The map that `arrays` came from; further arrays are left alone."""
        return FeatureMap(
            task=config_pb2.Task.ValueType(int(arrays["task"])),
            width=int(arrays["width"]),
            loss_floor=float(arrays["loss_floor"]),
            columns=ScaledColumns.from_arrays(arrays),
        )

    def _standardised(self, signals: Signals) -> NDArray[np.float64]:
        return self.columns.scaled(_columns(signals, self.loss_floor))


def _columns(signals: Signals, loss_floor: float) -> NDArray[np.float64]:
    return np.concatenate(list(feature_groups(signals, loss_floor).values()), axis=1)
