"""Attack-R: the rank of a record's loss among its losses under reference models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.reference_scores.checks import check_all_outside, check_records


def attack_r(
    target: NDArray[np.float64], references: NDArray[np.float64], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The share of models without the record whose loss on it is larger, ties for one half, [n].

    Ye, Maddi, Murakonda, Bindschaedler, Shokri, "Enhanced Membership Inference Attacks
    against Machine Learning Models", CCS 2022, Attack R: a record is called a member at
    false-positive rate alpha if its loss is below the alpha-quantile of its losses under
    models that were trained without it; the score is one minus the smallest such alpha.
    With k models it takes some k + 1 values, so that its ROC has as many steps and small
    rates need many models.

    Args:
      target: [n], the loss under the target.
      references: [n, k], the losses under the reference models.
      inside: [n, k], whether the model was trained on the record; each record needs one
        without it.

    Returns:
      [n], from 0 to 1: higher is more member-like.

    Raises:
      ValueError: If shapes do not fit together, a value is not finite, or a record is
        in every model.
    """
    check_records(target, references, inside)
    check_all_outside(inside)
    larger = (references > target[:, None]) & ~inside
    equal = (references == target[:, None]) & ~inside
    share: NDArray[np.float64] = (larger.sum(axis=1) + equal.sum(axis=1) / 2) / (~inside).sum(
        axis=1
    )
    return share
