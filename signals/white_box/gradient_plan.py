"""Which weights' gradients are had from one backward pass, and which the slow way."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

import tensorflow as tf

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box.contribution import Contribution, Rule, Site
from tfx_privacy.signals.white_box.differentiate import differentiate, stops_between
from tfx_privacy.signals.white_box.graph import model_name
from tfx_privacy.signals.white_box.layers import Layer
from tfx_privacy.signals.white_box.loop_probes import Probe, probes
from tfx_privacy.signals.white_box.loops import (
    Functions,
    Loop,
    LoopUse,
    is_loop,
    loop_of,
    loop_uses,
)
from tfx_privacy.signals.white_box.model_copy import ModelCopy, ModelDefinition
from tfx_privacy.signals.white_box.rows_apart import by_example
from tfx_privacy.signals.white_box.rules import add, of_weight, rule_for
from tfx_privacy.signals.white_box.uses import Use
from tfx_privacy.signals.white_box.weights import Weight


@dataclasses.dataclass(frozen=True)
class GradientPlan:
    """How to come by the gradients of some layers.

    Attributes:
      batch: The batch size.
      rules: For each weight, by node, its uses and their rules.
      probes: For each weight, by node, what collects its gradients in loops.
      slow: Weights that have a use without a rule; they are in neither.
      notes: A sentence for each layer that has such.
    """

    batch: int
    rules: Mapping[str, Sequence[tuple[Use, Rule]]]
    probes: Mapping[str, Sequence[Probe]]
    slow: tuple[Weight, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        layers: Iterable[Layer],
        definition: ModelDefinition,
        batch: int,
        distrusted: Collection[str],
    ) -> GradientPlan:
        """Plans for layers with weights.

        Args:
          layers: The layers.
          definition: The model they are of.
          batch: The batch size.
          distrusted: Names of operations, and keys of uses in loops, whose rows do not
            belong to one example each.
        """
        rules: dict[str, Sequence[tuple[Use, Rule]]] = {}
        in_loops: dict[str, Sequence[LoopUse]] = {}
        slow: list[Weight] = []
        notes = []
        loops = _Loops(definition.functions)
        for layer in layers:
            reasons: dict[str, None] = {}
            for weight in layer.weights:
                ways = _ways(layer.uses[weight.node], loops, batch, distrusted)
                if ways.reasons:
                    slow.append(weight)
                    reasons |= dict.fromkeys(ways.reasons)
                else:
                    rules[weight.node] = ways.rules
                    in_loops[weight.node] = ways.in_loops
            if reasons:
                notes.append(
                    f"layer {layer.name!r} is slow: its gradients are taken example by example, "
                    f"because {'; '.join(reasons)}"
                )
        found = {use.key: probe for use, probe in _with_probes(in_loops.values(), batch)}
        by_weight = {node: tuple(found[use.key] for use in uses) for node, uses in in_loops.items()}
        return cls(batch, rules, by_weight, tuple(slow), tuple(notes))

    def all_probes(self) -> list[Probe]:
        """Those of all weights."""
        return [probe for members in self.probes.values() for probe in members]

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
          copy: The model in the current graph, with the probes.
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
                # By the originals: a copied operation may stand for what is computed otherwise.
                inputs = copy.tensors(use.operation.inputs)
                output = copy.tensor(use.operation.outputs[0])
                site = Site(inputs, output, gradient, self.batch)
                weight = copy.operations[node].outputs[0]
                parts.append(of_weight(use, rule(site), copy.tensor(use.tensor), weight))
            for probe in self.probes[node]:
                gradient = gradients[probe.use.key]
                if gradient is not None:
                    parts.append(probe.contribution(gradient, copy))
            if not parts:
                raise _no_gradient(self._weight(node), copy.operations[node].outputs[0], outputs)
            shape = copy.operations[node].outputs[0].shape
            found[node] = add(parts, tuple(shape.as_list()))
        return found

    def _weight(self, node: str) -> Weight:
        weights = [use.weight for use, _ in self.rules[node]]
        return (weights + [probe.use.outer.weight for probe in self.probes[node]])[0]

    def gradients_at(
        self, copy: ModelCopy, outputs: tf.Tensor, output_gradient: tf.Tensor
    ) -> dict[str, tf.Tensor | None]:
        """The gradient of the losses with regard to what comes out of `operations()`, by name.

        Also with regard to the probes, by the keys of their uses.
        """
        names = [operation.name for operation in self.operations()]
        tensors = [copy.operations[name].outputs[0] for name in names]
        probes = self.all_probes()
        values = [copy.inputs[probe.name] for probe in probes]
        gradients = differentiate(outputs, [*tensors, *values], output_gradient)
        found: dict[str, tf.Tensor | None] = {
            name: None if gradient is None else _like(gradient, tensor)
            for name, tensor, gradient in zip(names, tensors, gradients[: len(names)], strict=True)
        }
        keys = [probe.use.key for probe in probes]
        return found | dict(zip(keys, gradients[len(names) :], strict=True))

    def rows(self, gradients: Mapping[str, tf.Tensor | None]) -> dict[str, tf.Tensor]:
        """Of each gradient of `gradients_at`, [b, n] numbers of the examples."""
        none = tf.zeros([self.batch, 1])
        found = {}
        for operation in self.operations():
            gradient = gradients[operation.name]
            found[operation.name] = (
                none if gradient is None else by_example(gradient, operation, self.batch)
            )
        for probe in self.all_probes():
            gradient = gradients[probe.use.key]
            found[probe.use.key] = none if gradient is None else probe.rows(gradient)
        return found


@dataclasses.dataclass(frozen=True)
class _Ways:
    """How a weight is used: by rules, in loops by rules, and what no rule knows."""

    rules: Sequence[tuple[Use, Rule]]
    in_loops: Sequence[LoopUse]
    reasons: Sequence[str]


class _Loops:
    """The loops of a model, each opened once."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._found: dict[str, Loop] = {}

    def of(self, operation: tf.Operation) -> Loop:
        if operation.name not in self._found:
            self._found[operation.name] = loop_of(operation, self._functions)
        return self._found[operation.name]


