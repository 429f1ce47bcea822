"""Where a weight is used: follows its constant to the operations that join it with examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

import tensorflow as tf

from tfx_privacy.signals.white_box.graph import depending_on, forward_order
from tfx_privacy.signals.white_box.weights import Weight

# Operations that leave every number of a weight in its place.
_PASS_THROUGH = frozenset(
    {"Identity", "ReadVariableOp", "Cast", "Reshape", "ExpandDims", "Squeeze", "EnsureShape"}
)
# Operations on each number by itself; what else enters them must not change their size.
_ELEMENTWISE = frozenset(
    {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Neg", "Rsqrt", "Sqrt", "Square", "Reciprocal", "Exp"}
    | {"Softplus", "Sigmoid", "Tanh", "Relu", "Abs", "Pow", "Maximum", "Minimum", "Log", "Inv"}
)


@dataclasses.dataclass(frozen=True)
class Use:
    """One operation in which a weight, or what was made of it, meets the examples.

    Attributes:
      weight: The weight.
      tensor: What the operation takes, in the frozen graph: the weight's numbers in
        their order, cast or reshaped, unless one of the following says otherwise.
      operation: The operation.
      index: Which of its inputs that is.
      transposed: Whether the weight, a matrix, was transposed on the way.
      scaled: Whether each number is a function of the weight's number at its place (the
        scale of a batch normalisation: gamma over a standard deviation).
      derived: Whether it was made of the weight, and of nothing that depends on examples,
        in any other way: a slice, a row looked up by its position, a normalised kernel.
    """

    weight: Weight
    tensor: tf.Tensor
    operation: tf.Operation
    index: int
    transposed: bool = False
    scaled: bool = False
    derived: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what its gradient is taken with regard to: the weight, or what was made of it."""
        return tuple(self.tensor.shape.as_list()) if self.derived else self.weight.shape


def find_uses(
    inputs: Collection[tf.Tensor], logits: tf.Tensor, weights: Iterable[Weight]
) -> dict[str, list[Use]]:
    """The uses of each weight on the way to the logits, by the weight's node, in forward order."""
    ordered = forward_order(logits)
    place = {operation.name: position for position, operation in enumerate(ordered)}
    dependent = depending_on(inputs, ordered)
    found = {}
    for weight in weights:
        uses = []
        if weight.node in place:
            start = logits.graph.get_operation_by_name(weight.node).outputs[0]
            uses = follow(Use(weight, start, start.op, 0), place, dependent)
        found[weight.node] = sorted(uses, key=lambda use: (place[use.operation.name], use.index))
    return found


def follow(start: Use, place: Collection[str], dependent: Collection[str]) -> list[Use]:
    """Walks forward from a weight, once over each state in which a tensor is met.

    Args:
      start: Names the weight and its tensor.
      place: Names of the operations to look at.
      dependent: Names of those among them on which examples have an influence.
    """
    pending = [start]
    found: dict[tuple[str, int], Use] = {}
    seen: set[tuple[str, bool, bool, bool]] = set()
    while pending:
        met = pending.pop()
        state = (met.tensor.name, met.transposed, met.scaled, met.derived)
        if state in seen:
            continue
        seen.add(state)
        for operation in met.tensor.consumers():
            if operation.name not in place:
                continue
            for index, value in enumerate(operation.inputs):
                if value is not met.tensor and value.name != met.tensor.name:
                    continue
                use = dataclasses.replace(met, operation=operation, index=index)
                passed = _passed(use, dependent)
                if passed is not None:
                    pending += passed
                    continue
                key = (operation.name, index)
                if key in found and found[key] != use:
                    # Two ways lead from the weight to this input.
                    use = dataclasses.replace(use, derived=True)
                found[key] = use
    return list(found.values())


def _passed(use: Use, dependent: Collection[str]) -> list[Use] | None:
    """What comes out of an operation that only hands the weight on; None where it is used."""
    operation = use.operation
    if operation.type in _PASS_THROUGH and use.index == 0:
        return [dataclasses.replace(use, tensor=operation.outputs[0])]
    if operation.name in dependent:
        return None
    outputs = [
        dataclasses.replace(use, tensor=output)
        for output in operation.outputs
        if output.dtype.is_floating
    ]
    if operation.type == "Transpose" and use.index == 0:
        permutation = tf.get_static_value(operation.inputs[1])
        if permutation is not None and list(permutation) == list(range(len(permutation))):
            return outputs
        if permutation is not None and list(permutation) == [1, 0] and not use.scaled:
            return [dataclasses.replace(out, transposed=not out.transposed) for out in outputs]
    sizes = {output.shape.num_elements() for output in operation.outputs}
    if operation.type in _ELEMENTWISE and sizes == {use.weight.size}:
        return [dataclasses.replace(out, scaled=True) for out in outputs]
    return [dataclasses.replace(out, derived=True) for out in outputs]
