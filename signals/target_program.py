"""The target model as one graph: from serialised examples to its output, logits and label."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_function import (
    CannotFreezeError,
    FrozenFunction,
    freeze,
    parsed_feature_names,
)
from tfx_privacy.signals.frozen_logits import FoundLogits, NoLogits, find_logits
from tfx_privacy.signals.saved_model import ModelFunction, SavedModel, Tensors, first_line
from tfx_privacy.signals.target_parsing import fit, inputs_of, parse
from tfx_privacy.signals.target_plan import InputWay, TargetPlan
from tfx_privacy.signals.target_transform_graph import TransformGraph

Fetch = Callable[[Sequence[bytes]], list[NDArray[Any]]]


@dataclasses.dataclass(frozen=True)
class TargetProgram:
    """One traced graph for one batch size.

    Attributes:
      plan: What it was built from.
      function: The concrete function, [batch_size] strings to the output and, where
        the plan asks for it, the transformed label: its values, and for a sparse or
        ragged one the number of them in each row.
      frozen: The same frozen, or None where it cannot be.
      logits: What was found behind the output.
      alive: Owners of the variables and tables that the graph refers to.
    """

    plan: TargetPlan
    function: Any
    frozen: FrozenFunction | None
    logits: FoundLogits | NoLogits
    alive: tuple[object, ...]

    @classmethod
    def build(cls, plan: TargetPlan, model: SavedModel) -> TargetProgram:
        """Traces, freezes and searches.

        Raises:
          InputError: If the parts of the plan do not fit together.
        """
        transform = TransformGraph(plan.transform_graph_dir) if plan.transform_graph_dir else None
        try:
            function = _trace(plan, model, transform)
        except InputError:
            raise
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise InputError(
                f"{plan.signature_in_words} cannot be called: {first_line(error)}"
            ) from error
        alive = (model, transform)
        try:
            frozen = freeze(function)
        except CannotFreezeError as error:
            return cls(plan, function, None, NoLogits(f"it cannot be searched: {error}"), alive)
        return cls(plan, function, frozen, find_logits(frozen.outputs[0]), alive)

    def parsed_feature_names(self) -> list[str]:
        """Features that the graph parses for the output; empty where it does not show."""
        return parsed_feature_names(self.frozen.outputs[0]) if self.frozen else []

    def fetch_output(self) -> Fetch:
        """Runs a batch: the output, then what there is of the label."""
        if self.frozen is None:
            return self._checked(self.function)
        return self._checked(self.frozen.fetch(self.frozen.outputs))

    def fetch_logits(self) -> Fetch:
        """Runs a batch: the logits, then what there is of the label."""
        return self._checked(self._frozen_fetch(with_output=False))

    def fetch_both(self) -> Fetch:
        """Runs a batch: the logits, then the output, then what there is of the label."""
        return self._checked(self._frozen_fetch(with_output=True))

    def _frozen_fetch(self, *, with_output: bool) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        if self.frozen is None or isinstance(self.logits, NoLogits):
            raise InputError(f"{self.plan.output_in_words} has no logits to fetch")
        kept = self.frozen.outputs if with_output else self.frozen.outputs[1:]
        return self.frozen.fetch([self.logits.tensor, *kept])

    def _checked(self, run: Callable[[tf.Tensor], list[tf.Tensor]]) -> Fetch:
        def fetch(serialized: Sequence[bytes]) -> list[NDArray[Any]]:
            try:
                return [np.asarray(part) for part in run(tf.constant(serialized, tf.string))]
            except tf.errors.InvalidArgumentError as error:
                raise InputError(
                    f"{self.plan.signature_in_words} failed on a batch of {len(serialized)} "
                    f"examples: {first_line(error)}"
                ) from error

        return fetch


def _trace(plan: TargetPlan, model: SavedModel, transform: TransformGraph | None) -> Any:
    signature = model.signature(plan.signature_name)
    functions = [model.preprocessing_function(name) for name in plan.preprocessing_function_names]
    # Made here and not in the step, where every trace would load its tables anew.
    layer = transform.layer() if transform else None

    def step(serialized: tf.Tensor) -> list[tf.Tensor]:
        features: dict[str, Any] = parse(serialized, plan.parsed_features)
        for function in functions:
            features.update(_call(function, serialized, features))
        transformed: Mapping[str, Any] = {}
        if transform and layer:
            transformed = layer(tf.io.parse_example(serialized, transform.raw_spec))
        given = transformed if plan.input_way is InputWay.TRANSFORM_GRAPH else features
        output = _call(signature, serialized, given)[plan.output_name]
        if not isinstance(output, tf.Tensor):
            raise InputError(f"{plan.output_in_words} is sparse or ragged: expected a dense tensor")
        if not plan.label_is_transformed:
            return [output]
        key = plan.label_key
        return [output, *_label_parts(features[key] if key in features else transformed[key])]

    # A fixed batch size: no retracing, and the same numbers for a row whatever stands beside it.
    types = [tf.TensorSpec([plan.batch_size], tf.string)]
    return tf.function(step, input_signature=types, autograph=False).get_concrete_function()


def _call(function: ModelFunction, serialized: tf.Tensor, features: Mapping[str, Any]) -> Tensors:
    if function.takes_serialized_examples():
        ((name, spec),) = function.input_specs.items()
        inputs: Tensors = {
            name: fit(serialized, spec, f"serialised examples for {function.name!r}")
        }
    else:
        inputs = inputs_of(function, features)
    return function.call(inputs)


def _label_parts(label: Any) -> list[tf.Tensor]:
    if isinstance(label, tf.SparseTensor):
        label = tf.RaggedTensor.from_sparse(label)
    if isinstance(label, tf.RaggedTensor):
        return [label.flat_values, label.row_lengths()]
    return [label]
