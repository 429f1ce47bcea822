"""The pool of synthetic records that reference models are trained on: made, written, described."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.synthesis.pool_source import (
    PoolSource,
    PoolSources,
    TargetModel,
)
from tfx_privacy.reference_models.synthesis.target_queries import Target
from tfx_privacy.signals import files, tfrecord
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleSplit

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

_LOGGER = logging.getLogger(__name__)

# One that `artifact.POOL_PATTERN` matches.
POOL_FILE = "data_tfrecord-00000-of-00001.gz"


def make_pool(
    config: references_pb2.ReferenceModelsConfig,
    schema: schema_pb2.Schema | None,
    statistics: statistics_pb2.DatasetFeatureStatistics | None,
    target: Target | TargetModel,
    splits: Mapping[str, ExampleSplit],
    target_records: int,
    pool_dir: str,
) -> references_pb2.Synthesis:
    """Makes synthetic records, labelled with the target's argmax, and writes them.

    The file `<pool_dir>/data_tfrecord-00000-of-00001.gz` appears whole. The same arguments make the
    same records. Rows are made some thousand at a time; of marginals of data, 50,000 records are
    kept in memory.

    Args:
      config: `synthetic` says what is made; `model_spec` which feature is the label and how the
        target is called; `identity` which features need a value of their own in each record.
      schema: Domains of features (`artifact_files.read_schema`). Only a biased sample for a
        SavedModel does without.
      statistics: For marginals of statistics (`artifact_files.read_statistics`).
      target: The SavedModel, or any callable from rows [m, width] of
        `RecordFormat.of_schema(schema, config).features` to probabilities [m, classes].
      splits: Raw examples by name; those that the source names are read.
      target_records: Records that the target was trained on; twice as many are made where
        `synthetic.records` is unset.
      pool_dir: The folder to write to, `artifact.POOL_FOLDER` of the artifact.

    Returns:
      How they were made. A class that was not reached is left out and told of in the notes. By
      class `asked` is 0 throughout where the source is not asked for classes.

    Raises:
      InputError: If configuration, schema, statistics, records or target cannot be used, or no
        record was made.
    """
    pool = config.synthetic
    asked = pool.records if pool.HasField("records") else 2 * target_records
    if asked < 1:
        raise InputError(f"{asked} synthetic records are asked for: expected at least 1")
    source = PoolSources(config, schema, statistics, target, splits, asked).choose()
    _LOGGER.info("making %d synthetic records: %s", asked, source.words)
    tfrecord.write_records(files.join(pool_dir, POOL_FILE), _counted(source))
    description = _described(source, asked)
    for note in description.notes:
        _LOGGER.warning("synthetic records: %s", note)
    return description


def _counted(source: PoolSource) -> Iterator[bytes]:
    for records, labels in source.blocks:
        source.tally.count_made(labels)
        yield from records
    if not source.tally.made:
        raise InputError(
            f"{source.words} made no record, after {source.queries.count} queries of the target: "
            "lower model_based.conf_min, raise model_based.iter_max, or choose another source"
        )


def _described(source: PoolSource, asked: int) -> references_pb2.Synthesis:
    tally, label = source.tally, source.label
    classes = [
        references_pb2.SynthesisOfClass(
            label=label.name_of(each), asked=tally.asked[each], made=tally.made[each]
        )
        for each in range(source.queries.classes)
    ]
    return references_pb2.Synthesis(
        source=source.words,
        asked=asked,
        made=tally.made.total(),
        queries=source.queries.count,
        classes=classes,
        notes=[*tally.notes, *_notes_on_classes(classes)],
    )


def _notes_on_classes(classes: list[references_pb2.SynthesisOfClass]) -> Iterator[str]:
    missing = [each.label for each in classes if not each.made]
    if missing:
        several = len(missing) > 1
        yield (
            f"class{'es' * several} {', '.join(missing)} {'are' if several else 'is'} left out: "
            f"no record was found that the target takes for {'them' if several else 'it'}"
        )
    short = [each for each in classes if 0 < each.made < each.asked]
    if short:
        told = ", ".join(f"{each.label} ({each.made:,} of {each.asked:,})" for each in short)
        yield f"fewer records than asked for of class{'es' * (len(short) > 1)} {told}"
