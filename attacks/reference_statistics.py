"""What attacks compare of a record: the target's answers beside those of reference models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.attacks.reference_scores.confidence_logit import confidence_logit
from tfx_privacy.attacks.required import required_references
from tfx_privacy.signals.batch import Signals


def target_log_odds(signals: Signals) -> NDArray[np.float64]:
    """LiRA's phi under the target, [n, q]: of the record itself, then of further queries.

    The record's own is computed from the logits, as for any other attack: what is hidden
    or planted there is hidden or planted here.

    Raises:
      ValueError: If there are no logits, labels or references, or the task is another one.
    """
    own = confidence_logit(signals)[:, None]
    further = required_references(signals).target_logit
    if further is None:
        return own
    return np.concatenate([own, further[:, 1:].astype(np.float64)], axis=1)


def reference_log_odds(signals: Signals) -> NDArray[np.float64]:
    """The same under the reference models, [n, k, q].

    Raises:
      ValueError: If there are no references, or they are without log-odds.
    """
    logit = required_references(signals).logit
    if logit is None:
        raise ValueError("found reference signals without log-odds, which this attack needs")
    # In one order whatever lies beneath: sums are grouped by it.
    return np.ascontiguousarray(logit, np.float64)


def reference_log_probabilities(signals: Signals) -> NDArray[np.float64]:
    """The log p_y of the record itself under the reference models, [n, k]; at most 0.

    Raises:
      ValueError: If there are no references, or they are without log-odds.
    """
    own = np.ascontiguousarray(reference_log_odds(signals)[:, :, 0])
    log_p: NDArray[np.float64] = special.log_expit(own)
    return log_p
