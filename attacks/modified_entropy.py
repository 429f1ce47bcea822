"""The modified-entropy threshold of Song and Mittal 2020."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.probabilities import class_logits, class_probabilities, log_sum_exp
from tfx_privacy.attacks.required import required_class
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class ModifiedEntropy(ThresholdAttack):
    """Score -log M, which orders rows as -M does.

    M = -(1 - p_y) log p_y - sum over i != y of p_i log(1 - p_i): unlike the entropy it
    is small only where the model is sure and right. Song and Mittal, "Systematic
    Evaluation of Privacy Risks of Machine Learning Models" (arXiv 2020, USENIX Security
    2021), equation 6, with one threshold for all classes.
    """

    name: ClassVar[str] = "modified_entropy"
    description: ClassVar[str] = (
        "Calls a record a member if the model's prediction is sure and right, "
        "all classes considered."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"logits", "label"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {config_pb2.BINARY, config_pb2.MULTICLASS}
    )

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """-log M, [n]."""
        probabilities = class_probabilities(class_logits(signals))
        rows, label = np.arange(len(signals)), required_class(signals)
        log_terms = probabilities.log_p + probabilities.log_surprise_of_others()
        log_terms[rows, label] = (probabilities.log_q + probabilities.log_surprise())[rows, label]
        return -log_sum_exp(log_terms)
