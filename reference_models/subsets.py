"""A pair's training sets: one Beam job writes both halves of the pool, once.

Each file of the pool becomes a file of each half, its records in their order, so the
same data make the same bytes however the job is spread. What is one model's training
set is the other's evaluation set.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.beam_sums import sum_over
from tfx_privacy.reference_models.class_counts import ClassCounts, count_classes
from tfx_privacy.reference_models.membership import inside_pair
from tfx_privacy.reference_models.subset_records import RecordsSource
from tfx_privacy.signals import files, tfrecord
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.examples import ExampleFile, ExampleSplit, batches_of, files_of
from tfx_privacy.signals.id_set import IdSet
from tfx_privacy.signals.record_identity import ids_of, units_of

TRAIN_FOLDER = "Split-train"
EVAL_FOLDER = "Split-eval"
_HALVES = ("half-0", "half-1")


@dataclasses.dataclass(frozen=True)
class WrittenPair:
    """What was written; parts can be added.

    Attributes:
      first: Records that model 2j is trained on.
      second: Records that model 2j + 1 is trained on.
      size: Bytes of the files.
      classes: Of both together and of each, by the label among transformed features.
    """

    first: IdSet
    second: IdSet
    size: int
    classes: ClassCounts

    def __add__(self, other: WrittenPair) -> WrittenPair:
        return WrittenPair(
            self.first + other.first,
            self.second + other.second,
            self.size + other.size,
            self.classes + other.classes,
        )

    def to_json(self) -> str:
        """The value as text, for `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> WrittenPair:
        """The value that `to_json` wrote."""
        found = json.loads(text)
        halves = [
            IdSet(found[half]["records"], tuple(found[half]["sums"]))
            for half in ("first", "second")
        ]
        classes = {label: tuple(counts) for label, counts in found["classes"]["of"].items()}
        return WrittenPair(
            halves[0],
            halves[1],
            found["size"],
            ClassCounts(classes, found["classes"]["are_numbers"]),
        )


_NOTHING = WrittenPair(IdSet(), IdSet(), 0, ClassCounts())


def write_pair(
    new_pipeline: Callable[[], beam.Pipeline],
    pool: Sequence[ExampleSplit],
    config: references_pb2.ReferenceModelsConfig,
    pair: int,
    source: RecordsSource,
    folder: str,
) -> WrittenPair:
    """Writes the halves of a pair.

    Args:
      new_pipeline: Makes the pipeline that the job is run in.
      pool: The splits to divide.
      config: Resolved.
      pair: Which one, from 0: of models 2 * pair and 2 * pair + 1.
      source: What is written of a record.
      folder: Where the halves go; workers reach it.

    Raises:
      InputError: If a file cannot be read or written.
    """
    found = [file for split in pool for file in files_of(split)]
    work = [
        _File(file, _name(number, len(found), file.path, is_packed=source.is_transformed))
        for number, file in enumerate(found)
    ]
    text = sum_over(
        new_pipeline,
        work,
        functools.partial(_write_file, config=config, pair=pair, source=source, folder=folder),
        _NOTHING,
        files.join(folder, "written.json"),
    )
    return WrittenPair.from_json(text)


def view(halves: str, first: int, examples_dir: str) -> None:
    """Makes what one model of a pair sees of it, without a second copy of the files.

    Args:
      halves: The local folder that a pair was written to.
      first: Which half it is trained on: 0 or 1.
      examples_dir: Where the folders `Split-train` and `Split-eval` are made.

    Raises:
      InputError: If a file cannot be made.
    """
    for half, name in ((first, TRAIN_FOLDER), (1 - first, EVAL_FOLDER)):
        target = Path(examples_dir, name)
        files.make_folder(str(target))
        for source in sorted(Path(halves, _HALVES[half]).iterdir()):
            try:
                os.link(source, target / source.name)
            except OSError:
                # Not all file systems have links.
                shutil.copyfile(source, target / source.name)


@dataclasses.dataclass(frozen=True)
class _File:
    """A file of the pool, and the name of those that are made of it."""

    source: ExampleFile
    name: str


def _name(number: int, of: int, path: str, *, is_packed: bool) -> str:
    packed = ".gz" if is_packed or path.endswith(".gz") else ""
    return f"data_tfrecord-{number:05d}-of-{of:05d}{packed}"


def _write_file(
    file: _File,
    config: references_pb2.ReferenceModelsConfig,
    pair: int,
    source: RecordsSource,
    folder: str,
) -> WrittenPair:
    records = source.records()
    written = _NOTHING
    paths = [files.join(files.join(folder, half), file.name) for half in _HALVES]
    with (
        tfrecord.open_to_write(paths[0]) as first,
        tfrecord.open_to_write(paths[1]) as second,
    ):
        for batch in batches_of(file.source):
            columns = decode(batch.records, batch.where)
            ids = ids_of(columns, config.identity, batch.where)
            units = units_of(columns, config.identity, batch.where)
            halves = inside_pair(ids if units is None else units, config.seed, pair)
            examples, features = records.of(batch.records, batch.where)
            first.write(_chosen(examples, halves[:, 0]))
            second.write(_chosen(examples, halves[:, 1]))
            label = features.get(config.model_spec.label_key)
            written += WrittenPair(
                IdSet.of(ids[halves[:, 0]]),
                IdSet.of(ids[halves[:, 1]]),
                0,
                count_classes(label, halves),
            )
    return dataclasses.replace(written, size=sum(map(_size, paths)))


def _chosen(records: Sequence[bytes], which: NDArray[np.bool_]) -> list[bytes]:
    return [records[row] for row in np.flatnonzero(which)]


def _size(path: str) -> int:
    with files.open_to_read(path) as stream:
        return stream.seek(0, os.SEEK_END)
