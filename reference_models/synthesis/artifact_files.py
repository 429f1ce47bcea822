"""What synthesis reads of other nodes' artifacts: the schema, and StatisticsGen's statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

SCHEMA_FILE = "schema.pbtxt"
STATISTICS_FILE = "FeatureStats.pb"
# What TFDV calls the statistics of all examples beside those of slices.
_WHOLE = "All Examples"


def read_schema(directory: str) -> schema_pb2.Schema:
    """The schema in a Schema artifact's folder.

    Raises:
      InputError: If there is none, or it cannot be read.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    path = files.join(directory, SCHEMA_FILE)
    try:
        return text_format.Parse(files.read_bytes(path), schema_pb2.Schema())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise InputError(f"{path!r} is no schema in text format: {error}") from error


def read_statistics(directory: str, split: str) -> statistics_pb2.DatasetFeatureStatistics:
    """The statistics of all examples of a split in an ExampleStatistics artifact's folder.

    Raises:
      InputError: If there are none, or they cannot be read.
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    path = files.join(files.join(directory, f"Split-{split}"), STATISTICS_FILE)
    if not files.exists(path):
        splits = [name.removeprefix("Split-") for name in files.names_in(directory)]
        raise InputError(
            f"there are no statistics of split {split!r} at {path!r}: the artifact has "
            f"{', '.join(splits) or 'no splits'}"
        )
    try:
        found = statistics_pb2.DatasetFeatureStatisticsList.FromString(files.read_bytes(path))
    except DecodeError as error:
        raise InputError(f"{path!r} holds no statistics: {error}") from error
    whole = [each for each in found.datasets if each.name == _WHOLE] or list(found.datasets)[:1]
    if not whole or not whole[0].features:
        raise InputError(f"{path!r} holds statistics of no feature")
    return whole[0]
