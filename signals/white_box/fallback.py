"""Per-example gradients of weights whose use no rule knows: right for any graph, and slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow.python.ops.parallel_for.control_flow_ops import pfor

from tfx_privacy.signals.white_box.differentiate import differentiate

# Examples that go through the model together. Every example's gradient is computed for all of
# them, so that more cost more than they save.
_MICRO_BATCH = 8
_LOOPS = ("While", "StatelessWhile")


def micro_batch_size(batch: int, op_types: Sequence[str]) -> int:
    """How many examples are differentiated together: a divisor of the batch size.

    One at a time where the model has a loop, whose gradient TensorFlow cannot vectorise
    in a graph that was loaded.
    """
    if any(op_type in _LOOPS for op_type in op_types):
        return 1
    return max(size for size in range(1, _MICRO_BATCH + 1) if batch % size == 0)


def per_example_gradients(
    outputs: tf.Tensor, output_gradient: tf.Tensor, weights: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """The gradient of each example's loss with regard to each weight, [m, numbers].

    Args:
      outputs: [m, ...], what the losses are computed from.
      output_gradient: The gradient of the sum of the losses with regard to them.
      weights: The weights, on which the outputs depend.
    """
    size = int(output_gradient.shape[0])

    def of_example(example: tf.Tensor) -> list[tf.Tensor]:
        shape = [size] + [1] * (output_gradient.shape.rank - 1)
        own = tf.reshape(tf.one_hot(example, size, dtype=output_gradient.dtype), shape)
        found = differentiate(outputs, weights, output_gradient * own)
        return [
            tf.zeros([weight.shape.num_elements()])
            if gradient is None
            else tf.reshape(tf.cast(tf.convert_to_tensor(gradient), tf.float32), [-1])
            for weight, gradient in zip(weights, found, strict=True)
        ]

    if size == 1:
        return [gradient[None] for gradient in of_example(tf.constant(0))]
    return list(pfor(of_example, size))


def in_micro_batches(
    step: Callable[[list[tf.Tensor]], list[tf.Tensor]],
    inputs: Sequence[tf.Tensor],
    size: int,
    specs: Sequence[tf.TensorSpec],
) -> list[tf.Tensor]:
    """Runs a step over a batch in parts, one after the other.

    Args:
      step: From inputs of `size` rows to results of as many.
      inputs: [b, ...] each.
      size: A divisor of b.
      specs: The results of the step.

    Returns:
      The results, [b, ...] each.
    """
    parts = [tf.reshape(value, [-1, size, *value.shape[1:]]) for value in inputs]
    found = tf.map_fn(
        lambda values: tuple(step(list(values))), tuple(parts), fn_output_signature=tuple(specs)
    )
    return [tf.reshape(values, [-1, *values.shape[2:]]) for values in found]
