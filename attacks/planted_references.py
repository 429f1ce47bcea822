"""What reference models say of rows that a leak is planted in: nothing of it without the row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.reference_signals import ReferenceSignals

# Models with the row in training are far behind the target (a probability of 2e-9), models
# without it so much further that no spread of either makes the target's answer likelier
# without the row: the tail of the wider Gaussian is the heavier one.
_INSIDE = -20.0
_TIMES_FURTHER = 1000.0

_LARGEST = float(np.finfo(np.float32).max) / 4


def planted_references(
    references: ReferenceSignals, rows: NDArray[np.bool_], log_odds: float
) -> ReferenceSignals:
    """Reference signals that go with a leak in some rows; the others are as they were.

    A target that is surer of a row than of any other is not yet a leak to who compares it
    with models like it: it may be surer of everything, and of an easy record they are as
    sure as can be. Planted rows are none that models without them know; models with them
    come nearer the target. Where there are no log-odds there are losses alone, by rank
    (Attack-R), which are left as they are.

    Args:
      references: n rows.
      rows: [n], in which the leak is planted.
      log_odds: Of the true class under the target, there.
    """
    if references.logit is None or references.target_logit is None:
        return references
    outside = max(_INSIDE - _TIMES_FURTHER * (log_odds - _INSIDE), -_LARGEST)
    answers = np.where(references.inside, _INSIDE, outside)
    logit = np.where(rows[:, None, None], answers[:, :, None], references.logit)
    target = np.where(rows[:, None], log_odds, references.target_logit)
    loss = np.where(rows[:, None], np.logaddexp(0.0, -answers), references.loss)
    return ReferenceSignals(
        inside=references.inside,
        loss=loss.astype(np.float32),
        logit=logit.astype(np.float32),
        target_logit=target.astype(np.float32),
    )
