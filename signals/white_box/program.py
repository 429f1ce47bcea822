"""The white-box signals of a batch: gradient norms, gradient sketches and activations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_function import FrozenFunction
from tfx_privacy.signals.labels import Labels
from tfx_privacy.signals.saved_model import first_line
from tfx_privacy.signals.white_box.activations import activation_tensor, activations
from tfx_privacy.signals.white_box.contribution import Contribution, explicit
from tfx_privacy.signals.white_box.differentiate import CustomGradientError
from tfx_privacy.signals.white_box.fallback import (
    in_micro_batches,
    micro_batch_size,
    per_example_gradients,
)
from tfx_privacy.signals.white_box.gradient_plan import GradientPlan
from tfx_privacy.signals.white_box.graph import static_batch_size
from tfx_privacy.signals.white_box.layers import Layer
from tfx_privacy.signals.white_box.loop_probes import first_values, with_probes
from tfx_privacy.signals.white_box.loss_gradient import label_spec, loss_gradient
from tfx_privacy.signals.white_box.model_copy import ModelCopy, ModelDefinition
from tfx_privacy.signals.white_box.opened_graph import opened
from tfx_privacy.signals.white_box.projections import SketchProjection, SketchSize
from tfx_privacy.signals.white_box.rows_apart import deviations, example_weights

# Names of what a program answers; an activation's is followed by its layer's.
NORM = "gradient_norm"
LAYER_NORMS = "gradient_norms"
SKETCHES = "gradient_sketches"
ACTIVATION = "activation/"

_NO_CUSTOM_GRADIENTS = (
    "the model's custom gradients are not in its file: the derivatives of what it computes stand "
    "in for them"
)

_DEFAULT_SIZE = SketchSize()

WhiteBoxArrays = dict[str, NDArray[np.float32]]


class BatchTooLargeError(Exception):
    """Memory did not suffice for a batch: build the program anew for a smaller one."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked of a program; each layer is of `list_layers`, with weights.

    Attributes:
      norms: Layers whose gradient norms are taken.
      sketches: Layers whose gradients are sketched.
      sketch_size: The sketches' shape.
      activations: Layers whose outputs are taken.
      activation_width: Wider outputs are projected to so many numbers.
    """

    norms: tuple[Layer, ...] = ()
    sketches: tuple[Layer, ...] = ()
    sketch_size: SketchSize = _DEFAULT_SIZE
    activations: tuple[Layer, ...] = ()
    activation_width: int = 256

    def gradient_layers(self) -> list[Layer]:
        """Layers of norms or sketches, each once, in forward order."""
        layers = {layer.index: layer for layer in (*self.norms, *self.sketches)}
        return [layers[index] for index in sorted(layers)]


@dataclasses.dataclass(frozen=True)
class _Model:
    """What a program is built from."""

    frozen: FrozenFunction
    definition: ModelDefinition
    logits: tf.Tensor
    task: config_pb2.Task.ValueType
    batch: int
    width: int
    wanted: Wanted
    seed: int


class WhiteBoxProgram:
    """Computes white-box signals with one forward pass and one pass back to activations.

    The first batch is also used to check that the rows of activations are the examples'
    own. Where they are not (sequences with time first, say), the layer is computed the
    slow way from then on, and `notes` says so.

    Attributes:
      batch_size: The size of the batches that the model sees.
      notes: Layers that are slow, and why.
    """

    def __init__(self, model: _Model) -> None:
        self._model = model
        self._checked = False
        self._about_gradients: tuple[str, ...] = ()
        self.batch_size = model.batch
        try:
            self._set_plan(distrusted=frozenset())
        except CustomGradientError:
            definition = model.definition.without_custom_gradients()
            self._model = dataclasses.replace(model, definition=definition)
            self._about_gradients = (_NO_CUSTOM_GRADIENTS,)
            self._set_plan(distrusted=frozenset())

    @classmethod
    def build(
        cls,
        frozen: FrozenFunction,
        logits: tf.Tensor,
        task: config_pb2.Task.ValueType,
        wanted: Wanted,
        seed: int,
    ) -> WhiteBoxProgram:
        """Plans and traces.

        Args:
          frozen: The model, from a batch of a fixed size of serialised examples.
          logits: Its logits, or for REGRESSION its predictions, in that graph.
          task: Which loss of `signals.losses` is meant.
          wanted: What is to be computed.
          seed: Of the random projections.

        Raises:
          InputError: If a sketch is larger than the gradient it is of, a layer's
            activations are no array, or the model cannot be differentiated.
        """
        _check_sketches(wanted)
        batch = static_batch_size(frozen.function.inputs[0])
        logits = opened(logits)
        definition = ModelDefinition.of(frozen, logits)
        width = _output_width(logits, batch)
        return cls(_Model(frozen, definition, logits, task, batch, width, wanted, seed))

    def __call__(self, serialized: Sequence[bytes], labels: Labels) -> WhiteBoxArrays:
        """The signals of n examples, 1 <= n <= batch_size.

        Args:
          serialized: The examples.
          labels: [n] classes (BINARY, MULTICLASS) or [n, w] (MULTILABEL, REGRESSION).

        Returns:
          Arrays of float32: "gradient_norm" [n], of the layers of `Wanted.norms`
          together; "gradient_norms" [n, layers], of each; "gradient_sketches"
          [n, layers, rows * columns]; "activation/<layer>" [n, w]. Only what is wanted.

        Raises:
          InputError: If the model fails, or what comes out is not finite.
          BatchTooLargeError: If memory does not suffice.
        """
        if not 1 <= len(serialized) <= self.batch_size:
            raise ValueError(
                f"{len(serialized)} examples: expected 1 to {self.batch_size} for one batch"
            )
        rows = np.minimum(np.arange(self.batch_size), len(serialized) - 1)
        spec = label_spec(self._model.task, self.batch_size, self._model.width)
        inputs = (
            tf.constant([serialized[row] for row in rows], tf.string),
            tf.constant(np.reshape(np.asarray(labels)[rows], spec.shape), spec.dtype),
        )
        try:
            found = self.run(*inputs)
        except tf.errors.ResourceExhaustedError as error:
            raise BatchTooLargeError(
                f"out of memory on a batch of {self.batch_size} examples: {first_line(error)}"
            ) from error
        except tf.errors.InvalidArgumentError as error:
            raise InputError(
                f"the model's gradients could not be computed on a batch of {len(serialized)} "
                f"examples: {first_line(error)}"
            ) from error
        arrays = {name: np.asarray(values)[: len(serialized)] for name, values in found.items()}
        for name, values in arrays.items():
            if not np.isfinite(values).all():
                raise InputError(f"{name}: NaN or infinity among the values of a batch")
        return arrays

    def run(self, inputs: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """The same for a whole batch that lies in tensors, without checks of the values.

        Args:
          inputs: What the frozen function takes first.
          labels: As `label_spec` says.
        """
        if not self._checked:
            self._check_rows(inputs, labels)
            self._checked = True
        found: dict[str, tf.Tensor] = self._step(inputs, labels)
        return found

    def _set_plan(self, distrusted: frozenset[str]) -> None:
        model = self._model
        self._plan = GradientPlan.of(
            model.wanted.gradient_layers(), model.definition, model.batch, distrusted
        )
        self._definition = with_probes(model.definition, self._plan.all_probes())
        self.notes = self._about_gradients + self._plan.notes
        self._step = self._traced(self._signals)

    def _traced(self, step: Callable[..., Any]) -> Callable[..., Any]:
        model = self._model
        frozen = model.frozen

        # Resources are captured here, where they are eager.
        def call(serialized: tf.Tensor, labels: tf.Tensor) -> Any:
            return step(serialized, labels)

        signature = [
            tf.TensorSpec.from_tensor(frozen.function.inputs[0]),
            label_spec(model.task, model.batch, model.width),
        ]
        traced: Callable[..., Any] = tf.function(
            call, input_signature=signature, autograph=False
        ).get_concrete_function()
        # A custom gradient may refer to tensors of the place where it was defined.
        captured = [value for value, _ in traced.graph.captures]  # type: ignore[attr-defined]
        if not all(tf.is_symbolic_tensor(value) is False for value in captured):
            raise CustomGradientError
        return traced

    def _check_rows(self, inputs: tf.Tensor, labels: tf.Tensor) -> None:
        # Not "> 1", which a NaN would pass.
        distrusted = {
            name
            for name, deviation in self._traced(self._deviations)(inputs, labels).items()
            if not float(deviation) <= 1
        }
        if distrusted:
            self._set_plan(frozenset(distrusted))

    def _signals(self, serialized: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        model = self._model
        copy = self._copy_with_probes(serialized)
        outputs, gradient = self._loss(copy, labels, model.batch)
        parts = _summaries(
            self._plan.contributions(copy, outputs, gradient), model.wanted, model.seed
        )
        if self._plan.slow:
            for key, value in self._slow_summaries(serialized, labels).items():
                parts[key] = parts[key] + value if key in parts else value
        signals = _assembled(parts, model.wanted)
        for layer in model.wanted.activations:
            values = copy.tensor(activation_tensor(layer, model.batch))
            signals[ACTIVATION + layer.name] = activations(
                values, layer, model.wanted.activation_width, model.seed
            )
        return signals

    def _deviations(self, serialized: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """By operation, or use in a loop, of the plan."""
        model, plan = self._model, self._plan
        if not plan.rules:
            return {}
        copy = self._copy_with_probes(serialized)
        outputs, gradient = self._loss(copy, labels, model.batch)
        weights = example_weights(model.batch)
        shape = [-1] + [1] * (gradient.shape.rank - 1)
        weighted_gradient = gradient * tf.cast(tf.reshape(weights, shape), gradient.dtype)
        rows, weighted = (
            plan.rows(plan.gradients_at(copy, outputs, each))
            for each in (gradient, weighted_gradient)
        )
        found = deviations(list(rows.values()), list(weighted.values()), weights)
        return dict(zip(rows, tf.unstack(found, num=len(rows)), strict=True))

    def _slow_summaries(self, serialized: tf.Tensor, labels: tf.Tensor) -> dict[_Key, tf.Tensor]:
        model, slow = self._model, self._plan.slow
        op_types = [node.op for node in model.definition.graph_def.node]
        size = micro_batch_size(model.batch, op_types)
        keys: list[_Key] = []

        def step(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
            copy = self._copy(inputs[0])
            outputs, gradient = self._loss(copy, inputs[1], size)
            constants = [copy.operations[weight.node].outputs[0] for weight in slow]
            found = per_example_gradients(outputs, gradient, constants)
            contributions: dict[str, Contribution] = {
                weight.node: explicit(values, weight.shape)
                for weight, values in zip(slow, found, strict=True)
            }
            summaries = _summaries(contributions, model.wanted, model.seed)
            keys[:] = summaries
            return list(summaries.values())

        nodes = {weight.node for weight in slow}
        specs = _specs(nodes, model.wanted, size)
        values = in_micro_batches(step, [serialized, labels], size, specs)
        return dict(zip(keys, values, strict=True))

    def _copy(self, serialized: tf.Tensor) -> ModelCopy:
        return self._model.definition.copy(self._inputs(serialized))

    def _copy_with_probes(self, serialized: tf.Tensor) -> ModelCopy:
        values = first_values(self._plan.all_probes())
        return self._definition.copy({**self._inputs(serialized), **values})

    def _inputs(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        frozen = self._model.frozen
        names = [tensor.name for tensor in frozen.function.inputs]
        # Importing a graph takes no eager tensors, as lookup tables are, where operations would.
        graph: Any = tf.compat.v1.get_default_graph()
        resources = [graph.capture(resource) for resource in frozen.resources]
        return dict(zip(names, [serialized, *resources], strict=True))

    def _loss(self, copy: ModelCopy, labels: tf.Tensor, rows: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The outputs, and the gradient of the losses with regard to them."""
        outputs = copy.tensor(self._model.logits)
        logits = tf.reshape(outputs, [rows, self._model.width])
        gradient = loss_gradient(self._model.task, logits, labels)
        gradient = tf.reshape(tf.cast(gradient, outputs.dtype), [rows, *outputs.shape[1:]])
        return outputs, gradient


