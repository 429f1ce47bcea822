"""Gradients in a graph, with errors that say what has none."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tfx_privacy.signals.errors import InputError


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
    try:
        gradients: list[tf.Tensor | None] = tf.gradients(outputs, tensors, output_gradient)
    except LookupError as error:
        if "CustomGradient" in f"{error} {error.__cause__} {error.__context__}":
            raise CustomGradientError from error
        raise InputError(
            f"the model cannot be differentiated, so it has no gradients to look at: {error}"
        ) from error
    return gradients
