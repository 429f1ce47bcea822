"""Serialized examples: which files a split is made of, and how they are read."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from tfx_privacy.signals import files, tfrecord
from tfx_privacy.signals.errors import InputError

# Decoding costs least per row in batches of some thousand, and a batch of large
# examples should not fill the memory.
_BATCH_ROWS = 4096
_BATCH_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class ExampleSplit:
    """A split of serialized examples, in TFRecord files.

    Attributes:
      name: The split's name, "train" for instance.
      is_member: Whether the model was trained on it.
      file_patterns: Where its files are: one pattern or several, local or of any
        file system that Beam knows. Files that end in `.gz` are gzip.
    """

    name: str
    is_member: bool
    file_patterns: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ExampleFile:
    """One file of a split.

    Attributes:
      split: The name of the split.
      is_member: Whether the model was trained on the split.
      path: The file.
      size: Its bytes, as it lies there.
    """

    split: str
    is_member: bool
    path: str
    size: int


@dataclasses.dataclass(frozen=True)
class ExampleBatch:
    """Records that follow each other in one file.

    Attributes:
      source: The file.
      first: Which record of the file the first one is, from 0.
      records: The serialized examples, at least one.
    """

    source: ExampleFile
    first: int
    records: list[bytes]

    @property
    def where(self) -> str:
        """Where the records come from, for errors."""
        last = self.first + len(self.records) - 1
        return (
            f"split {self.source.split!r}, records {self.first} to {last} of {self.source.path!r}"
        )


def files_of(split: ExampleSplit) -> list[ExampleFile]:
    """The files of a split, sorted by path; a file that two patterns match is there once.

    Raises:
      InputError: If a pattern matches no file.
    """
    if not split.file_patterns:
        raise InputError(f"split {split.name!r} has no files: expected at least one file pattern")
    sizes: dict[str, int] = {}
    for pattern in split.file_patterns:
        try:
            matched = FileSystems.match([_with_folder(pattern)])[0].metadata_list
        except (OSError, ValueError) as error:
            raise InputError(
                f"split {split.name!r}: cannot look for files at {pattern!r}: {error}"
            ) from error
        if not matched:
            raise InputError(
                f"split {split.name!r}: no file matches {pattern!r}"
                f" (its patterns: {', '.join(map(repr, split.file_patterns))})"
            )
        sizes.update((found.path, found.size_in_bytes) for found in matched)
    return [ExampleFile(split.name, split.is_member, path, sizes[path]) for path in sorted(sizes)]


def _with_folder(pattern: str) -> str:
    """A pattern that Beam finds files by: a local one without a folder matches nothing."""
    return pattern if "://" in pattern or os.path.dirname(pattern) else f"./{pattern}"


def peek(split: ExampleSplit, n: int) -> list[bytes]:
    """The first records of a split, at most n and at least one.

    Raises:
      InputError: If a pattern matches no file, the split has no records, or a
        file cannot be read.
    """
    found = files_of(split)
    records = itertools.chain.from_iterable(tfrecord.read_records(file.path) for file in found)
    first = list(itertools.islice(records, n))
    if not first:
        raise InputError(empty_split_message(split, len(found)))
    return first


def empty_split_message(split: ExampleSplit, n_files: int) -> str:
    """What to say of a split without examples."""
    return (
        f"split {split.name!r} is empty: {n_files} files match "
        f"{', '.join(map(repr, split.file_patterns))}, and there is no example in them"
    )


def check_apart(splits: Sequence[ExampleSplit]) -> None:
    """Sees to it that no file is read for two splits.

    Raises:
      InputError: If members and non-members, or two splits of one side, share a
        file; or if a pattern matches none.
    """
    seen: dict[str, ExampleFile] = {}
    for split in splits:
        for file in files_of(split):
            other = seen.setdefault(_resolved(file.path), file)
            if other is file:
                continue
            shared = f"splits {other.split!r} and {split.name!r} both read {file.path!r}"
            if other.is_member != file.is_member:
                raise InputError(f"members and non-members are the same file: {shared}")
            raise InputError(f"examples would be read twice: {shared}")


def estimate_rows(found: Sequence[ExampleFile]) -> int:
    """About how many examples there are, judged by the start of the largest file."""
    largest = max(found, key=lambda file: file.size)
    records, read = tfrecord.records_in_start(largest.path, _PREFIX_BYTES)
    total = sum(file.size for file in found)
    return round(total * records / read) if read else 0


_PREFIX_BYTES = 1 << 20


class ReadBatches(beam.PTransform):
    """Reads files: from the start of a pipeline to a PCollection of `ExampleBatch`.

    What is shuffled is the files' names; examples go straight to what comes next.

    Raises:
      InputError: In a worker, if a file cannot be read.
    """

    def __init__(self, found: Sequence[ExampleFile]) -> None:
        super().__init__()
        self._files = list(found)

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Adds the steps to the pipeline."""
        return (
            pipeline
            | "Files" >> beam.Create(self._files, reshuffle=False)
            | "SpreadFiles" >> beam.Reshuffle()
            | "Read" >> beam.FlatMap(batches_of)
        )


def batches_of(file: ExampleFile) -> Iterator[ExampleBatch]:
    """The records of a file, some thousand at a time.

    Raises:
      InputError: If the file cannot be read.
    """
    first, records, size = 0, [], 0
    for record in tfrecord.read_records(file.path):
        records.append(record)
        size += len(record)
        if len(records) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield ExampleBatch(file, first, records)
            first, records, size = first + len(records), [], 0
    if records:
        yield ExampleBatch(file, first, records)


def _resolved(path: str) -> str:
    return str(Path(path).resolve()) if files.is_local(path) else path
