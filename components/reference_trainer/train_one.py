"""What trains one model: a program that runs the stock Trainer's executor.

It is started anew for each model, by its path, so that nothing of the parent's process
and of another model's training is in it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

# Nothing else is imported before `train_one` has set the path to import from.
if TYPE_CHECKING:
    from tfx import types

    from tfx_privacy.reference_models.model_job import ModelJob


def train_one(code_path: str, job_path: str) -> None:
    """Trains a model as Trainer would.

    Args:
      code_path: How, the same for every model: what `training_code.training_code` wrote.
      job_path: Which, and on what: a ModelJob.

    Raises:
      Exception: Whatever `run_fn` raises; RuntimeError if it writes no model.
    """
    with open(code_path, encoding="utf-8") as stream:
        code = json.load(stream)
    # This file's own folder is no place to import from, and what the user has written may be
    # importable by the parent's path alone.
    sys.path[:] = code["sys_path"]

    from absl import logging
    from tfx.components.trainer import executor

    from tfx_privacy.reference_models.model_job import ModelJob

    # Who looks into the log of a model that failed wants all of it.
    logging.set_verbosity(logging.INFO)
    with open(job_path, encoding="utf-8") as stream:
        job = ModelJob.from_json(stream.read())
    outputs = _outputs(job)
    executor.GenericExecutor().Do(
        {"examples": [_examples(job, code["payload_format"])], **_other_inputs(code["inputs"])},
        {key: [artifact] for key, artifact in outputs.items()},
        {**code["exec_properties"], **_arguments(job, code["exec_properties"]["eval_args"])},
    )
    _hand_over(outputs, job)


def _examples(job: ModelJob, payload_format: str) -> types.Artifact:
    from tfx.components.example_gen.utils import PAYLOAD_FORMAT_PROPERTY_NAME
    from tfx.types import standard_artifacts

    examples = standard_artifacts.Examples()
    examples.uri = job.examples_dir
    examples.split_names = json.dumps(["train", "eval"])
    examples.set_string_custom_property(PAYLOAD_FORMAT_PROPERTY_NAME, payload_format)
    return examples


def _other_inputs(uris: Mapping[str, str]) -> dict[str, list[types.Artifact]]:
    from tfx.types import standard_artifacts

    artifacts = {
        "transform_graph": standard_artifacts.TransformGraph(),
        "schema": standard_artifacts.Schema(),
        "hyperparameters": standard_artifacts.HyperParameters(),
    }
    for key, uri in uris.items():
        artifacts[key].uri = uri
    return {key: [artifacts[key]] for key in uris}


def _outputs(job: ModelJob) -> dict[str, types.Artifact]:
    from tfx.dsl.io import fileio
    from tfx.types import standard_artifacts

    outputs = {"model": standard_artifacts.Model(), "model_run": standard_artifacts.ModelRun()}
    for key, artifact in outputs.items():
        artifact.uri = os.path.join(job.output_dir, f"trainer_{key}")
        fileio.makedirs(artifact.uri)
    return outputs


def _arguments(job: ModelJob, eval_args: str) -> dict[str, str]:
    """The subset's halves take the place of the target's splits, whatever these are called."""
    from tfx.proto import trainer_pb2
    from tfx.utils import proto_utils

    evaluation = proto_utils.json_to_proto(eval_args, trainer_pb2.EvalArgs())
    evaluation.splits[:] = ["eval"]
    training = trainer_pb2.TrainArgs(splits=["train"], num_steps=job.train_steps)
    return {
        "train_args": proto_utils.proto_to_json(training),
        "eval_args": proto_utils.proto_to_json(evaluation),
    }


def _hand_over(outputs: Mapping[str, types.Artifact], job: ModelJob) -> None:
    from tfx.dsl.io import fileio
    from tfx.utils import path_utils

    trained = path_utils.serving_model_path(outputs["model"].uri)
    fileio.rename(trained, os.path.join(job.output_dir, "model"), overwrite=True)
    for artifact in outputs.values():
        fileio.rmtree(artifact.uri)


if __name__ == "__main__":
    train_one(*sys.argv[1:])
