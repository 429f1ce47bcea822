"""Convolutions in groups of channels: told from others, and written as one for each group.

TensorFlow has no gradient of them on a CPU.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_CONVOLUTIONS = ("Conv2D", "Conv3D")


def group_count(operation: tf.Operation) -> int:
    """Into how many groups a convolution parts its channels; 1 for all other operations."""
    if operation.type not in _CONVOLUTIONS:
        return 1
    maps, kernel = (value.shape for value in operation.inputs)
    if not operation.get_attr("data_format").endswith(b"C") or None in (maps.rank, kernel.rank):
        return 1
    if maps[-1] is None or kernel[-2] is None:
        return 1
    return int(maps[-1]) // int(kernel[-2])


def one_for_each_group(node: Any, groups: int) -> list[Any]:
    """Nodes that compute what a convolution in groups does, the last under its name.

    Args:
      node: The definition of the convolution, channels last.
      groups: Their number.
    """
    name, kind = node.name, node.attr["T"]
    maps, kernel = node.input[:2]
    axis = tf.compat.v1.NodeDef(name=f"{name}/axis", op="Const")
    axis.attr["dtype"].type = tf.int32.as_datatype_enum
    axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(-1, tf.int32))
    parts = []
    for part, value in (("maps", maps), ("kernels", kernel)):
        split = tf.compat.v1.NodeDef(name=f"{name}/{part}", op="Split", input=[axis.name, value])
        split.attr["num_split"].i = groups
        split.attr["T"].CopyFrom(kind)
        parts.append(split)
    convolutions = []
    for group in range(groups):
        own = type(node)()
        own.CopyFrom(node)
        own.name = f"{name}/group_{group}"
        own.input[:] = [f"{part.name}:{group}" for part in parts]
        convolutions.append(own)
    joined = tf.compat.v1.NodeDef(
        name=name, op="ConcatV2", input=[*(each.name for each in convolutions), axis.name]
    )
    joined.attr["N"].i = groups
    joined.attr["T"].CopyFrom(kind)
    joined.attr["Tidx"].type = tf.int32.as_datatype_enum
    return [axis, *parts, *convolutions, joined]
