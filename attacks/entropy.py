"""The entropy threshold: how sure the model is, of whatever class."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.log_loss import minus_log
from tfx_privacy.attacks.probabilities import (
    ClassProbabilities,
    class_logits,
    class_probabilities,
    log_sum_exp,
)
from tfx_privacy.attacks.required import required_entropy
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class Entropy(ThresholdAttack):
    """Score -log H with H = -sum p_i log p_i, which orders rows as -H does. Needs no label.

    Proposed by Shokri, Stronati, Song, Shmatikov, "Membership Inference Attacks Against
    Machine Learning Models", S&P 2017, section VIII (figure 12); as an attack by Song
    and Mittal 2020, section 3.2.2, here with one threshold for all classes.

    Where an entropy is known and no logits are, it is taken as it was given, whatever it
    is the entropy of: the score orders rows as its negative does.
    """

    name: ClassVar[str] = "entropy"
    description: ClassVar[str] = (
        "Calls a record a member if the model's prediction is sure, right or wrong."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {config_pb2.BINARY, config_pb2.MULTICLASS}
    )

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """-log H, [n]."""
        if signals.logits is None:
            return minus_log(required_entropy(signals))
        return -log_entropy(class_probabilities(class_logits(signals)))

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack. Either of logits and entropy will do."""
        if signals.logits is not None:
            return super().cannot_run(signals)
        if signals.entropy is None:
            return "needs logits or entropy, which the signals do not have"
        return None


def log_entropy(probabilities: ClassProbabilities) -> NDArray[np.float64]:
    """The logarithm of H, [n]; H in nats.

    All terms -p_i log p_i are positive, so their logarithms add up without loss,
    and H may be as small as e^-(10^38).
    """
    return log_sum_exp(probabilities.log_p + probabilities.log_surprise())
