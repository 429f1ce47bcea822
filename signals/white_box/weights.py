"""Which constants of a frozen graph are the model's variables, by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tfx_privacy.signals.frozen_function import FrozenFunction


@dataclasses.dataclass(frozen=True)
class Weight:
    """A variable of the model, in its frozen graph.

    Attributes:
      name: The variable's name: "dense/kernel".
      node: Name of the constant's node.
      shape: Its shape.
      trainable: Whether it was made to be trained, as moving averages are not. That a layer
        was frozen later a model's file does not say.
    """

    name: str
    node: str
    shape: tuple[int, ...]
    trainable: bool

    @property
    def size(self) -> int:
        """Number of its elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size


def find_weights(function: Any, frozen: FrozenFunction) -> dict[str, Weight]:
    """The variables of floating point in a frozen graph, by their node.

    Args:
      function: The concrete function that was frozen. Its captures pair each variable's
        resource with a placeholder, after which the constant is called.
      frozen: The same, frozen.
    """
    captured = {id(value): placeholder.op.name for value, placeholder in function.graph.captures}
    constants = {
        operation.name
        for operation in frozen.function.graph.get_operations()
        if operation.type == "Const"
    }
    weights: dict[str, Weight] = {}
    for variable in function.graph.variables:
        node = captured.get(id(variable.handle))
        if node is not None and node in constants and variable.dtype.is_floating:
            name = variable.name.removesuffix(":0")
            shape = tuple(tf.TensorShape(variable.shape).as_list())
            weights[node] = Weight(name, node, shape, bool(variable.trainable))
    return weights
