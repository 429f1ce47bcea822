"""The confidence threshold: the probability of the true class."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.probabilities import class_logits, class_probabilities, of_class
from tfx_privacy.attacks.required import required_class
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class Confidence(ThresholdAttack):
    """Score log p_y - log(1 - p_y), which orders rows as p_y does and does not stop at 1.

    The threshold on p_y: Song and Mittal, "Systematic Evaluation of Privacy Risks of
    Machine Learning Models" (arXiv 2020, USENIX Security 2021), section 3.2.2, with
    one threshold for all classes. Its log-odds: Carlini et al., "Membership Inference
    Attacks From First Principles", S&P 2022, section IV-C.
    """

    name: ClassVar[str] = "confidence"
    description: ClassVar[str] = (
        "Calls a record a member if the model gives its true class a high probability."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"logits", "label"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {config_pb2.BINARY, config_pb2.MULTICLASS}
    )

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """The log-odds of p_y, [n]."""
        log_odds = class_probabilities(class_logits(signals)).log_odds()
        return of_class(log_odds, required_class(signals))
