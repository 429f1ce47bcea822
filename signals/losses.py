"""The loss of each row, from logits and label: in float64, without clipping."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.labels import Labels


def losses(
    task: config_pb2.Task.ValueType, logits: NDArray[np.floating[Any]], label: Labels
) -> NDArray[np.float32]:
    """The loss of each row.

    Args:
      task: What the model answers.
      logits: [n, w] finite numbers; for REGRESSION the predictions.
      label: [n] classes (BINARY, MULTICLASS) or [n, w] (MULTILABEL, REGRESSION).

    Returns:
      [n] float32: cross-entropy in nats, of a softmax over w > 1 columns or a
      sigmoid of one, summed over the labels for MULTILABEL; the squared error
      summed over the columns for REGRESSION.
    """
    return _exact_losses(task, logits.astype(np.float64), label).astype(np.float32)


def _exact_losses(
    task: config_pb2.Task.ValueType, z: NDArray[np.float64], label: Labels
) -> NDArray[np.float64]:
    if task == config_pb2.REGRESSION:
        return np.asarray(((z - label) ** 2).sum(axis=1), np.float64)
    if task == config_pb2.MULTILABEL:
        return np.asarray(_sigmoid_cross_entropy(z, label).sum(axis=1), np.float64)
    if z.shape[1] == 1:
        return _sigmoid_cross_entropy(z[:, 0], label)
    return _softmax_cross_entropy(z, label)


def _sigmoid_cross_entropy(z: NDArray[np.float64], label: Labels) -> NDArray[np.float64]:
    """-log sigmoid(z) where the label is 1, -log sigmoid(-z) where it is 0."""
    # log(1 + e^x) as max(x, 0) + log1p(e^-|x|), which neither overflows nor cancels.
    x = np.where(np.asarray(label) == 1, -z, z)
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), np.float64)


def _softmax_cross_entropy(z: NDArray[np.float64], label: Labels) -> NDArray[np.float64]:
    """-log softmax(z)[label], relative to the true class so that small losses stay exact."""
    rows = np.arange(len(z))
    margin = z - z[rows, label.astype(np.int64)][:, None]
    # The true class has margin 0: log(1 + sum over the others of e^margin).
    margin[rows, label.astype(np.int64)] = -np.inf
    top = np.maximum(margin.max(axis=1), 0)
    others = np.exp(margin - top[:, None]).sum(axis=1)
    # exp(-top) + others >= 1 where top > 0; where top is 0, log1p keeps tiny sums.
    return np.where(top > 0, top + np.log(np.exp(-top) + others), np.log1p(others))
