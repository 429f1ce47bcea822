"""The pool of synthetic records of a ReferenceModels artifact, from a node's inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.artifact import POOL_FOLDER, POOL_PATTERN
from tfx_privacy.reference_models.synthesis.artifact_files import read_schema, read_statistics
from tfx_privacy.reference_models.synthesis.pool import make_pool
from tfx_privacy.reference_models.synthesis.pool_source import TargetModel
from tfx_privacy.signals import files, tfrecord
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit, files_of

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2


@dataclasses.dataclass(frozen=True)
class PoolInputs:
    """What synthetic records are made from.

    Attributes:
      splits: Raw examples by the split's name: the target's, and those that the source names.
      target: The model that is asked.
      schema_dir: A Schema artifact's folder; None where there is none.
      statistics_dir: That of an ExampleStatistics artifact; None where there is none.
    """

    splits: Mapping[str, ExampleSplit]
    target: TargetModel
    schema_dir: str | None = None
    statistics_dir: str | None = None


def split_names(config: references_pb2.ReferenceModelsConfig) -> list[str]:
    """The splits that a synthetic pool's source reads records of."""
    sources = {
        "marginals": config.synthetic.marginals.splits,
        "noisy": config.synthetic.noisy.splits,
        "biased_sample": config.synthetic.biased_sample.splits,
    }
    return list(sources.get(config.synthetic.WhichOneof("source") or "", ()))


def synthetic_split(directory: str) -> ExampleSplit:
    """The records in an artifact's folder."""
    pattern = files.join(files.join(directory, POOL_FOLDER), POOL_PATTERN)
    return ExampleSplit("synthetic records", False, (pattern,))


def make_synthetic_pool(
    config: references_pb2.ReferenceModelsConfig, inputs: PoolInputs, directory: str
) -> references_pb2.Synthesis:
    """Makes the records and writes them to an artifact's folder, where `synthetic_split` is.

    Returns:
      How they were made.

    Raises:
      InputError: If configuration, schema, statistics, records or target cannot be used.
    """
    members = [inputs.splits[name] for name in config.splits.members]
    # Where the number of records is configured, there is nothing to count.
    has_records = config.synthetic.HasField("records")
    target_records = 0 if has_records else sum(map(_count, members))
    return make_pool(
        config,
        None if inputs.schema_dir is None else read_schema(inputs.schema_dir),
        _statistics(config, inputs),
        inputs.target,
        inputs.splits,
        target_records,
        files.join(directory, POOL_FOLDER),
    )


def _statistics(
    config: references_pb2.ReferenceModelsConfig, inputs: PoolInputs
) -> statistics_pb2.DatasetFeatureStatistics | None:
    """Those of the members, where the source goes by any."""
    marginals = config.synthetic.marginals
    if (
        inputs.statistics_dir is None
        or config.synthetic.WhichOneof("source") != "marginals"
        or marginals.source != references_pb2.STATISTICS
    ):
        return None
    members = list(config.splits.members)
    if len(members) > 1:
        raise InputError(
            f"marginals are to come from statistics, which there are of each split, and the target "
            f"was trained on the splits {members}: expected one split. "
            "synthetic.marginals.source DATA counts the records of several"
        )
    return read_statistics(inputs.statistics_dir, members[0])


def _count(split: ExampleSplit) -> int:
    return sum(1 for file in files_of(split) for _ in tfrecord.read_records(file.path))
