"""What explains the risk of rows, read off their signals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.entropy import log_entropy
from tfx_privacy.attacks.probabilities import class_logits, class_probabilities
from tfx_privacy.metrics.class_statistics import ClassRows
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


def has_classes(task: config_pb2.Task.ValueType) -> bool:
    """Whether a task's label is one class of several."""
    return task in (config_pb2.BINARY, config_pb2.MULTICLASS)


def class_rows(
    signals: Signals, loss_unit: float, score_bins: NDArray[np.int64] | None = None
) -> ClassRows:
    """Class, loss, correctness and uncertainty of rows, as far as their signals tell.

    An answer is right where the class of the largest logit (the first of equal ones) is
    the label. The uncertainty is the entropy of the predicted distribution over the
    logarithm of the number of classes (Shokri et al. 2017, section VII).

    Args:
      signals: n rows. Multi-label and regression have no classes.
      loss_unit: What the loss is counted in.
      score_bins: [n] int64, the bins of the attack's scores.
    """
    loss = None if signals.loss is None else signals.loss.astype(np.float64) / loss_unit
    if not has_classes(signals.task):
        return ClassRows(signals.member, None, loss, None, None, score_bins)
    classes = None if signals.label is None else signals.label.astype(np.int64)
    if signals.logits is None:
        return ClassRows(signals.member, classes, loss, None, None, score_bins)
    logits = class_logits(signals)
    return ClassRows(
        member=signals.member,
        classes=classes,
        loss=loss,
        right=None if classes is None else logits.argmax(axis=1) == classes,
        uncertainty=_uncertainty(logits),
        score_bins=score_bins,
    )


def loss_unit(fit: Signals) -> float:
    """A power of two that is about the mean loss of FIT rows; 1 where there is no loss."""
    if fit.loss is None or not len(fit):
        return 1.0
    mean = float(np.abs(fit.loss.astype(np.float64)).mean())
    if not (math.isfinite(mean) and mean > 0.0):
        return 1.0
    return 2.0 ** math.ceil(math.log2(mean))


def _uncertainty(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    entropy = np.exp(log_entropy(class_probabilities(logits)))
    return np.asarray(np.clip(entropy / math.log(logits.shape[1]), 0.0, 1.0), np.float64)
