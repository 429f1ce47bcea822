"""Collects what each step of a loop adds to per-example gradients, on the way back through it.

A probe is one more variable of the loop, which no step changes. Each use of a weight hands it
through, with a gradient of our own: at each step, what the step adds to the weight's
gradient goes into the probe's. So one pass of TensorFlow back through the loop, whatever its
number of steps, leaves the sum in the gradient of the probe's first value.

For a matrix that multiplies rows, the probe is a list: of the row and the gradient of each
step, from which norms and sketches come without forming the gradient. For anything else it is
the sum of the gradients that were formed.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfx_privacy.signals.white_box.contribution import Contribution, Site, explicit
from tfx_privacy.signals.white_box.dense import Factors, is_product, transposes_kernel
from tfx_privacy.signals.white_box.loops import LoopUse, in_the_model
from tfx_privacy.signals.white_box.model_copy import ModelCopy, ModelDefinition
from tfx_privacy.signals.white_box.rules import of_weight


@dataclasses.dataclass(frozen=True)
class Probe:
    """What collects the parts of one use of a weight in a loop.

    Attributes:
      use: The use.
      name: Of the tensor that a copy of the model takes for the probe's first value.
      batch: The number of examples.
    """

    use: LoopUse
    name: str
    batch: int

    @property
    def _lists(self) -> bool:
        return is_product(self.use.inner.operation)

    @property
    def _matrix(self) -> tuple[int, int]:
        rows, columns = self._entering.shape.as_list()[-2:]
        return rows, columns

    @property
    def _entering(self) -> tf.Tensor:
        return self.use.inner.operation.inputs[self.use.inner.index]

    @property
    def dtype(self) -> tf.DType:
        """Of its value."""
        return tf.variant if self._lists else tf.float32

    def first_value(self) -> tf.Tensor:
        """What it is before the first step, in the current graph."""
        if not self._lists:
            return tf.zeros([self.batch, self._entering.shape.num_elements()])
        return tf.raw_ops.EmptyTensorList(
            element_shape=tf.constant([self.batch, -1, sum(self._matrix)]),
            max_num_elements=-1,
            element_dtype=tf.float32,
        )

    def gradient_before(self, site: Site, behind: tf.Tensor) -> tf.Tensor:
        """The probe's gradient before a use of the weight, from that behind it."""
        found = self.use.rule(site)
        if not isinstance(found, Factors):
            return behind + found.gradient()
        return tf.raw_ops.TensorListPushBack(
            input_handle=behind, tensor=tf.concat([found.left, found.right], axis=2)
        )

    def contribution(self, gradient: tf.Tensor, copy: ModelCopy) -> Contribution:
        """What the use adds to the weight's gradient.

        Args:
          gradient: Of the probe's first value.
          copy: The model that the probe went through.
        """
        use = self.use
        found: Contribution = (
            Factors(*self._collected(gradient))
            if self._lists
            else explicit(gradient, use.inner.shape)
        )
        entering = copy.tensor(use.outer.tensor)
        used = entering
        if use.inner.scaled or use.inner.derived:
            inputs = [copy.tensor(each) for each in use.loop.operation.inputs]
            used = in_the_model(use.loop, use.inner.tensor, inputs)
            entering = inputs[use.outer.index]
        found = of_weight(use.inner, found, used, entering)
        weight = copy.operations[use.outer.weight.node].outputs[0]
        return of_weight(use.outer, found, entering, weight)

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        """[b, n]: numbers of each example that are a multiple of its loss's weight."""
        if not self._lists:
            return gradient
        left, right = self._collected(gradient)
        second = left if transposes_kernel(self.use.inner.operation) else right
        return tf.reshape(second, [self.batch, -1])

    def _collected(self, gradient: tf.Tensor) -> Sequence[tf.Tensor]:
        """Rows and gradients of all steps, [b, t, rows] and [b, t, columns]."""
        width = sum(self._matrix)
        steps = tf.raw_ops.TensorListStack(
            input_handle=gradient,
            element_shape=tf.constant([self.batch, -1, width]),
            element_dtype=tf.float32,
        )
        flat = tf.reshape(tf.transpose(steps, [1, 0, 2, 3]), [self.batch, -1, width])
        parts: Sequence[tf.Tensor] = tf.split(flat, self._matrix, axis=2)
        return parts


