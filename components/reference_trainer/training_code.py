"""What makes a model of a subset: the user's `run_fn`, what it is given, and its process."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from tfx.components.util import udf_utils
from tfx.dsl.io import fileio
from tfx.types import standard_component_specs as stock
from tfx.utils import io_utils

from tfx_privacy.components.reference_trainer import train_one
from tfx_privacy.components.reference_trainer.run_fn_source import (
    digest_of_file,
    digest_of_module,
    digest_of_wheel,
)
from tfx_privacy.reference_models.model_job import ModelJob, TrainingCode

# Stock inputs of Trainer that training code may read, beside the examples.
INPUTS = (stock.TRANSFORM_GRAPH_KEY, stock.SCHEMA_KEY, stock.HYPERPARAMETERS_KEY)
_PROPERTIES = (
    stock.TRAIN_ARGS_KEY,
    stock.EVAL_ARGS_KEY,
    stock.CUSTOM_CONFIG_KEY,
    stock.MODULE_FILE_KEY,
    stock.MODULE_PATH_KEY,
    stock.RUN_FN_KEY,
)
# Other releases of these give another model.
_LIBRARIES = ("tensorflow", "keras")


@dataclasses.dataclass(frozen=True)
class TrainerArguments:
    """What the stock Trainer would be given.

    Attributes:
      exec_properties: Of ReferenceTrainer; those of Trainer are among them.
      uris: Of the artifacts beside the examples, by the input's name.
      payload_format: Of the examples that `run_fn` reads: a name of PayloadFormat.
    """

    exec_properties: Mapping[str, Any]
    uris: Mapping[str, str]
    payload_format: str


def training_code(arguments: TrainerArguments, folder: str) -> TrainingCode:
    """Prepares training, once for all models.

    Args:
      arguments: Of Trainer.
      folder: A local one, for the time of the training. A module file that TFX has made
        a wheel of is installed there.

    Raises:
      InputError: If `run_fn`'s module is not there.
    """
    properties = {
        key: arguments.exec_properties[key]
        for key in _PROPERTIES
        if arguments.exec_properties.get(key) is not None
    }
    path = list(sys.path)
    source = _source(properties, folder, path)
    code_path = os.path.join(folder, "training_code.json")
    with open(code_path, "w", encoding="utf-8") as stream:
        told = {
            "sys_path": path,
            "exec_properties": properties,
            "inputs": dict(arguments.uris),
            "payload_format": arguments.payload_format,
        }
        json.dump(told, stream)

    def command(_: ModelJob, job_path: str) -> list[str]:
        return [sys.executable, train_one.__file__, code_path, job_path]

    return TrainingCode(_digest(source, properties, arguments.uris), command)


def _source(properties: dict[str, Any], folder: str, path: list[str]) -> str:
    """The digest of run_fn's source; a wheel is unpacked, and named no longer."""
    if properties.get(stock.MODULE_PATH_KEY):
        module, wheels = udf_utils.decode_user_module_key(properties[stock.MODULE_PATH_KEY])
        if not wheels:
            return digest_of_module(f"{module}.run_fn")
        wheel = io_utils.ensure_local(wheels[0])
        # Trainer does so for each training.
        path.append(udf_utils.install_to_temp_directory(wheel, os.path.join(folder, "user_module")))
        properties[stock.MODULE_PATH_KEY] = module
        return digest_of_wheel(module, wheel)
    if properties.get(stock.MODULE_FILE_KEY):
        return digest_of_file(properties[stock.MODULE_FILE_KEY])
    return digest_of_module(properties[stock.RUN_FN_KEY])


def _digest(source: str, properties: Mapping[str, Any], uris: Mapping[str, str]) -> str:
    """Free of paths, which are others in the next run."""
    digest = hashlib.sha256(source.encode())
    for key in (stock.TRAIN_ARGS_KEY, stock.EVAL_ARGS_KEY, stock.CUSTOM_CONFIG_KEY):
        digest.update(f"\0{key}\0{properties.get(key)}".encode())
    for library in _LIBRARIES:
        digest.update(f"\0{library}\0{importlib.metadata.version(library)}".encode())
    for key, uri in sorted(uris.items()):
        digest.update(f"\0{key}\0".encode() + _digest_of_folder(uri))
    return digest.hexdigest()[:32]


def _digest_of_folder(uri: str) -> bytes:
    digest = hashlib.sha256()
    paths = [os.path.join(folder, name) for folder, _, names in fileio.walk(uri) for name in names]
    for path in sorted(paths):
        with fileio.open(path, "rb") as stream:
            content = hashlib.sha256(stream.read()).digest()
        digest.update(os.path.relpath(path, uri).encode() + b"\0" + content)
    return digest.digest()
