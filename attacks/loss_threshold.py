"""The loss threshold of Yeom et al. 2018."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.required import required_loss
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class LossThreshold(ThresholdAttack):
    """Score -l: a model has a smaller loss on what it was trained on.

    Yeom, Giacomelli, Fredrikson, Jha, "Privacy Risk in Machine Learning: Analyzing
    the Connection to Overfitting", CSF 2018, Adversary 2.
    """

    name: ClassVar[str] = "loss_threshold"
    description: ClassVar[str] = "Calls a record a member if the model's loss on it is small."
    needs: ClassVar[frozenset[str]] = frozenset({"loss"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {
            config_pb2.BINARY,
            config_pb2.MULTICLASS,
            config_pb2.MULTILABEL,
            config_pb2.REGRESSION,
        }
    )

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """-l, [n]."""
        return -required_loss(signals).astype(np.float64)