def probes(uses: Iterable[LoopUse], batch: int) -> tuple[Probe, ...]:
    """A probe for each use."""
    return tuple(
        Probe(use, f"tfx_privacy_probe_{position}:0", batch) for position, use in enumerate(uses)
    )


def with_probes(definition: ModelDefinition, added: Sequence[Probe]) -> ModelDefinition:
    """The model with probes in its loops, whose first values are further inputs of it."""
    if not added:
        return definition
    graph = tf.compat.v1.GraphDef()
    graph.CopyFrom(definition.graph_def)
    nodes = {node.name: node for node in graph.node}
    by_loop: dict[str, list[Probe]] = {}
    for probe in added:
        by_loop.setdefault(probe.use.loop.operation.name, []).append(probe)
    for name, members in by_loop.items():
        _add_to_loop(graph, nodes[name], members)
    inputs = (*definition.inputs, *(probe.name for probe in added))
    return ModelDefinition(graph, inputs)


def _add_to_loop(graph: Any, node: Any, members: Sequence[Probe]) -> None:
    """Hands the probes to a While, and functions of its own that know them."""
    functions = {function.signature.name: function for function in graph.library.function}
    for part in ("cond", "body"):
        own = graph.library.function.add()
        own.CopyFrom(functions[node.attr[part].func.name])
        own.signature.name = f"{own.signature.name}_probed_{uuid.uuid4().hex}"
        node.attr[part].func.name = own.signature.name
        for probe in members:
            own.signature.input_arg.add(name=_argument(probe), type=probe.dtype.as_datatype_enum)
        if part == "body":
            _add_to_body(own, members)
    for probe in members:
        node.input.append(probe.name.split(":")[0])
        node.attr["T"].list.type.append(probe.dtype.as_datatype_enum)
        node.attr["output_shapes"].list.shape.add(unknown_rank=True)
    # TensorFlow takes what is above this number for what it has added itself.
    node.attr["_num_original_outputs"].i = len(node.attr["T"].list.type)


def _add_to_body(body: Any, members: Sequence[Probe]) -> None:
    # What stands for a tensor, once a probe reads it on its way.
    current: dict[str, str] = {}
    for probe in members:
        loop, operation = probe.use.loop, probe.use.inner.operation
        output = operation.outputs[0]
        read = current.get(output.name, loop.names[output.name])
        inputs = [loop.names[value.name] for value in operation.inputs]
        name = f"{_argument(probe)}_read"
        _replace(body, read, f"{name}:output:0")
        current[output.name] = f"{name}:output:0"
        node = body.node_def.add(name=name, op="IdentityN", input=[read, *inputs, _argument(probe)])
        tensors = [output, *operation.inputs]
        types = [*(tensor.dtype.as_datatype_enum for tensor in tensors)]
        node.attr["T"].list.type.extend([*types, probe.dtype.as_datatype_enum])
        node.attr["_gradient_op_type"].s = _registered(probe).encode()
        result = f"{_argument(probe)}_result"
        body.signature.output_arg.add(name=result, type=probe.dtype.as_datatype_enum)
        body.ret[result] = f"{name}:output:{len(tensors)}"


def _replace(body: Any, tensor: str, by: str) -> None:
    for node in body.node_def:
        node.input[:] = [by if value == tensor else value for value in node.input]
    for name, value in body.ret.items():
        if value == tensor:
            body.ret[name] = by


def _argument(probe: Probe) -> str:
    return probe.name.split(":")[0]


def _registered(probe: Probe) -> str:
    """Makes the probe's gradient known to TensorFlow, and gives its name."""
    name = f"TfxPrivacyProbe_{uuid.uuid4().hex}"

    def gradient(reading: tf.Operation, *gradients: tf.Tensor) -> list[tf.Tensor | None]:
        output, *inputs, _ = reading.inputs
        site = Site(inputs, output, gradients[0], probe.batch)
        return [gradients[0], *(None for _ in inputs), probe.gradient_before(site, gradients[-1])]

    tf.RegisterGradient(name)(gradient)
    return name


def first_values(added: Iterable[Probe]) -> Mapping[str, tf.Tensor]:
    """What a copy of the model takes for the probes, in the current graph."""
    return {probe.name: probe.first_value() for probe in added}
