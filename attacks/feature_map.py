"""Features of signals on the scale of the FIT rows: the input of every trained attack."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.features import feature_groups
from tfx_privacy.attacks.required import required_logits, required_loss
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

# Risk does not rise steadily with these: members of an overfitted model lie in a
# band, and who is surer than any member is an easy record, not a member. A bend at
# each of these quantiles lets a linear model follow that.
_BENT = ("true_log_odds", "log_entropy", "log_loss")
_BENDS = (0.1, 0.3, 0.5, 0.7, 0.9)

# The raw logits are the least specific features of all and many: a smaller scale
# makes an attack need more evidence to use them.
_GROUP_SCALE: Mapping[str, float] = {"logits": 0.5, "margins": 0.5, "predicted": 0.5}

# A feature further from the mean than this many standard deviations stops there.
_CLIP = 8.0


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """Standardised features: mean 0 and standard deviation 1 on FIT rows, within +-8.

    Then each group of g columns is divided by sqrt(g), so that under one penalty on
    the size of weights, ten sorted logits weigh as much as one loss and a hundred
    one-hot columns do not drown it. A feature that does not vary on FIT is 0.

    Attributes:
      task: The task of the rows it was made from.
      width: Columns of their logits.
      loss_floor: The smallest positive loss on FIT.
      bent: [b] int64, the columns that bend.
      bends: [b, 5], where each of them does.
      mean: [d], of each feature on FIT.
      deviation: [d], its standard deviation on FIT; infinite where it does not vary.
      scale: [d], what standardised features are multiplied by.
    """

    task: config_pb2.Task.ValueType
    width: int
    loss_floor: float
    bent: NDArray[np.int64]
    bends: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    scale: NDArray[np.float64]

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
        bent = _bent_columns(groups)
        bends = np.quantile(columns[:, bent], _BENDS, axis=0).T
        columns = _with_bends(columns, bent, bends)
        # Not by the deviation: rounding makes that of a constant tiny, not 0.
        varies = columns.max(axis=0) > columns.min(axis=0)
        return FeatureMap(
            task=signals.task,
            width=required_logits(signals).shape[1],
            loss_floor=loss_floor,
            bent=bent,
            bends=bends,
            mean=columns.mean(axis=0),
            deviation=np.where(varies, columns.std(axis=0), np.inf),
            scale=_scales(groups, len(bent)),
        )

    @property
    def limit(self) -> float:
        """No feature is larger than this."""
        return _CLIP * float(self.scale.max())

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
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> FeatureMap:
        """The map that `arrays` came from; further arrays are left alone."""
        return FeatureMap(
            task=config_pb2.Task.ValueType(int(arrays["task"])),
            width=int(arrays["width"]),
            loss_floor=float(arrays["loss_floor"]),
            bent=arrays["bent"],
            bends=arrays["bends"],
            mean=arrays["mean"],
            deviation=arrays["deviation"],
            scale=arrays["scale"],
        )

    def _standardised(self, signals: Signals) -> NDArray[np.float64]:
        columns = _with_bends(_columns(signals, self.loss_floor), self.bent, self.bends)
        return np.clip((columns - self.mean) / self.deviation, -_CLIP, _CLIP) * self.scale


def _columns(signals: Signals, loss_floor: float) -> NDArray[np.float64]:
    return np.concatenate(list(feature_groups(signals, loss_floor).values()), axis=1)


def _bent_columns(groups: Mapping[str, int]) -> NDArray[np.int64]:
    """The columns of groups of one column that bend."""
    first = np.cumsum([0, *groups.values()])[:-1]
    bent = [column for name, column in zip(groups, first, strict=True) if name in _BENT]
    return np.array(bent, dtype=np.int64)


def _with_bends(
    columns: NDArray[np.float64], bent: NDArray[np.int64], bends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The columns, and max(0, column - bend) for each bend of each column that bends."""
    above = np.maximum(columns[:, bent, None] - bends, 0)
    return np.concatenate([columns, above.reshape(len(columns), bends.size)], axis=1)


def _scales(groups: Mapping[str, int], bent: int) -> NDArray[np.float64]:
    of_groups = [
        np.full(width, _GROUP_SCALE.get(name, 1.0) / np.sqrt(width))
        for name, width in groups.items()
    ]
    of_bends = np.full(bent * len(_BENDS), 1.0 / np.sqrt(len(_BENDS)))
    return np.concatenate([*of_groups, of_bends])
