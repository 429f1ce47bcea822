"""Checks that what is taken for an example's rows are its own, and no other's."""

from __future__ import annotations

import tensorflow as tf

from tfx_privacy.signals.white_box.convolution import in_blocks

# Of the largest gradient of an operation, and of all operations: far above rounding errors, and
# far below what rows in another order, or mixed, differ by.
_OF_OWN = 1e-3
_OF_ALL = 1e-6


def example_weights(batch: int) -> tf.Tensor:
    """Weights for the examples' losses, [b] float32, all different."""
    # Multiples of the golden ratio modulo one lie apart, and neighbours far apart.
    return tf.math.floormod(tf.range(batch, dtype=tf.float32) * 0.618034, 1.0) + 1.0


def deviations(
    gradients: list[tf.Tensor], weighted: list[tf.Tensor], weights: tf.Tensor
) -> tf.Tensor:
    """How far each operation's gradient is from being one of single examples.

    If the losses of the examples are weighted, an example's rows of each gradient are
    multiplied by its weight, and if rows are taken for another example's, they are not.

    Args:
      gradients: Of the sum of the losses, by operation, [b, ...], an example's numbers
        in a row.
      weighted: Of their weighted sum.
      weights: [b].

    Returns:
      [operations] float32: above 1 where rows are not those of one example each.
    """
    largest = [tf.reduce_max(tf.abs(gradient)) for gradient in gradients]
    floor = _OF_ALL * tf.reduce_max(tf.stack(largest)) + 1e-30
    found = []
    for gradient, other, scale in zip(gradients, weighted, largest, strict=True):
        expected = gradient * tf.reshape(weights, [-1] + [1] * (gradient.shape.rank - 1))
        found.append(tf.reduce_max(tf.abs(other - expected)) / (_OF_OWN * scale + floor))
    return tf.stack(found)


def by_example(gradient: tf.Tensor, operation: tf.Operation, batch: int) -> tf.Tensor:
    """[b, numbers] of an operation's gradient, in the order in which rules take its rows."""
    values = tf.cast(gradient, tf.float32)
    if in_blocks(operation, batch):
        return tf.transpose(
            tf.reshape(values, [operation.outputs[0].shape[0] // batch, batch, -1]), [1, 0, 2]
        )
    return tf.reshape(values, [batch, -1])
