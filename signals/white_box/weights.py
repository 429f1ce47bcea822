"""Which constants of a frozen graph are the model's variables, by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tfx_privacy.signals.frozen_function import FrozenFunction

_QUANTISED = frozenset({tf.int8, tf.uint8, tf.qint8, tf.quint8})


@dataclasses.dataclass(frozen=True)
class Weight:
    """A variable of the model, in its frozen graph.

    Attributes:
      name: The variable's name: "dense/kernel".
      node: Name of the constant's node.
      shape: Its shape.
      trainable: Whether it was made to be trained, as moving averages are not. That a layer
        was frozen later a model's file does not say.
      dtype: "float32" and the like; "int8" of a layer that was quantised.
    """

    name: str
    node: str
    shape: tuple[int, ...]
    trainable: bool
    dtype: str = "float32"

    @property
    def size(self) -> int:
        """Number of its elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size


def find_weights(function: Any, frozen: FrozenFunction) -> dict[str, Weight]:
    """The variables in a frozen graph of floating point, or quantised, by their node.

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
        if node is None or node not in constants:
            continue
        floating = variable.dtype.is_floating
        if floating or variable.dtype in _QUANTISED:
            name = variable.name.removesuffix(":0")
            shape = tuple(tf.TensorShape(variable.shape).as_list())
            trainable = bool(variable.trainable) and floating
            weights[node] = Weight(name, node, shape, trainable, variable.dtype.name)
    return weights
