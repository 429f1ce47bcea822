"""Rows that attacks are compared on: drawn by chance, or predictions of real targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses

_CLASSES = 10


def signals_of(
    logits: NDArray[np.float32], label: NDArray[np.int64], member: NDArray[np.bool_]
) -> Signals:
    """A classifier's rows; a row's id is its number."""
    rows = len(label)
    ids = np.stack([np.zeros(rows, np.uint64), np.arange(rows, dtype=np.uint64)], axis=1)
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=ids,
        member=member,
        label=label,
        logits=logits,
        loss=losses(config_pb2.MULTICLASS, logits, label),
    )


def synthetic(rows_a_side: int, seed: int) -> Signals:
    """A model of ten classes that is right more surely on members.

    Logits are normal with deviation 2; that of the true class is 3 higher, and .7 more on
    members: with 25,000 rows a side the loss threshold has an AUC near .587.
    """
    rng = np.random.default_rng(seed)
    rows = 2 * rows_a_side
    member = np.arange(rows) < rows_a_side
    label = rng.integers(0, _CLASSES, rows)
    logits = rng.normal(0, 2, (rows, _CLASSES))
    logits[np.arange(rows), label] += 3.0 + 0.7 * member
    return signals_of(logits.astype(np.float32), label, member)


def predictions(path: Path) -> Signals:
    """What target_predictions.py wrote."""
    with np.load(path) as stored:
        return signals_of(stored["logits"], stored["label"], stored["member"])
