"""RMIA's statistic of a record: the probability of its true class, as a logarithm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.probabilities import class_logits, class_probabilities, of_class
from tfx_privacy.attacks.required import required_class
from tfx_privacy.signals.batch import Signals


def true_class_log_probability(signals: Signals) -> NDArray[np.float64]:
    """The log p_y, [n], finite for any finite logits.

    Args:
      signals: Of a BINARY or MULTICLASS task, with logits ([n, 1] where a binary model
        has one) and label.

    Raises:
      ValueError: If there are no logits or labels, or the task is another one.
    """
    return in_blocks(_log_probability, signals)


def _log_probability(signals: Signals) -> NDArray[np.float64]:
    return of_class(class_probabilities(class_logits(signals)).log_p, required_class(signals))
