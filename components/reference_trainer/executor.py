"""ReferenceTrainer's executor: artifacts into paths, models into an artifact."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any

from absl import logging
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2, trainer_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as stock
from tfx.utils import path_utils, proto_utils

from tfx_privacy.components.example_splits import example_split, example_splits
from tfx_privacy.components.reference_trainer.training_code import (
    INPUTS,
    TrainerArguments,
    training_code,
)
from tfx_privacy.evaluation.code_version import code_digest
from tfx_privacy.evaluation.message_files import message_from_json
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.synthesis.pool_source import TargetModel
from tfx_privacy.reference_models.synthetic_pool import (
    PoolInputs,
    make_synthetic_pool,
    split_names,
    synthetic_split,
)
from tfx_privacy.reference_models.train import train_reference_models
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit

EXAMPLES = stock.EXAMPLES_KEY
TRANSFORM_GRAPH = stock.TRANSFORM_GRAPH_KEY
SCHEMA = stock.SCHEMA_KEY
STATISTICS = stock.STATISTICS_KEY
MODEL = stock.MODEL_KEY
HYPERPARAMETERS = stock.HYPERPARAMETERS_KEY
CONFIG = "config"
MAX_PARALLEL = "max_parallel"
WORK_DIRECTORY = "work_directory"
ONLY_MODELS = "only_models"
CODE_VERSION = "code_version"
SOURCE_DIGEST = "source_digest"
REFERENCE_MODELS = "reference_models"

# What taxi_progress.py finds the sentences by.
PROGRESS = "ReferenceTrainer: %s"
# Beside the output's versions, which a rerun gets a new one of.
_WORK_FOLDER = "work"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Runs `reference_models.train` with the user's training code."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains the models; see ReferenceTrainer for inputs and outputs.

        Raises:
          InputError: If an input cannot be used as given, or a model's training fails.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = message_from_json(
            exec_properties[CONFIG],
            references_pb2.ReferenceModelsConfig,
            "the property 'config'",
        )
        output = artifact_utils.get_single_instance(output_dict[REFERENCE_MODELS])
        examples = input_dict[EXAMPLES]
        splits = example_splits(examples, config.splits)
        uris = _uris(input_dict)
        pool, synthesis = _pool(input_dict, splits, config, uris, output.uri)
        train_args = proto_utils.json_to_proto(
            exec_properties[stock.TRAIN_ARGS_KEY], trainer_pb2.TrainArgs()
        )
        arguments = TrainerArguments(
            exec_properties=exec_properties,
            uris={key: uris[key] for key in INPUTS if key in uris},
            payload_format=_payload_format(examples, config),
        )
        with tempfile.TemporaryDirectory() as folder:
            description = train_reference_models(
                splits=splits,
                pool=pool,
                config=config,
                code=training_code(arguments, folder),
                train_steps=train_args.num_steps,
                only=_only_models(exec_properties),
                work_directory=_work_directory(exec_properties, output.uri),
                output_dir=output.uri,
                max_parallel=int(exec_properties[MAX_PARALLEL]),
                transform_graph_dir=uris.get(TRANSFORM_GRAPH),
                synthesis=synthesis,
                new_pipeline=self._make_beam_pipeline,
                listener=_log_progress,
                package_digest=code_digest(),
            )
        _describe(output, description)


def _log_progress(sentence: str) -> None:
    logging.info(PROGRESS, sentence)


def _uris(input_dict: dict[str, list[types.Artifact]]) -> dict[str, str]:
    """Of the artifacts beside the examples that are there."""
    return {
        key: artifact_utils.get_single_uri(artifacts)
        for key, artifacts in input_dict.items()
        if key != EXAMPLES and artifacts
    }


def _pool(
    input_dict: dict[str, list[types.Artifact]],
    splits: list[ExampleSplit],
    config: references_pb2.ReferenceModelsConfig,
    uris: dict[str, str],
    output_uri: str,
) -> tuple[list[ExampleSplit], references_pb2.Synthesis | None]:
    """What subsets are drawn from: made first, where it is synthetic."""
    examples = input_dict[EXAMPLES]
    if config.WhichOneof("pool") == "offline":
        names = config.offline.splits
        return [example_split(examples, name, is_member=False) for name in names], None
    if config.WhichOneof("pool") == "online":
        return splits, None
    model = artifact_utils.get_single_instance(input_dict[MODEL])
    model_dir = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    read = {name: example_split(examples, name, is_member=False) for name in split_names(config)}
    inputs = PoolInputs(
        splits={**read, **{split.name: split for split in splits}},
        target=TargetModel(model_dir, uris.get(TRANSFORM_GRAPH)),
        schema_dir=uris.get(SCHEMA),
        statistics_dir=uris.get(STATISTICS),
    )
    synthesis = make_synthetic_pool(config, inputs, output_uri)
    return [synthetic_split(output_uri)], synthesis


def _payload_format(
    examples: Sequence[types.Artifact], config: references_pb2.ReferenceModelsConfig
) -> str:
    """Of what `run_fn` reads."""
    if (
        config.training_examples == references_pb2.TRANSFORMED_EXAMPLES
        or config.WhichOneof("pool") == "synthetic"
    ):
        return example_gen_pb2.PayloadFormat.Name(example_gen_pb2.FORMAT_TF_EXAMPLE)
    formats = {examples_utils.get_payload_format_string(artifact) for artifact in examples}
    if len(formats) > 1:
        raise InputError(
            f"the examples have payloads {sorted(formats)}; expected the same in all "
            f"{len(examples)} artifacts of the channel"
        )
    return formats.pop()


def _only_models(exec_properties: dict[str, Any]) -> list[int] | None:
    text = exec_properties.get(ONLY_MODELS)
    return json.loads(text) if text else None


def _work_directory(exec_properties: dict[str, Any], output_uri: str) -> str:
    given = exec_properties.get(WORK_DIRECTORY)
    return given or os.path.join(os.path.dirname(output_uri.rstrip("/")), _WORK_FOLDER)


def _describe(output: types.Artifact, description: references_pb2.ReferenceModels) -> None:
    output.set_int_custom_property("models", len(description.models))
    output.set_string_custom_property("pool", description.config.WhichOneof("pool"))
    output.set_int_custom_property("pool_records", description.pool.records)
    output.set_int_custom_property("target_records", description.target_records)
