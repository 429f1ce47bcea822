"""Gradients in a graph, with errors that say what has none."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow.python.framework import ops

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box.graph import depending_on, forward_order, model_name
from tfx_privacy.signals.white_box.opened_graph import CALLS


class CustomGradientError(Exception):
    """A custom gradient of the model is not there, or only where the model was made."""


def differentiate(
    outputs: tf.Tensor, tensors: Sequence[tf.Tensor], output_gradient: tf.Tensor
) -> list[tf.Tensor | None]:
    """`tf.gradients`.

    Raises:
      CustomGradientError: If an operation's custom gradient is not there.
      InputError: If an operation on the way has no gradient.
    """
    _check_calls(outputs, tensors)
    try:
        gradients: list[tf.Tensor | None] = tf.gradients(outputs, tensors, output_gradient)
    except LookupError as error:
        if "CustomGradient" in f"{error} {error.__cause__} {error.__context__}":
            raise CustomGradientError from error
        raise InputError(
            f"the model cannot be differentiated, so it has no gradients to look at: {error}"
        ) from error
    return gradients


def stops_between(outputs: tf.Tensor, start: tf.Tensor) -> list[tf.Operation]:
    """The operations on the way from a tensor at which its gradient is lost.

    They have a gradient with regard to what comes out of them, and none with regard to what
    enters them and depends on the tensor; in forward order.
    """
    ordered = forward_order(outputs)
    place = depending_on([start], ordered)
    way = [operation for operation in ordered if operation.name in place]
    behind = [
        operation
        for operation in way
        if any(output.dtype.is_floating for output in operation.outputs)
    ]
    without = [operation for operation in way if not _has_gradient(operation)]
    if without:
        return without
    found = tf.gradients(outputs, [operation.outputs[0] for operation in behind])
    reached = {
        operation.name
        for operation, gradient in zip(behind, found, strict=True)
        if gradient is not None
    }
    return [
        operation
        for operation in way
        if operation.name in reached
        and not any(value.op.name in reached for value in operation.inputs)
    ]


def _has_gradient(operation: tf.Operation) -> bool:
    """Whether TensorFlow knows how to differentiate an operation, if only to nothing."""
    if not operation.inputs:
        return True
    try:
        ops.get_gradient_function(operation)
    except LookupError:
        return False
    return True


def _check_calls(outputs: tf.Tensor, tensors: Sequence[tf.Tensor]) -> None:
    """Refuses functions that lie on the way and that freezing has left as they are."""
    ordered = forward_order(outputs)
    dependent = depending_on(tensors, ordered)
    for operation in ordered:
        if operation.type in CALLS and operation.name in dependent:
            name = model_name(operation)
            raise InputError(
                f"the model cannot be differentiated: {operation.type} {name!r} is a function that "
                "TensorFlow compiles as a whole, and a model's file does not hold its gradient "
                "(Keras computes convolutions with channels first so); expected layers behind it "
                "only, or a model without it"
            )
