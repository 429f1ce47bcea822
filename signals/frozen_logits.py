"""Finds the logits in a frozen graph: what enters the Softmax or Sigmoid behind an output."""

from __future__ import annotations

import dataclasses
import re

import tensorflow as tf

from tfx_privacy.signals.target_output import Activation

# Operations that leave every number of a row as it is, and in its place. Anything else between
# the activation and the output means that the activation is not the model's last word: a Softmax
# of attention or the Sigmoid of a gate has a layer behind it.
_PASS_THROUGH = frozenset({"Identity", "Cast", "Reshape", "Squeeze"})

# What inlining puts in front of a layer's name.
_INLINED = re.compile(r"^(?:(?:Stateful)?PartitionedCall(?:_\d+)?/)+")


@dataclasses.dataclass(frozen=True)
class FoundLogits:
    """The logits behind an output.

    Attributes:
      activation: What they enter.
      tensor: Them, in the frozen graph.
      operation: Name of the activation's operation, for people.
    """

    activation: Activation
    tensor: tf.Tensor
    operation: str


@dataclasses.dataclass(frozen=True)
class NoLogits:
    """That an output shows no logits, and why as the end of a sentence."""

    reason: str


def find_logits(output: tf.Tensor) -> FoundLogits | NoLogits:
    """Walks back from an output to the Softmax or Sigmoid that it comes from.

    Only Identity, Cast, Reshape and Squeeze may lie between them.
    """
    operation = output.op
    while operation.type in _PASS_THROUGH:
        operation = operation.inputs[0].op
    name = _INLINED.sub("", operation.name)
    try:
        activation = Activation(operation.type)
    except ValueError:
        return NoLogits(
            f"going back from it the first other operation is {operation.type} {name!r}"
        )
    return FoundLogits(activation, operation.inputs[0], name)
