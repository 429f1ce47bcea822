"""Copies of a frozen model in the graph that is being built, for any batch size it allows."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_function import FrozenFunction
from tfx_privacy.signals.saved_model import first_line
from tfx_privacy.signals.white_box.channel_groups import group_count, one_for_each_group
from tfx_privacy.signals.white_box.graph import forward_order
from tfx_privacy.signals.white_box.opened_graph import opened


@dataclasses.dataclass(frozen=True)
class ModelDefinition:
    """What is copied: the part of a frozen model that its logits need.

    Attributes:
      graph_def: That part.
      inputs: Names of its inputs, the examples first.
    """

    graph_def: Any
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, frozen: FrozenFunction, logits: tf.Tensor) -> ModelDefinition:
        """Cuts the part out, with functions laid open and convolutions in groups taken apart."""
        logits = opened(logits)
        groups = {operation.name: group_count(operation) for operation in forward_order(logits)}
        definition = logits.graph.as_graph_def()
        kept = []
        for node in definition.node:
            count = groups.get(node.name, 0)
            if count:
                kept += [node] if count == 1 else one_for_each_group(node, count)
        for node in kept:
            # These would hold the copy to the original's batch size.
            node.attr.pop("_output_shapes", None)
            controls = [name for name in node.input if name.startswith("^")]
            for name in controls:
                node.input.remove(name)
        cut = tf.compat.v1.GraphDef(versions=definition.versions)
        cut.node.extend(kept)
        cut.library.function.extend(_called(kept, definition.library.function))
        names = tuple(tensor.name for tensor in frozen.function.inputs)
        return cls(cut, tuple(name for name in names if name.split(":")[0] in groups))

    def without_custom_gradients(self) -> ModelDefinition:
        """The same with the derivative of what is computed in place of each custom gradient."""
        definition = tf.compat.v1.GraphDef()
        definition.CopyFrom(self.graph_def)
        nodes = list(definition.node)
        for function in definition.library.function:
            nodes += function.node_def
        for node in nodes:
            node.attr.pop("_gradient_op_type", None)
        return ModelDefinition(definition, self.inputs)

    @functools.cached_property
    def functions(self) -> dict[str, Any]:
        """Definitions of the functions, bodies of loops and the like, by name."""
        return {each.signature.name: each for each in self.graph_def.library.function}

    def copy(self, inputs: Mapping[str, tf.Tensor]) -> ModelCopy:
        """Adds the part to the current graph, with these tensors for its inputs, by name."""
        given = {name: inputs[name] for name in self.inputs}
        replaced = {name.split(":")[0] for name in given}
        names = [node.name for node in self.graph_def.node if node.name not in replaced]
        definition = self._with_own_functions()
        for function in definition.library.function:
            # Importing makes them known to the graph alone, and running it asks the process.
            context.context().add_function_def(function)
        try:
            operations = tf.import_graph_def(
                definition, input_map=given, return_elements=names, name="model"
            )
        except ValueError as error:
            raise InputError(
                "the model cannot be taken for batches of another size, which a layer without a "
                f"fast rule needs: {first_line(error)}"
            ) from error
        return ModelCopy(dict(zip(names, operations, strict=True)), given)

    def _with_own_functions(self) -> Any:
        """The part, its functions (bodies of loops) under names that nothing else has.

        The gradient of a loop registers its functions rewritten, in the whole process, under
        a name made of theirs: a second copy that differs would not be taken.
        """
        if not self.graph_def.library.function:
            return self.graph_def
        suffix = f"_copy_{uuid.uuid4().hex}"
        definition = tf.compat.v1.GraphDef()
        definition.CopyFrom(self.graph_def)
        known = {function.signature.name for function in definition.library.function}
        nodes = list(definition.node)
        for function in definition.library.function:
            function.signature.name += suffix
            nodes += function.node_def
        for reference in _function_references(nodes):
            if reference.name in known:
                reference.name += suffix
        return definition


def _function_references(nodes: Iterable[Any]) -> Iterator[Any]:
    """What in the attributes of nodes names functions."""
    for node in nodes:
        for attribute in node.attr.values():
            if attribute.HasField("func"):
                yield attribute.func
            yield from attribute.list.func


def _called(nodes: Iterable[Any], library: Iterable[Any]) -> list[Any]:
    """The functions of a library that nodes call, directly or through others."""
    functions = {function.signature.name: function for function in library}
    called: dict[str, Any] = {}
    pending = [reference.name for reference in _function_references(nodes)]
    while pending:
        name = pending.pop()
        if name in functions and name not in called:
            called[name] = functions[name]
            pending += [each.name for each in _function_references(functions[name].node_def)]
    return list(called.values())


@dataclasses.dataclass(frozen=True)
class ModelCopy:
    """A copy.

    Attributes:
      operations: By the names of the originals.
      inputs: What was given for the inputs, by name.
    """

    operations: Mapping[str, tf.Operation]
    inputs: Mapping[str, tf.Tensor]

    def tensor(self, original: tf.Tensor) -> tf.Tensor:
        """What stands for a tensor of the frozen model."""
        if original.name in self.inputs:
            return self.inputs[original.name]
        return self.operations[original.op.name].outputs[original.value_index]

    def tensors(self, originals: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The same for several."""
        return [self.tensor(original) for original in originals]
