"""What a trained attack sees of each row, made of logits, loss and label.

A linear model on the bare logits is a weak attacker: on overfitted models it stays
behind the loss threshold. What tells members apart is how far the true class is
ahead, how sure the model is, and the pattern of the largest logits, each on a scale
on which members and non-members differ: so log-odds, and logarithms of loss and
entropy. Which class a column is about matters where classes differ in risk.

A group is a number of columns of one kind; see feature_map.py for how groups are
scaled against each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.entropy import log_entropy
from tfx_privacy.attacks.probabilities import (
    class_logits,
    class_probabilities,
    log_sum_exp,
    of_class,
)
from tfx_privacy.attacks.required import (
    required_class,
    required_label,
    required_logits,
    required_loss,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

Groups = dict[str, NDArray[np.float64]]

# Columns of their own for each class or label only up to this many: beyond it a
# bounded sample teaches nothing about most of them, and its features would not fit
# into memory.
_MAX_CLASS_COLUMNS = 128

# How many of the largest logits (smallest margins) are kept in the order of size.
_SORTED_COLUMNS = 10


def feature_groups(signals: Signals, loss_floor: float) -> Groups:
    """The features of n rows in groups, each [n, columns].

    Args:
      signals: Rows with logits, loss and label.
      loss_floor: Positive; smaller losses count as this much in the logarithm.

    Raises:
      ValueError: If there are no logits, loss or label.
    """
    if signals.task == config_pb2.REGRESSION:
        groups = _regression(signals)
    elif signals.task == config_pb2.MULTILABEL:
        groups = _multilabel(signals)
    else:
        groups = _classification(signals)
    loss = required_loss(signals).astype(np.float64)
    groups["log_loss"] = np.log(np.maximum(loss, loss_floor))[:, None]
    return groups


def _classification(signals: Signals) -> Groups:
    logits, label = class_logits(signals), required_class(signals)
    probabilities = class_probabilities(logits)
    log_odds = probabilities.log_odds()
    true_logit = of_class(logits, label)
    others = logits.copy()
    others[np.arange(len(others)), label] = -np.inf
    groups = {
        "true_log_odds": of_class(log_odds, label)[:, None],
        "top_log_odds": log_odds.max(axis=1, keepdims=True),
        "log_entropy": log_entropy(probabilities)[:, None],
        "right": (logits.argmax(axis=1) == label).astype(np.float64)[:, None],
        "true_logit": true_logit[:, None],
        "largest_other_logit": others.max(axis=1, keepdims=True),
        "sorted_logits": _largest(logits),
    }
    classes = logits.shape[1]
    if classes <= _MAX_CLASS_COLUMNS:
        groups["logits"] = logits
        groups["label"] = (label[:, None] == np.arange(classes)).astype(np.float64)
    return groups


def _multilabel(signals: Signals) -> Groups:
    logits = required_logits(signals).astype(np.float64)
    label = required_label(signals).astype(np.float64)
    # The logit of what is true of each label.
    margins = np.where(label > 0.5, logits, -logits)
    groups = {
        "log_entropy": _log_entropy_of_labels(logits)[:, None],
        "right": (margins > 0).mean(axis=1, keepdims=True),
        "sorted_margins": -_largest(-margins),
    }
    if logits.shape[1] <= _MAX_CLASS_COLUMNS:
        groups |= {"margins": margins, "logits": logits, "label": label}
    return groups


def _log_entropy_of_labels(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log H of all labels, [n]: they are taken as independent, so H is the sum of theirs."""
    two = np.stack([np.zeros_like(logits), logits], axis=-1).reshape(-1, 2)
    entropies = log_entropy(class_probabilities(two))
    return log_sum_exp(entropies.reshape(logits.shape))


def _regression(signals: Signals) -> Groups:
    predicted = required_logits(signals).astype(np.float64)
    label = required_label(signals).astype(np.float64)
    if predicted.shape[1] > _MAX_CLASS_COLUMNS:
        return {}
    return {"residual": predicted - label, "predicted": predicted, "label": label}


def _largest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest values of each row, in descending order."""
    kept = min(values.shape[1], _SORTED_COLUMNS)
    chosen = -np.partition(-values, kept - 1, axis=1)[:, :kept]
    return -np.sort(-chosen, axis=1)
