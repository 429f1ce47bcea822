"""Walks over a frozen graph: what is an ancestor of what, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable

import tensorflow as tf


def forward_order(tensor: tf.Tensor) -> list[tf.Operation]:
    """A tensor's ancestors and its own operation, each behind all of its inputs.

    Inputs are followed in their order, so that two graphs of one architecture give the
    same order whatever their nodes are called.
    """
    ordered: list[tf.Operation] = []
    seen: set[str] = set()
    pending = [(tensor.op, False)]
    while pending:
        operation, inputs_done = pending.pop()
        if inputs_done:
            ordered.append(operation)
        elif operation.name not in seen:
            seen.add(operation.name)
            pending.append((operation, True))
            pending += [(value.op, False) for value in reversed(operation.inputs)]
    return ordered


def depending_on(inputs: Iterable[tf.Tensor], ordered: Iterable[tf.Operation]) -> set[str]:
    """Names of the operations, given in forward order, that some input has an influence on."""
    dependent = {tensor.op.name for tensor in inputs}
    for operation in ordered:
        if any(value.op.name in dependent for value in operation.inputs):
            dependent.add(operation.name)
    return dependent


# What copying and inlining put in front of a layer's name.
_IN_FRONT = re.compile(r"^(?:(?:.*/)?model(?:_\d+)?/)?(?:(?:Stateful)?PartitionedCall(?:_\d+)?/)*")


def model_name(operation: tf.Operation) -> str:
    """An operation's name as its model has it, for people."""
    return _IN_FRONT.sub("", operation.name) or operation.name


def static_batch_size(tensor: tf.Tensor) -> int:
    """The batch size that a graph was traced with, from its input."""
    size = tensor.shape[0]
    if size is None:
        raise ValueError("the graph takes batches of any size: expected one of a fixed batch size")
    return int(size)