def _ways(uses: Sequence[Use], loops: _Loops, batch: int, distrusted: Collection[str]) -> _Ways:
    rules: list[tuple[Use, Rule]] = []
    in_loops: list[LoopUse] = []
    reasons: list[str] = []
    for use in uses:
        if is_loop(use.operation):
            found, unknown = loop_uses(use, loops.of(use.operation), batch)
            in_loops += found
            reasons += unknown
            reasons += [_mixed(each.inner) for each in found if each.key in distrusted]
        elif (rule := rule_for(use, batch)) is None:
            kind, name = use.operation.type, use.operation.name
            reasons.append(f"no faster way is known for {kind} {name!r}")
        elif use.operation.name in distrusted:
            reasons.append(_mixed(use))
        else:
            rules.append((use, rule))
    return _Ways(rules, in_loops, reasons)


def _mixed(use: Use) -> str:
    return (
        f"the rows of {use.operation.type} {use.operation.name!r} do not lie in the order of the "
        "examples"
    )


def _with_probes(uses: Iterable[Sequence[LoopUse]], batch: int) -> Iterable[tuple[LoopUse, Probe]]:
    together = [use for members in uses for use in members]
    return zip(together, probes(together, batch), strict=True)


def _like(gradient: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    dense = tf.convert_to_tensor(gradient)
    dense.set_shape(tensor.shape)
    return dense


def _no_gradient(weight: Weight, constant: tf.Tensor, outputs: tf.Tensor) -> InputError:
    stops = stops_between(outputs, constant)
    named = ", ".join(f"{each.type} {model_name(each)!r}" for each in stops[:3])
    return InputError(
        f"the loss has no gradient with regard to {weight.name!r}: all ways from it to the output "
        f"lead through operations that have none ({named}), as quantised models, roundings and "
        "conversions to integers do; leave its layer out"
    )
