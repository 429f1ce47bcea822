"""The gap attack: member if the model is right."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.probabilities import class_logits
from tfx_privacy.attacks.required import required_class
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class Correctness(ThresholdAttack):
    """Score 1 where argmax f(x) = y, else 0: its advantage is the generalisation gap.

    Yeom et al. 2018, Adversary 1 (section 3.2) for a 0-1 loss; the "gap attack" of
    Choquette-Choo et al., "Label-Only Membership Inference Attacks", ICML 2021. Of
    classes with equal logits the first is taken as the prediction; a binary model with
    one output predicts class 1 where its logit is above 0.
    """

    name: ClassVar[str] = "correctness"
    description: ClassVar[str] = "Calls a record a member if the model's prediction is right."
    needs: ClassVar[frozenset[str]] = frozenset({"logits", "label"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {config_pb2.BINARY, config_pb2.MULTICLASS}
    )

    # Right is right, however sure.
    sees_planted: ClassVar[bool] = False

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """1.0 where the prediction is right, else 0.0, [n]."""
        predicted = class_logits(signals).argmax(axis=1)
        return np.where(predicted == required_class(signals), 1.0, 0.0)
