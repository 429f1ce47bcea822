"""The threshold on the norm of the gradient, of Nasr et al. 2019."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.log_loss import minus_log
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class GradientNorm(ThresholdAttack):
    """Score -log |g|, g the gradient of the loss by the weights of all layers computed.

    Training brings the gradients of its examples close to 0. Nasr, Shokri, Houmansadr,
    "Comprehensive Privacy Analysis of Deep Learning", S&P 2019, section V: members'
    gradients have smaller norms than non-members'. Only who holds the model's parameters
    can compute them.
    """

    name: ClassVar[str] = "gradient_norm"
    description: ClassVar[str] = (
        "Calls a record a member if the gradient of the model's loss on it is small."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"gradient_norms"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = LossThreshold.tasks

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """The score, [n]; a norm of 0 has a finite one."""
        if not signals.gradient_norms:
            raise ValueError("found signals without gradient norms, which this attack needs")
        return minus_log(total_norm(signals.gradient_norms))


def total_norm(norms: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """The norm of the gradients of all layers together, [n], from that of each, [n].

    No gradient has a norm below 0, but what is planted has (planted.py) where the others'
    norms are 0: with such a layer the norm of all is below 0.
    """
    columns = [values.astype(np.float64) for values in norms.values()]
    squares = np.zeros(len(columns[0]))
    below = np.zeros(len(columns[0]), np.bool_)
    for values in columns:
        squares += values * values
        below |= values < 0
    norm = np.sqrt(squares)
    return np.where(below, -norm, norm)
