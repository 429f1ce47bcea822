"""The loss threshold on a scale on which small losses lie apart."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.required import required_loss
from tfx_privacy.signals.batch import Signals

# The smallest positive float32: nothing lies between it and a loss of 0.
_UNIT = 2.0**-149


@dataclasses.dataclass(frozen=True)
class LogLoss(LossThreshold):
    """Score -log(1 + l / u) with u the smallest positive float32: in effect -log l.

    It orders rows as the loss does. What is measured in it by distances, as a tail is,
    tells a loss of 1e-9 from one of 1e-12. A loss of 0 has score 0, and a negative one
    (of a density) the mirror image's. It is the loss threshold for attacks that build
    on its score, no attack of its own.
    """

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """The score, [n]."""
        return minus_log(required_loss(signals))


def minus_log(values: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """-log(1 + v / u) of each value v, [n], with u the smallest positive float32; odd in v."""
    exact = values.astype(np.float64)
    return -np.copysign(np.log1p(np.abs(exact) / _UNIT), exact)