# What a summary is of: "norm" or "sketch", and the layer's position.
_Key = tuple[str, int]


def _summaries(
    contributions: Mapping[str, Contribution], wanted: Wanted, seed: int
) -> dict[_Key, tf.Tensor]:
    """Squared norms [b] and sketches [b, r, c] of layers, so far as weights contribute to them."""
    found: dict[_Key, tf.Tensor] = {}
    for layer in wanted.norms:
        squares = [
            contributions[weight.node].squared_norm()
            for weight in layer.weights
            if weight.node in contributions
        ]
        if squares:
            found["norm", layer.index] = tf.add_n(squares)
    for layer in wanted.sketches:
        sketches = [
            contributions[weight.node].sketch(
                SketchProjection(seed, layer.index, position, wanted.sketch_size)
            )
            for position, weight in enumerate(layer.weights)
            if weight.node in contributions
        ]
        if sketches:
            found["sketch", layer.index] = tf.add_n(sketches)
    return found


def _specs(nodes: set[str], wanted: Wanted, rows: int) -> list[tf.TensorSpec]:
    """The types of `_summaries` of these weights."""
    size = wanted.sketch_size
    norms = [layer for layer in wanted.norms if nodes & {each.node for each in layer.weights}]
    sketches = [layer for layer in wanted.sketches if nodes & {each.node for each in layer.weights}]
    return [
        *(tf.TensorSpec([rows], tf.float32) for _ in norms),
        *(tf.TensorSpec([rows, size.rows, size.columns], tf.float32) for _ in sketches),
    ]


