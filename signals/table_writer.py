"""Writing a signals table: rows into buckets, files that appear whole.

Whoever writes rows (a bundle of a Beam job, `tfx-privacy measure`) has a
`TableWriter` of its own. The files that it leaves belong to the table only once
`commit` lists them in the description, so rows written by an attempt that failed,
or that was made twice, do not count.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfx_privacy.signals import files
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import bucket_of
from tfx_privacy.signals.reference_files import PREFIX as _REFERENCES_PREFIX
from tfx_privacy.signals.reference_signals import ReferenceLayout
from tfx_privacy.signals.table import (
    DESCRIPTION_NAME,
    IdentityDescription,
    SplitRows,
    TableDescription,
    TableFile,
    TableLayout,
    arrow_schema,
    input_column,
    slice_column,
    to_record_batch,
)

# Roles are assigned with all ids of a bucket in memory: some 100 bytes a row.
_ROWS_A_BUCKET = 250_000
# A writer has a file open for each bucket.
_MOST_BUCKETS = 128
# Rows wait in memory until they make row groups of a decent size.
_BUFFER_BYTES = 32 << 20
# A file keeps some kilobytes in memory for each row group until it is closed.
_GROUPS_A_FILE = 512

# Values of which most are distinct would take more room in a dictionary than without.
_DICTIONARY_BYTES = 64 << 10

_ROWS_PREFIX = "rows-"
_STAGING_PREFIX = ".writing-"


def buckets_for(rows: int) -> int:
    """How many buckets a table of about so many rows should have."""
    return int(np.clip(-(-rows // _ROWS_A_BUCKET), 1, _MOST_BUCKETS))


@dataclasses.dataclass(frozen=True)
class Written:
    """What one writer wrote.

    Attributes:
      files: The files, in place.
      splits: Rows of each split in them.
      input_bytes: What the inputs of these rows take in memory.
    """

    files: tuple[TableFile, ...]
    splits: tuple[SplitRows, ...]
    input_bytes: int = 0


class TableWriter:
    """Writes rows into files of its own, one a bucket or a few.

    Memory does not grow with the number of rows. Call `finish` to put the files in
    place, or `discard` to leave nothing behind; used in a `with` statement it is
    discarded where the block raises.

    Raises:
      InputError: From any method, if the folder cannot be written to.
    """

    def __init__(self, table_dir: str, layout: TableLayout, buckets: int) -> None:
        self._table_dir = table_dir
        self._buckets = buckets
        # Reference signals have files of their own.
        self._schema = arrow_schema(dataclasses.replace(layout, references=None))
        inputs = [input_column(feature) for feature, _ in layout.input_features]
        self._in_dictionary = ["split", *map(_values_of, map(slice_column, layout.slice_features))]
        self._in_dictionary.extend(map(_values_of, inputs))
        self._input_bytes = 0
        self._waiting: list[list[pa.RecordBatch]] = [[] for _ in range(buckets)]
        self._waiting_bytes = 0
        self._open: dict[int, _BucketFile] = {}
        self._closed: list[_BucketFile] = []
        self._rows_of_split: dict[tuple[str, bool], int] = {}
        files.make_folder(table_dir)
        # Renaming works within one file system only.
        beside = table_dir if files.is_local(table_dir) else None
        with _explained(table_dir):
            self._staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=beside))

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.discard()

    def append(self, signals: Signals, split: str) -> None:
        """Adds rows of one split."""
        keys = signals.ids if signals.units is None else signals.units
        bucket = bucket_of(keys, self._buckets)
        order = np.argsort(bucket, kind="stable")
        batch = to_record_batch(signals.take(order), split, self._schema)
        ends = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=self._buckets))])
        for number in np.unique(bucket):
            rows = batch.slice(ends[number], ends[number + 1] - ends[number])
            self._waiting[number].append(rows)
        self._waiting_bytes += batch.nbytes
        self._input_bytes += _bytes_of(signals.inputs)
        self._count(signals, split)
        if self._waiting_bytes >= _BUFFER_BYTES:
            self._flush()

    def finish(self) -> Written:
        """Puts the files in place."""
        self._flush()
        self._closed.extend(self._open.values())
        self._open.clear()
        placed = []
        for file in self._closed:
            with _explained(self._table_dir):
                file.writer.close()
            files.put_whole(str(file.path), files.join(self._table_dir, file.path.name))
            placed.append(TableFile(file.path.name, file.bucket, file.rows))
        files.remove([str(self._staging)])
        splits = (SplitRows(*key, rows) for key, rows in self._rows_of_split.items())
        return Written(tuple(placed), tuple(splits), self._input_bytes)

    def discard(self) -> None:
        """Deletes what was written and not put in place."""
        for file in [*self._open.values(), *self._closed]:
            with contextlib.suppress(OSError):
                file.writer.close()
        files.remove([str(self._staging)])

    def _count(self, signals: Signals, split: str) -> None:
        members = int(signals.member.sum())
        for is_member, rows in ((True, members), (False, len(signals) - members)):
            if rows:
                key = (split, is_member)
                self._rows_of_split[key] = self._rows_of_split.get(key, 0) + rows

    def _flush(self) -> None:
        for bucket, batches in enumerate(self._waiting):
            if batches:
                self._write_group(bucket, pa.Table.from_batches(batches, self._schema))
        self._waiting = [[] for _ in range(self._buckets)]
        self._waiting_bytes = 0

    def _write_group(self, bucket: int, rows: pa.Table) -> None:
        with _explained(self._table_dir):
            if bucket not in self._open:
                self._open[bucket] = self._new_file(bucket)
            file = self._open[bucket]
            file.writer.write_table(rows, row_group_size=rows.num_rows)
            file.rows += rows.num_rows
            file.groups += 1
            if file.groups == _GROUPS_A_FILE:
                file.writer.close()
                self._closed.append(self._open.pop(bucket))

    def _new_file(self, bucket: int) -> _BucketFile:
        path = self._staging / f"{_ROWS_PREFIX}{bucket:05d}-{uuid.uuid4().hex}.parquet"
        writer = pq.ParquetWriter(
            path,
            self._schema,
            use_dictionary=self._in_dictionary,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            write_statistics=False,
        )
        return _BucketFile(bucket, path, writer)


def _values_of(column: str) -> str:
    """Where Parquet keeps the values of a column of lists."""
    return f"{column}.list.item"


def _bytes_of(lists: Mapping[str, pa.Array]) -> int:
    """Of values and offsets; the same however the rows are divided into batches."""
    return sum(
        4 * len(column) + len(column.flatten()) * column.type.value_type.bit_width // 8
        for column in lists.values()
    )


@dataclasses.dataclass
class _BucketFile:
    bucket: int
    path: Path
    writer: pq.ParquetWriter
    rows: int = 0
    groups: int = 0


def commit(
    table_dir: str,
    layout: TableLayout,
    identity: IdentityDescription,
    buckets: int,
    written: Iterable[Written],
) -> TableDescription:
    """Makes a table of what writers wrote: deletes all other rows, writes the description."""
    parts = list(written)
    table_files = sorted((file for part in parts for file in part.files), key=_by_bucket)
    rows: dict[tuple[str, bool], int] = {}
    for split in (split for part in parts for split in part.splits):
        key = (split.split, split.is_member)
        rows[key] = rows.get(key, 0) + split.rows
    description = TableDescription(
        **{field.name: getattr(layout, field.name) for field in dataclasses.fields(TableLayout)},
        identity=identity,
        splits=tuple(SplitRows(*key, rows[key]) for key in sorted(rows)),
        buckets=buckets,
        files=tuple(table_files),
        input_bytes=sum(part.input_bytes for part in parts),
    )
    _remove_files(table_dir, keep={file.name for file in table_files})
    files.write_text_whole(files.join(table_dir, DESCRIPTION_NAME), description.to_json())
    return description


def add_references(
    table_dir: str, description: TableDescription, references: ReferenceLayout
) -> TableDescription:
    """Notes in the description of a table that files of reference signals lie beside it."""
    noted = dataclasses.replace(description, references=references)
    files.write_text_whole(files.join(table_dir, DESCRIPTION_NAME), noted.to_json())
    return noted


def remove_table(table_dir: str) -> None:
    """Deletes a table, or what a failed attempt left of one; other files stay."""
    files.remove([files.join(table_dir, DESCRIPTION_NAME)])
    remove_rows(table_dir)


def remove_rows(table_dir: str) -> None:
    """Deletes the rows of a table and leaves its description."""
    _remove_files(table_dir, keep=set())


@contextlib.contextmanager
def removed_on_failure(table_dir: str) -> Iterator[None]:
    """Leaves no table, nor parts of one, in a folder if the block raises."""
    try:
        yield
    except BaseException:
        remove_table(table_dir)
        raise


def _remove_files(table_dir: str, keep: set[str]) -> None:
    ours = (_ROWS_PREFIX, _STAGING_PREFIX, _REFERENCES_PREFIX)
    names = (name for name in files.names_in(table_dir) if name.startswith(ours))
    files.remove(files.join(table_dir, name) for name in names if name not in keep)


def _by_bucket(file: TableFile) -> tuple[int, str]:
    return file.bucket, file.name


@contextlib.contextmanager
def _explained(table_dir: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write the signals table {table_dir!r}: {error}") from error
