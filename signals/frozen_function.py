"""A traced function as one graph: functions inlined, variables turned into constants."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# A graph with its constants is one protocol buffer, which must stay below 2 GiB.
_LARGEST_BYTES = 1_900_000_000


class CannotFreezeError(Exception):
    """A function that cannot be frozen, with the reason as the end of a sentence."""


@dataclasses.dataclass(frozen=True)
class FrozenFunction:
    """A function in which all layers lie open, as nodes of one graph.

    Attributes:
      function: The frozen function. Its inputs are the original's, then the resources
        that are no variables (lookup tables).
      resources: These resources, in the order of the inputs.
    """

    function: Any
    resources: tuple[tf.Tensor, ...]

    @property
    def outputs(self) -> Sequence[tf.Tensor]:
        """The outputs, symbolic, in the order of the original's."""
        outputs: Sequence[tf.Tensor] = self.function.outputs
        return outputs

    def fetch(self, tensors: Sequence[tf.Tensor]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        """A function of the same input that returns any tensors of the graph."""
        pruned = self.function.prune(self.function.inputs, list(tensors))
        (argument,) = self.function.inputs[: len(self.function.inputs) - len(self.resources)]

        # Around the pruned function, which called by itself takes five times as long for
        # batches of 512 (seen in TensorFlow 2.16).
        def call(serialized: tf.Tensor) -> list[tf.Tensor]:
            return list(pruned(serialized, *self.resources))

        signature = [tf.TensorSpec(argument.shape, argument.dtype)]
        traced: Callable[[tf.Tensor], list[tf.Tensor]] = tf.function(
            call, input_signature=signature, autograph=False
        ).get_concrete_function()
        return traced


def freeze(function: Any) -> FrozenFunction:
    """Freezes a concrete function.

    Control flow stays in its functional form (a lowered LSTM is hard to read), and
    lookup tables stay resources: they are handed to the frozen graph at each call.

    Raises:
      CannotFreezeError: If its variables are too large for one graph, or it writes to
        one.
    """
    size = sum(
        variable.shape.num_elements() * variable.dtype.size for variable in function.graph.variables
    )
    if size > _LARGEST_BYTES:
        raise CannotFreezeError(f"its variables have {size:,} bytes, too many for one graph")
    try:
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    except (ValueError, KeyError, tf.errors.OpError) as error:
        raise CannotFreezeError(
            f"TensorFlow cannot turn its variables into constants ({str(error).splitlines()[0]})"
        ) from error
    kept = {tensor.name for tensor in frozen.inputs}
    resources = tuple(
        value for value, placeholder in function.graph.captures if placeholder.name in kept
    )
    return FrozenFunction(frozen, resources)


def parsed_feature_names(output: tf.Tensor) -> list[str]:
    """Names of the features that the graph parses out of examples on the way to a tensor.

    Empty where it parses in a way that does not show them: in a loop, or a
    sequence example.
    """
    names: set[str] = set()
    for operation in _ancestors(output.op):
        if operation.type == "ParseExampleV2":
            # serialized, names, then the keys of sparse, dense and ragged features.
            for keys in operation.inputs[2:5]:
                value = tf.get_static_value(keys)
                names |= {key.decode() for key in np.ravel(value)} if value is not None else set()
    return sorted(names)


def _ancestors(operation: tf.Operation) -> list[tf.Operation]:
    found = {operation.name: operation}
    pending = [operation]
    while pending:
        for tensor in pending.pop().inputs:
            if tensor.op.name not in found:
                found[tensor.op.name] = tensor.op
                pending.append(tensor.op)
    return list(found.values())
