"""What comes out of a layer, flattened, or projected where it is wide."""

from __future__ import annotations

import tensorflow as tf

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box.layers import Layer
from tfx_privacy.signals.white_box.projections import activation_projection


def activation_tensor(layer: Layer, batch: int) -> tf.Tensor:
    """The output of the last operation that uses a weight of the layer, in the frozen graph.

    For a dense layer that is its value with the bias, before the activation function; for a
    loop (LSTM, GRU) the first state that it ends with.

    Raises:
      InputError: If that is not one tensor of numbers with a row for each example.
    """
    uses = [use for weight in layer.weights for use in layer.uses[weight.node]]
    outputs = [output for use in uses for output in use.operation.outputs]
    for use in reversed(uses):
        for output in use.operation.outputs:
            shape = output.shape
            if output.dtype.is_floating and shape.rank and shape[0] in (None, batch):
                return output
    raise InputError(
        f"the activations of layer {layer.name!r} ({layer.kind}) cannot be told: its operations "
        f"give {', '.join(f'{output.dtype.name} {output.shape}' for output in outputs)}: expected "
        f"one of numbers with {batch} rows"
    )


def activations(values: tf.Tensor, layer: Layer, width: int, seed: int) -> tf.Tensor:
    """[b, w] float32: all numbers of an example, or `width` random sums of them if more.

    The projection is of entries N(0, 1) / sqrt(width), of seed, position and shape alone:
    squared lengths stay what they are in expectation.

    Raises:
      InputError: If their number differs between examples.
    """
    length = values.shape[1:].num_elements()
    if length is None:
        raise InputError(
            f"the activations of layer {layer.name!r} have the shape {values.shape}: expected one "
            "that is known before the model runs"
        )
    flat = tf.cast(tf.reshape(values, [-1, length]), tf.float32)
    if length <= width:
        return flat
    with tf.init_scope():
        projection = tf.constant(activation_projection(seed, layer.index, length, width))
    return flat @ projection
