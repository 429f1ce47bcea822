"""Which weights' gradients are had from one backward pass, and which the slow way."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

import tensorflow as tf

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box.contribution import Contribution, Rule, Site
from tfx_privacy.signals.white_box.differentiate import differentiate
from tfx_privacy.signals.white_box.layers import Layer
from tfx_privacy.signals.white_box.model_copy import ModelCopy
from tfx_privacy.signals.white_box.rules import add, of_weight, rule_for
from tfx_privacy.signals.white_box.uses import Use
from tfx_privacy.signals.white_box.weights import Weight


@dataclasses.dataclass(frozen=True)
class GradientPlan:
    """How to come by the gradients of some layers.

    Attributes:
      batch: The batch size.
      rules: For each weight, by node, its uses and their rules.
      slow: Weights that have a use without a rule.
      notes: A sentence for each layer that has such.
    """

    batch: int
    rules: Mapping[str, Sequence[tuple[Use, Rule]]]
    slow: tuple[Weight, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, layers: Iterable[Layer], batch: int, distrusted: Collection[str]) -> GradientPlan:
        """Plans for layers with weights.

        Args:
          layers: The layers.
          batch: The batch size.
          distrusted: Names of operations whose rows do not belong to one example each.
        """
        rules: dict[str, Sequence[tuple[Use, Rule]]] = {}
        slow: list[Weight] = []
        notes = []
        for layer in layers:
            reasons: dict[str, None] = {}
            for weight in layer.weights:
                found = [(use, rule_for(use, batch)) for use in layer.uses[weight.node]]
                unknown = _reasons(found, distrusted)
                if unknown:
                    slow.append(weight)
                    reasons |= unknown
                else:
                    rules[weight.node] = [(use, rule) for use, rule in found if rule]
            if reasons:
                notes.append(
                    f"layer {layer.name!r} is slow: its gradients are taken example by example, "
                    f"because {'; '.join(reasons)}"
                )
        return cls(batch, rules, tuple(slow), tuple(notes))

    def operations(self) -> list[tf.Operation]:
        """The operations, of the frozen model, whose gradients the rules need; each once."""
        found = {
            use.operation.name: use.operation for uses in self.rules.values() for use, _ in uses
        }
        return list(found.values())

    def contributions(
        self, copy: ModelCopy, outputs: tf.Tensor, output_gradient: tf.Tensor
    ) -> dict[str, Contribution]:
        """The gradients of each weight that has rules, by its node, with one backward pass.

        Args:
          copy: The model in the current graph.
          outputs: What the losses are computed from, in that graph.
          output_gradient: The gradient of the sum of the losses with regard to them.

        Raises:
          InputError: If a weight's gradient stops at an operation that has none.
        """
        gradients = self.gradients_at(copy, outputs, output_gradient)
        found = {}
        for node, uses in self.rules.items():
            parts = []
            for use, rule in uses:
                gradient = gradients[use.operation.name]
                if gradient is None:
                    continue
                operation = copy.operations[use.operation.name]
                site = Site(operation.inputs, operation.outputs[0], gradient, self.batch)
                weight = copy.operations[node].outputs[0]
                parts.append(of_weight(use, rule(site), copy.tensor(use.tensor), weight))
            if not parts:
                raise _no_gradient(uses[0][0].weight)
            found[node] = add(parts, uses[0][0].weight.shape)
        return found

    def gradients_at(
        self, copy: ModelCopy, outputs: tf.Tensor, output_gradient: tf.Tensor
    ) -> dict[str, tf.Tensor | None]:
        """The gradient of the losses with regard to what comes out of `operations()`."""
        names = [operation.name for operation in self.operations()]
        tensors = [copy.operations[name].outputs[0] for name in names]
        gradients = differentiate(outputs, tensors, output_gradient)
        return {
            name: None if gradient is None else _like(gradient, tensor)
            for name, tensor, gradient in zip(names, tensors, gradients, strict=True)
        }


def _like(gradient: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    dense = tf.convert_to_tensor(gradient)
    dense.set_shape(tensor.shape)
    return dense


def _reasons(
    found: Sequence[tuple[Use, Rule | None]], distrusted: Collection[str]
) -> dict[str, None]:
    """Why uses have to be slow, as an ordered set of the ends of sentences."""
    reasons: dict[str, None] = {}
    for use, rule in found:
        operation = use.operation
        if rule is None:
            reasons[f"no faster way is known for {operation.type} {operation.name!r}"] = None
        elif operation.name in distrusted:
            reasons[
                f"the rows of {operation.type} {operation.name!r} do not lie in the order of the "
                "examples"
            ] = None
    return reasons


def _no_gradient(weight: Weight) -> InputError:
    return InputError(
        f"the loss has no gradient with regard to {weight.name!r}: all ways from it to the output "
        "lead through operations that have none (rounding, a conversion to integers, a stopped "
        "gradient); leave its layer out"
    )
