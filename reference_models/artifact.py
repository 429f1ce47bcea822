"""What lies in a ReferenceModels artifact: the models, and a message that describes them."""

from __future__ import annotations

from google.protobuf import json_format

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError

SCHEMA_VERSION = 1
DESCRIPTION_FILE = "reference_models.json"
# Where synthetic records lie, as TFRecords of tf.Examples.
POOL_FOLDER = "pool"
POOL_PATTERN = "data_tfrecord-*"


def model_folder(index: int) -> str:
    """The folder of a model's SavedModel, relative to the artifact."""
    return f"models/{index:03d}"


def write_description(directory: str, description: references_pb2.ReferenceModels) -> None:
    """Writes the description: last, so that what has one is whole.

    Raises:
      InputError: If the file cannot be written.
    """
    text = json_format.MessageToJson(description, preserving_proto_field_name=True)
    files.write_text_whole(files.join(directory, DESCRIPTION_FILE), text + "\n")


def read_description(directory: str) -> references_pb2.ReferenceModels:
    """Reads what `write_description` wrote.

    Raises:
      InputError: If there is none, or one of another version.
    """
    path = files.join(directory, DESCRIPTION_FILE)
    if not files.exists(path):
        raise InputError(
            f"{directory!r} holds no reference models: expected {DESCRIPTION_FILE} in it, as "
            "ReferenceTrainer writes it"
        )
    try:
        description = json_format.Parse(files.read_bytes(path), references_pb2.ReferenceModels())
    except json_format.ParseError as error:
        raise InputError(f"{path!r} is no description of reference models: {error}") from error
    if description.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{path!r} has schema version {description.schema_version}: expected {SCHEMA_VERSION}; "
            "it was written by another version of tfx-privacy"
        )
    return description
