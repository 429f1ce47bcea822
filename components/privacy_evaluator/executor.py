"""PrivacyEvaluator's executor: artifacts into paths, results into artifacts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from tfx_privacy.components.example_splits import example_split, example_splits
from tfx_privacy.evaluation.evaluate import FitOn, Outputs, TargetInputs, evaluate
from tfx_privacy.evaluation.message_files import message_from_json
from tfx_privacy.evaluation.reference_models_input import ReferenceModelsInput
from tfx_privacy.evaluation.reference_pool import reference_models_input
from tfx_privacy.evaluation.schema import check_features_in_schema
from tfx_privacy.evaluation.summary import summary_properties
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError

MODEL = "model"
EXAMPLES = "examples"
TRANSFORM_GRAPH = "transform_graph"
SCHEMA = "schema"
FIT_ON = "fit_on"
REFERENCE_MODELS = "reference_models"
CONFIG = "config"
CODE_VERSION = "code_version"
METRICS = "metrics"
SIGNALS = "signals"
RECORD_RISK = "record_risk"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Runs `evaluation.evaluate` on a Trainer's model and an Examples channel."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Measures the model; see PrivacyEvaluator for inputs and outputs.

        Raises:
          InputError: If an input cannot be used as given.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = message_from_json(
            exec_properties[CONFIG], config_pb2.PrivacyConfig, "the property 'config'"
        )
        if input_dict.get(SCHEMA):
            schema_uri = artifact_utils.get_single_uri(input_dict[SCHEMA])
            schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
            check_features_in_schema(config, schema)
        content = evaluate(
            target=_target_inputs(input_dict),
            splits=example_splits(input_dict[EXAMPLES], config.splits),
            config=config,
            outputs=Outputs(
                metrics=artifact_utils.get_single_uri(output_dict[METRICS]),
                signals=artifact_utils.get_single_uri(output_dict[SIGNALS]),
                record_risk=artifact_utils.get_single_uri(output_dict[RECORD_RISK]),
                scratch=os.path.join(self._get_tmp_dir(), "privacy_evaluator"),
            ),
            new_pipeline=self._make_beam_pipeline,
            fit_on=_fit_on(input_dict.get(FIT_ON, ())),
            references=_references(input_dict),
        )
        describe_outputs(
            content.results,
            artifact_utils.get_single_instance(output_dict[METRICS]),
            artifact_utils.get_single_instance(output_dict[RECORD_RISK]),
        )


def describe_outputs(
    results: results_pb2.PrivacyResults, metrics: types.Artifact, record_risk: types.Artifact
) -> None:
    """Sets the artifacts' properties: what people see, and what a baseline is found by."""
    for name, value in summary_properties(results).items():
        if isinstance(value, str):
            metrics.set_string_custom_property(name, value)
        else:
            metrics.set_float_custom_property(name, value)
    record_risk.set_string_custom_property("model_uri", results.model.uri)
    record_risk.set_string_custom_property("metrics_uri", metrics.uri)


def _target_inputs(input_dict: dict[str, list[types.Artifact]]) -> TargetInputs:
    model = artifact_utils.get_single_instance(input_dict[MODEL])
    graph = input_dict.get(TRANSFORM_GRAPH)
    return TargetInputs(
        uri=model.uri,
        model_dir=path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)),
        transform_graph_dir=artifact_utils.get_single_uri(graph) if graph else None,
    )


def _fit_on(signals: Sequence[types.Artifact]) -> FitOn | None:
    if not signals:
        return None
    if len(signals) > 1:
        raise InputError(
            f"the input {FIT_ON!r} has {len(signals)} artifacts, at "
            f"{', '.join(one.uri for one in signals)}; expected one: the output 'signals' of "
            "another PrivacyEvaluator"
        )
    return FitOn(signals_dir=signals[0].uri, uri=signals[0].uri)


def _references(input_dict: dict[str, list[types.Artifact]]) -> ReferenceModelsInput | None:
    if not input_dict.get(REFERENCE_MODELS):
        return None
    uri = artifact_utils.get_single_uri(input_dict[REFERENCE_MODELS])
    examples = input_dict[EXAMPLES]
    return reference_models_input(
        uri, uri, lambda split: example_split(examples, split, is_member=False)
    )
