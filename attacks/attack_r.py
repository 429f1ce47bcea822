"""Attack-R: how small a record's loss is among its losses under models without it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.reference_attack import ReferenceAttack, Setting
from tfx_privacy.attacks.reference_scores.attack_r import attack_r
from tfx_privacy.attacks.required import required_loss, required_references
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class AttackR(ReferenceAttack, ThresholdAttack):
    """Score: the share of reference models without the record whose loss on it is larger.

    Ye, Maddi, Murakonda, Bindschaedler, Shokri, "Enhanced Membership Inference Attacks
    against Machine Learning Models", CCS 2022, Attack R; see reference_scores/attack_r.py.
    It has a threshold for each record, and by k models in pairs takes k / 2 + 1 values
    and those between for equal losses: small false-positive rates need many models.

    Attributes:
      setting: It looks at models without the record alone.
    """

    setting: Setting = dataclasses.field(default=Setting.OFFLINE, init=False)

    name: ClassVar[str] = "attack_r"
    description: ClassVar[str] = (
        "Calls a record a member if the model's loss on it is small among the losses of reference "
        "models trained without it."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"loss", "references"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {
            config_pb2.BINARY,
            config_pb2.MULTICLASS,
            config_pb2.MULTILABEL,
            config_pb2.REGRESSION,
        }
    )
    # Below all of few models is below all, however far: many rows tie with planted ones.
    sees_planted: ClassVar[bool] = False

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """The share, [n], from 0 to 1."""
        references = required_references(signals)
        return attack_r(
            required_loss(signals).astype(np.float64),
            references.loss.astype(np.float64),
            references.inside,
        )
