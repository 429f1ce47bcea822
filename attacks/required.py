"""Columns of the signals that an attack cannot do without."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.reference_signals import ReferenceSignals


def required_logits(signals: Signals) -> NDArray[np.float32]:
    """The logits, [n, w]; ValueError where there are none."""
    if signals.logits is None:
        raise ValueError("found signals without logits, which this attack needs")
    return signals.logits


def required_loss(signals: Signals) -> NDArray[np.float32]:
    """The loss, [n]; ValueError where there is none."""
    if signals.loss is None:
        raise ValueError("found signals without loss, which this attack needs")
    return signals.loss


def required_entropy(signals: Signals) -> NDArray[np.float32]:
    """The entropy, [n]; ValueError where there is none."""
    if signals.entropy is None:
        raise ValueError("found signals without logits and entropy, one of which this attack needs")
    return signals.entropy


def required_label(signals: Signals) -> NDArray[np.int64] | NDArray[np.float32]:
    """The label, [n] or [n, k]; ValueError where there is none."""
    if signals.label is None:
        raise ValueError("found signals without label, which this attack needs")
    return signals.label


def required_class(signals: Signals) -> NDArray[np.int64]:
    """The class, [n] int64; ValueError where there is no label."""
    return required_label(signals).astype(np.int64)


def required_references(signals: Signals) -> ReferenceSignals:
    """What reference models say of the rows; ValueError where there are none."""
    if signals.references is None:
        raise ValueError("found signals without reference models, which this attack needs")
    return signals.references
