"""Lays open the functions that freezing leaves as they are, so that all layers are in one graph.

TensorFlow inlines functions when it freezes a model, but not those that it must compile as
a whole, as Keras has it for convolutions in groups. Such a function can be run, but a model's
file does not hold its gradient; that of its operations is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import function_def_to_graph as function_graphs

from tfx_privacy.signals.white_box.graph import forward_order

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# Only the compiler can compute convolutions of these on every machine.
_CHANNELS_FIRST = (b"NCHW", b"NCDHW")


def opened(logits: tf.Tensor) -> tf.Tensor:
    """The logits in a graph in which the functions on the way to them lie open.

    All operations of the given graph are in it under their names, a call as what hands on
    its function's results. The given graph itself if there is nothing to open.
    """
    calls = [operation for operation in forward_order(logits) if _is_numeric_call(operation)]
    if not calls:
        return logits
    definition = logits.graph.as_graph_def()
    functions = {each.signature.name: each for each in definition.library.function}
    bodies = {call.name: _body(call, functions) for call in calls}
    nodes = []
    for node in definition.node:
        body = bodies.get(node.name)
        nodes += [node] if body is None else _inlined(node, body, functions)
    whole = tf.compat.v1.GraphDef(versions=definition.versions, library=definition.library)
    whole.node.extend(nodes)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(whole, name="")
    found: tf.Tensor = graph.get_tensor_by_name(logits.name)
    return found


def _is_numeric_call(operation: tf.Operation) -> bool:
    """Whether a gradient could go through a call: others, look-ups of words say, stay."""
    if operation.type not in CALLS:
        return False
    ends = (operation.inputs, operation.outputs)
    return all(any(value.dtype.is_floating for value in values) for values in ends)


def _body(call: tf.Operation, functions: dict[str, Any]) -> Any:
    """What a call computes, as a graph; None if it has to stay compiled."""
    shapes = [value.shape for value in call.inputs]
    with call.graph.as_default():
        body = function_graphs.function_def_to_graph(
            functions[call.get_attr("f").name], input_shapes=shapes
        )
    stays = any(_is_channels_first(operation) for operation in body.get_operations())
    return None if stays else body


def _is_channels_first(operation: tf.Operation) -> bool:
    kinds = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
    return operation.type in kinds and operation.get_attr("data_format") in _CHANNELS_FIRST


def _inlined(node: Any, body: Any, functions: dict[str, Any]) -> list[Any]:
    """The nodes that stand for a call: its function's, and one with its name for the results."""
    given = [name for name in node.input if not name.startswith("^")]
    taken = dict(zip((value.op.name for value in body.inputs), given, strict=True))
    inner_bodies = {
        operation.name: _body(operation, functions)
        for operation in body.get_operations()
        if _is_numeric_call(operation)
    }
    nodes = []
    for inner in body.as_graph_def().node:
        if inner.name in taken:
            continue
        moved = type(inner)()
        moved.CopyFrom(inner)
        moved.name = f"{node.name}/{inner.name}"
        moved.input[:] = [_moved(name, node.name, taken) for name in inner.input]
        inner_body = inner_bodies.get(inner.name)
        nodes += [moved] if inner_body is None else _inlined(moved, inner_body, functions)
    results = [_moved(_name(value), node.name, taken) for value in body.outputs]
    return [*nodes, _handing_on(node.name, results, body.outputs)]


def _moved(name: str, call: str, taken: dict[str, str]) -> str:
    """An input of a function's node, after the function was put in the place of its call."""
    control = "^" if name.startswith("^") else ""
    source, _, index = name.removeprefix("^").partition(":")
    if source not in taken:
        return f"{control}{call}/{source}" + (f":{index}" if index else "")
    return f"^{taken[source].split(':')[0]}" if control else taken[source]


def _name(value: tf.Tensor) -> str:
    name: str = value.name
    return name.removesuffix(":0")


def _handing_on(name: str, inputs: Iterable[str], values: Sequence[tf.Tensor]) -> Any:
    node = tf.compat.v1.NodeDef(name=name, op="IdentityN", input=inputs)
    node.attr["T"].list.type.extend(value.dtype.as_datatype_enum for value in values)
    return node