def _assembled(parts: Mapping[_Key, tf.Tensor], wanted: Wanted) -> dict[str, tf.Tensor]:
    signals = {}
    if wanted.norms:
        squares = tf.stack([parts["norm", layer.index] for layer in wanted.norms], axis=1)
        # Rounding may leave a sum of products below zero where all gradients are zero.
        squares = tf.maximum(squares, 0.0)
        signals[LAYER_NORMS] = tf.sqrt(squares)
        signals[NORM] = tf.sqrt(tf.reduce_sum(squares, axis=1))
    if wanted.sketches:
        sketches = tf.stack([parts["sketch", layer.index] for layer in wanted.sketches], axis=1)
        shape = [sketches.shape[0], len(wanted.sketches), wanted.sketch_size.size]
        signals[SKETCHES] = tf.reshape(sketches, shape)
    return signals


def _check_sketches(wanted: Wanted) -> None:
    size = wanted.sketch_size
    for layer in wanted.sketches:
        if size.size > layer.size:
            raise InputError(
                f"a sketch of {size.rows} x {size.columns} = {size.size} numbers is larger than "
                f"the gradient of layer {layer.name!r}, which has {layer.size}: expected a smaller "
                "sketch, or the layer to be left out"
            )


def _output_width(logits: tf.Tensor, batch: int) -> int:
    """How many columns the logits have."""
    shape = logits.shape
    if not shape.rank or shape[0] not in (None, batch) or not shape[1:].is_fully_defined():
        raise InputError(
            f"the logits have the shape {shape}: expected {batch} rows of a known number of columns"
        )
    return int(shape[1:].num_elements())
