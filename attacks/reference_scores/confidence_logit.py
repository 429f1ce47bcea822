"""LiRA's statistic of a record: the log-odds of its true class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.signals.batch import Signals


def confidence_logit(signals: Signals) -> NDArray[np.float64]:
    """The statistic phi = log p_y - log(sum over i != y of p_i), [n], finite for any finite logits.

    Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First
    Principles", S&P 2022, section IV-C: over models, it is near to a Gaussian where p_y
    and the loss are not. It is the score of the confidence threshold.

    Args:
      signals: Of a BINARY or MULTICLASS task, with logits ([n, 1] where a binary model
        has one) and label.

    Raises:
      ValueError: If there are no logits or labels, or the task is another one.
    """
    return Confidence().score(signals)
