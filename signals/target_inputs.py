"""How examples reach the signature, and where the label comes from: the first half of a plan."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.saved_model import ModelFunction, SavedModel
from tfx_privacy.signals.target_features import (
    ParsedFeature,
    SeenFeature,
    are_sequence_examples,
    feature_for_input,
    features_seen,
    in_words,
)
from tfx_privacy.signals.target_parsing import plan_parsing
from tfx_privacy.signals.target_plan import DEFAULT_SIGNATURE, InputWay, TargetPlan
from tfx_privacy.signals.target_transform_graph import ExampleState, TransformGraph

_FIRST_WAY = (
    "Set model_spec.signature_name to a signature that takes serialised examples and parses them "
    "(one input, of strings), or name the model's functions that make its inputs in "
    "model_spec.preprocessing_function_names"
)


class _LabelSource(enum.Enum):
    EXAMPLES = enum.auto()
    FUNCTIONS = enum.auto()
    TRANSFORM_GRAPH = enum.auto()


@dataclasses.dataclass(frozen=True)
class _Parts:
    """What there is to connect."""

    model: SavedModel
    signature: ModelFunction
    functions: Sequence[ModelFunction]
    features: Mapping[str, SeenFeature]
    transform_graph_dir: str | None

    @functools.cached_property
    def transform(self) -> TransformGraph | None:
        """Read where it is needed first: its library takes long to import."""
        return TransformGraph(self.transform_graph_dir) if self.transform_graph_dir else None

    def made_by_functions(self) -> dict[str, object]:
        return {name: spec for each in self.functions for name, spec in each.output_specs.items()}


def plan_inputs(
    model: SavedModel,
    spec: config_pb2.ModelSpec,
    batch_size: int,
    examples: Sequence[bytes],
    transform_graph_dir: str | None,
) -> TargetPlan:
    """Plans all but the reading of the output, which is left unspecified.

    Raises:
      InputError: If the signature, an input that it wants, its output, or the label is
        not there.
    """
    parts = _Parts(
        model=model,
        signature=model.signature(spec.signature_name or DEFAULT_SIGNATURE),
        functions=[
            model.preprocessing_function(name) for name in spec.preprocessing_function_names
        ],
        features=features_seen(examples),
        transform_graph_dir=transform_graph_dir,
    )
    output_name = _output_name(parts, spec.output_name)
    way = _input_way(parts, examples)
    label_source = _label_source(parts, spec.label_key)
    functions = (
        parts.functions
        if way is InputWay.PREPROCESSING_FUNCTIONS or label_source is _LabelSource.FUNCTIONS
        else ()
    )
    needs_transform = (
        way is InputWay.TRANSFORM_GRAPH or label_source is _LabelSource.TRANSFORM_GRAPH
    )
    return TargetPlan(
        model_dir=model.directory,
        signature_name=parts.signature.name,
        output_name=output_name,
        task=config_pb2.TASK_UNSPECIFIED,
        output_kind=config_pb2.OUTPUT_KIND_UNSPECIFIED,
        output_width=0,
        logits_source="",
        reads_logits=False,
        input_way=way,
        parsed_features=_parsed_features(parts, way, functions),
        preprocessing_function_names=tuple(function.name for function in functions),
        transform_graph_dir=transform_graph_dir if needs_transform else None,
        label_key=spec.label_key,
        label_is_transformed=label_source is not _LabelSource.EXAMPLES,
        label_width=0,
        batch_size=_batch_size(batch_size, [parts.signature, *functions]),
    )


def _output_name(parts: _Parts, name: str) -> str:
    outputs = sorted(parts.signature.output_specs)
    if name in outputs:
        return name
    listed = f"its outputs are {in_words(outputs)}"
    where = f"signature {parts.signature.name!r} of the model {parts.model.directory!r}"
    if name:
        raise InputError(f"{where} has no output {name!r} (model_spec.output_name): {listed}")
    if len(outputs) != 1:
        raise InputError(
            f"{where} has {len(outputs)} outputs: set model_spec.output_name; {listed}"
        )
    return outputs[0]


def _input_way(parts: _Parts, examples: Sequence[bytes]) -> InputWay:
    """The first way that is possible, in the order of `InputWay`."""
    signature = parts.signature
    if signature.takes_serialized_examples():
        return InputWay.SERIALIZED_EXAMPLES
    if are_sequence_examples(examples):
        raise InputError(
            f"the examples are tf.SequenceExamples, and {signature.describe()} does not parse "
            f"them: expected a signature that does. {parts.model.describe_signatures()}"
        )
    if parts.functions:
        _check_inputs(parts, {**parts.features, **parts.made_by_functions()})
        return InputWay.PREPROCESSING_FUNCTIONS
    transform = parts.transform
    if (
        transform
        and not signature.missing_inputs(transform.transformed_spec)
        and _are_raw(parts, transform)
    ):
        return InputWay.TRANSFORM_GRAPH
    _check_inputs(parts, parts.features)
    return InputWay.FEATURES


def _check_inputs(parts: _Parts, features: Mapping[str, object]) -> None:
    missing = parts.signature.missing_inputs(features)
    if missing:
        raise InputError(
            f"{parts.signature.describe()} wants {in_words(missing)}, which the examples lack: "
            f"{_sources(parts)}. {_FIRST_WAY}; of the model {parts.model.directory!r} "
            f"{parts.model.describe_signatures()}"
        )


def _label_source(parts: _Parts, label_key: str) -> _LabelSource:
    """Where the label is: in the examples if at all possible, transformed otherwise."""
    if label_key in parts.features:
        return _LabelSource.EXAMPLES
    transform = parts.transform
    # Missing in the sample, but known to be a raw feature: it can be there in other examples.
    if transform and label_key in transform.raw_spec and _are_raw(parts, transform):
        return _LabelSource.EXAMPLES
    if label_key in parts.made_by_functions():
        return _LabelSource.FUNCTIONS
    if transform and label_key in transform.transformed_spec and _are_raw(parts, transform):
        return _LabelSource.TRANSFORM_GRAPH
    raise InputError(f"there is no label {label_key!r} (model_spec.label_key): {_sources(parts)}")


def _are_raw(parts: _Parts, transform: TransformGraph) -> bool:
    return transform.tell(parts.features) is ExampleState.RAW


def _sources(parts: _Parts) -> str:
    """The features that there are and where they are from, for errors."""
    sources = [f"the examples have {in_words(parts.features)}"]
    if parts.functions:
        made = in_words(parts.made_by_functions())
        sources.append(f"the preprocessing functions make {made}")
    if parts.transform:
        sources.append(f"Transform's graph makes {in_words(parts.transform.transformed_spec)}")
    return "; ".join(sources)


def _parsed_features(
    parts: _Parts, way: InputWay, functions: Sequence[ModelFunction]
) -> tuple[ParsedFeature, ...]:
    """What has to be parsed for functions that do not parse themselves."""
    parsed: dict[str, ParsedFeature] = {}
    made: dict[str, object] = {}

    def add(function: ModelFunction) -> None:
        if function.takes_serialized_examples():
            return
        for input_name in sorted(function.input_specs):
            if feature_for_input(input_name, made):
                continue
            name = feature_for_input(input_name, parts.features)
            if name is None:
                raise InputError(
                    f"the preprocessing function {function.describe()} wants {input_name!r}, which "
                    f"the examples lack: they have {in_words(parts.features)}"
                )
            parsed.setdefault(name, plan_parsing(function, input_name, name, parts.features[name]))

    for function in functions:
        add(function)
        made.update(function.output_specs)
    if way is not InputWay.TRANSFORM_GRAPH:
        add(parts.signature)
    return tuple(parsed.values())


def _batch_size(wanted: int, functions: Sequence[ModelFunction]) -> int:
    """The batch size that is wanted, or the one that the functions are made for."""
    fixed = {
        spec.shape[0]
        for function in functions
        for spec in function.input_specs.values()
        if isinstance(spec, tf.TensorSpec) and spec.shape.rank and spec.shape[0] is not None
    }
    if len(fixed) > 1:
        raise InputError(
            "the signature and the preprocessing functions are made for different batch sizes: "
            f"{', '.join(map(str, sorted(fixed)))}"
        )
    return fixed.pop() if fixed else wanted
