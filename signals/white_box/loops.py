"""Weights that a loop uses at each step (LSTM, GRU): where, in the loop's body, and by which rule.

A weight enters a While unchanged from step to step, so its gradient is a sum over steps of
what rules know of one use. `loop_probes` collects these parts while TensorFlow goes back
through the loop.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import function_def_to_graph as function_graphs

from tfx_privacy.signals.white_box.contribution import Rule
from tfx_privacy.signals.white_box.graph import depending_on, forward_order
from tfx_privacy.signals.white_box.rules import rule_for
from tfx_privacy.signals.white_box.uses import Use, follow
from tfx_privacy.signals.white_box.weights import Weight

_LOOPS = frozenset({"While", "StatelessWhile"})
# The definitions of functions, by name.
Functions = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Loop:
    """A loop of the frozen model.

    Attributes:
      operation: The While.
      body: Its body as a graph, whose inputs stand for those of the While.
      invariant: Positions of the inputs that no step changes.
      names: What the body's definition calls the tensors of the graph.
    """

    operation: tf.Operation
    body: Any
    invariant: frozenset[int]
    names: Mapping[str, str]

    @functools.cached_property
    def dependent(self) -> set[str]:
        """Names of the body's operations on which the examples or the step have an influence."""
        free = {
            position
            for position in self.invariant
            if all(
                each.type != "Placeholder"
                for each in forward_order(self.operation.inputs[position])
            )
        }
        inputs = [tensor for i, tensor in enumerate(self.body.inputs) if i not in free]
        return depending_on(inputs, self.body.get_operations())


@dataclasses.dataclass(frozen=True)
class LoopUse:
    """An operation in a loop's body that uses a weight.

    Attributes:
      outer: How the weight enters the loop.
      inner: How the body uses what entered. Its weight stands for that.
      loop: The loop.
      rule: For the operation, of one step.
    """

    outer: Use
    inner: Use
    loop: Loop
    rule: Rule

    @property
    def key(self) -> str:
        """A name for it among all operations and uses of the model."""
        position = f"{self.outer.index}:{self.inner.operation.name}:{self.inner.index}"
        return f"{self.loop.operation.name}:{position}"


def is_loop(operation: tf.Operation) -> bool:
    """Whether an operation is a loop over steps."""
    return operation.type in _LOOPS


def loop_of(operation: tf.Operation, functions: Functions) -> Loop:
    """Opens a loop.

    Args:
      operation: The While, in the frozen graph.
      functions: Definitions, the loop's body among them.
    """
    definition = functions[operation.get_attr("body").name]
    invariant = _invariant(definition)
    shapes = [
        value.shape if position in invariant else result.shape
        for position, (value, result) in enumerate(
            zip(operation.inputs, operation.outputs, strict=True)
        )
    ]
    with operation.graph.as_default():
        body = function_graphs.function_def_to_graph(definition, input_shapes=shapes)
        _, flat = function_graphs.function_def_to_graph_def(definition, input_shapes=shapes)
    return Loop(operation, body, invariant, {there: name for name, there in flat.items()})


def loop_uses(use: Use, loop: Loop, batch: int) -> tuple[list[LoopUse], list[str]]:
    """What the body does with a weight that enters a loop.

    Returns:
      The uses that a rule knows, and for others the reason as the end of a sentence.
    """
    name = loop.operation.name
    if use.index not in loop.invariant:
        return [], [f"a step of the loop {name!r} changes what it is"]
    found, reasons = [], []
    for inner in _inner_uses(use, loop):
        rule = rule_for(inner, batch)
        if rule is None:
            reasons.append(
                f"no faster way is known for {inner.operation.type} {inner.operation.name!r} in a "
                "loop"
            )
        else:
            found.append(LoopUse(use, inner, loop, rule))
    return found, reasons


def _inner_uses(use: Use, loop: Loop) -> list[Use]:
    start = loop.body.inputs[use.index]
    shape = tuple(loop.operation.inputs[use.index].shape.as_list())
    stand_in = Weight(use.weight.name, start.op.name, shape, trainable=True)
    place = {operation.name for operation in loop.body.get_operations()}
    return follow(Use(stand_in, start, start.op, 0), place, loop.dependent)


def _invariant(definition: Any) -> frozenset[int]:
    """Positions at which a body gives back what it takes."""
    nodes = {node.name: node for node in definition.node_def}

    def source(name: str) -> str:
        node = nodes.get(name.split(":")[0])
        while node is not None and node.op == "Identity":
            name = node.input[0]
            node = nodes.get(name.split(":")[0])
        return name

    taken = [argument.name for argument in definition.signature.input_arg]
    given = [source(definition.ret[each.name]) for each in definition.signature.output_arg]
    return frozenset(i for i, (a, b) in enumerate(zip(taken, given, strict=True)) if a == b)


def in_the_model(loop: Loop, tensor: tf.Tensor, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """Computes, in the current graph, what a loop's body makes of its invariant inputs alone.

    Args:
      loop: The loop.
      tensor: In its body.
      inputs: What enters the loop, in the current graph.
    """
    needed = {operation.name for operation in forward_order(tensor)}
    definition = loop.body.as_graph_def()
    kept = [node for node in definition.node if node.name in needed]
    cut = tf.compat.v1.GraphDef(versions=definition.versions)
    cut.node.extend(kept)
    given = {
        placeholder.name: value
        for placeholder, value in zip(loop.body.inputs, inputs, strict=True)
        if placeholder.op.name in needed
    }
    (found,) = tf.import_graph_def(cut, input_map=given, return_elements=[tensor.name], name="body")
    return found
