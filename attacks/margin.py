"""The margin threshold: how far the true class is ahead in the logits."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.probabilities import class_logits, of_class
from tfx_privacy.attacks.required import required_class, required_label, required_logits
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class Margin(ThresholdAttack):
    """Score z_y - max over i != y of z_i, positive where the prediction is right.

    Of the other classes it sees the strongest alone, where the logit-scaled confidence of
    Carlini et al., "Membership Inference Attacks From First Principles", S&P 2022, section
    IV-C, sees all of them: log p_y - log(1 - p_y) lies below it, by at most log(k - 1)
    with k classes. As a statistic of their attack it is the option "hinge" of TF Privacy's
    `calculate_statistic`. Here with one threshold for all records.

    A binary model with one output z has the margin z for class 1 and -z for class 0.
    With several labels (MULTILABEL) every label is such a model, and the score is the
    smallest of their margins: members are right on all labels.
    """

    name: ClassVar[str] = "margin"
    description: ClassVar[str] = (
        "Calls a record a member if the model's logit of the true class is far ahead of the next."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"logits", "label"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {config_pb2.BINARY, config_pb2.MULTICLASS, config_pb2.MULTILABEL}
    )

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """The margin, [n]."""
        if signals.task == config_pb2.MULTILABEL:
            return _smallest_of_labels(signals)
        logits, label = class_logits(signals), required_class(signals)
        true_logit = of_class(logits, label)
        logits[np.arange(len(logits)), label] = -np.inf
        margin: NDArray[np.float64] = true_logit - logits.max(axis=1)
        return margin


def _smallest_of_labels(signals: Signals) -> NDArray[np.float64]:
    logits = required_logits(signals).astype(np.float64)
    margins = np.where(required_label(signals) > 0.5, logits, -logits)
    smallest: NDArray[np.float64] = margins.min(axis=1)
    return smallest
