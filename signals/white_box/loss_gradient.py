"""The gradient of each row's loss with regard to its logits: exact also where it is small."""

from __future__ import annotations

import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2


def label_spec(task: config_pb2.Task.ValueType, batch: int, width: int) -> tf.TensorSpec:
    """What `loss_gradient` takes for labels: classes, or a number for each column."""
    if task in (config_pb2.MULTILABEL, config_pb2.REGRESSION):
        return tf.TensorSpec([batch, width], tf.float64)
    return tf.TensorSpec([batch], tf.int64)


def loss_gradient(
    task: config_pb2.Task.ValueType, logits: tf.Tensor, labels: tf.Tensor
) -> tf.Tensor:
    """The gradient of the losses of `signals.losses`.

    Args:
      task: What the model answers.
      logits: [b, w]; for REGRESSION the predictions.
      labels: As `label_spec` says.

    Returns:
      [b, w] float32. No difference of numbers is taken that may be nearly equal and are
      already rounded, so that float32 is as exact as the logits are.
    """
    if task == config_pb2.REGRESSION:
        return tf.cast(2 * (tf.cast(logits, tf.float64) - labels), tf.float32)
    z = tf.cast(logits, tf.float32)
    if task == config_pb2.MULTILABEL:
        return _of_sigmoid(z, labels)
    if z.shape[1] == 1:
        return _of_sigmoid(z, labels[:, None])
    return _of_softmax(z, labels)


def _of_sigmoid(z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """sigmoid(z) - label."""
    return tf.where(labels == 1, -tf.sigmoid(-z), tf.sigmoid(z))


def _of_softmax(z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """softmax(z) - one-hot; for the true class as the negative sum of the others."""
    true = tf.one_hot(labels, z.shape[1], on_value=True, off_value=False, dtype=tf.bool)
    others = tf.where(true, 0.0, tf.nn.softmax(z))
    return tf.where(true, -tf.reduce_sum(others, axis=1, keepdims=True), others)
