"""Reading a signals table, bucket by bucket."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfx_privacy.signals import files
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import Ids, bucket_of
from tfx_privacy.signals.partition import repeats
from tfx_privacy.signals.reference_files import ReferenceRows
from tfx_privacy.signals.table import (
    DESCRIPTION_NAME,
    TableDescription,
    from_table,
    input_column,
    slice_column,
    white_box_columns,
)

# The columns of a table by their names in Signals. The entropy stands in the logits' place
# in tables without them: whoever wants the one wants the other.
_COLUMNS = {
    "label": ("label",),
    "logits": ("logits", "entropy"),
    "loss": ("loss",),
    "units": ("unit",),
    "weight": ("weight",),
}
# Of all columns that a batch has, so that wide rows come in smaller batches.
_BATCH_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class BucketKeys:
    """What decides the use of a bucket's rows, in the order of `read_bucket`.

    Attributes:
      ids: [n, 2] uint64.
      member: [n] bool.
      units: [n, 2] uint64, or None.
    """

    ids: Ids
    member: NDArray[np.bool_]
    units: Ids | None


def read_description(table_dir: str) -> TableDescription:
    """The description of a table.

    Raises:
      InputError: If there is none, or of another version.
    """
    path = files.join(table_dir, DESCRIPTION_NAME)
    if not files.exists(path):
        raise InputError(f"{table_dir!r} holds no signals table: expected {DESCRIPTION_NAME} in it")
    try:
        return TableDescription.from_json(files.read_bytes(path).decode())
    except InputError as error:
        raise InputError(f"{path!r}: {error}") from error


def read_bucket(
    table_dir: str,
    description: TableDescription,
    bucket: int,
    columns: Collection[str] | None = None,
    batch_rows: int = 65536,
) -> Iterator[Signals]:
    """The rows of one bucket, some at a time.

    Args:
      table_dir: The table.
      description: Its description.
      bucket: In 0 .. description.buckets - 1.
      columns: Which of "label", "logits", "loss", "units", "weight", "slices", "inputs",
        "white_box" and "references" to read, where the table has them; None for all but
        the last three, which may be far larger than the rest. Ids and members are always
        read, and with "logits" the entropy of tables that have it instead.
      batch_rows: The most rows of a batch; where rows are wide it has fewer, and
        some 64 MB.

    Raises:
      InputError: If a file of the table cannot be read.
    """
    wanted = [*_COLUMNS, "slices"] if columns is None else columns
    if "references" not in wanted or description.references is None:
        for rows in _batches(table_dir, description, bucket, wanted, batch_rows):
            yield from_table(rows, description)
        return
    said = ReferenceRows(table_dir, bucket)
    fitting = max(1, _BATCH_BYTES // description.references.row_bytes)
    for rows in _batches(table_dir, description, bucket, wanted, min(batch_rows, fitting)):
        beside = said.take(rows.num_rows)
        for name in beside.column_names:
            rows = rows.append_column(beside.field(name), beside.column(name))
        yield from_table(rows, description)


def read_keys(table_dir: str, description: TableDescription, bucket: int) -> BucketKeys:
    """Ids, units and sides of all rows of one bucket.

    Raises:
      InputError: If a file of the table cannot be read.
    """
    parts = list(read_bucket(table_dir, description, bucket, ("units",)))
    if not parts:
        empty = np.empty((0, 2), np.uint64)
        return BucketKeys(empty, np.empty(0, np.bool_), empty if description.has_units else None)
    all_rows = Signals.concatenate(parts)
    return BucketKeys(all_rows.ids, all_rows.member, all_rows.units)


def require_unique_ids(table_dir: str, description: TableDescription, what: str) -> None:
    """Sees to it that no two rows have the same id, as ids of a key must be.

    Args:
      table_dir: The table.
      description: Its description.
      what: What the ids are made of, for the error: "key feature 'trip_id'".

    Raises:
      InputError: If there are such rows, with their number.
    """
    rows = description.members + description.nonmembers
    repeated = sum(
        int(repeats(_ids_of_part(table_dir, description, part)).sum())
        for part in range(description.buckets)
    )
    if repeated:
        raise InputError(
            f"{what} is not unique: {repeated} of {rows} rows have a value that another row has "
            "too: expected a value of its own for every row of members and non-members together"
        )


def _ids_of_part(table_dir: str, description: TableDescription, part: int) -> Ids:
    """All ids of one part of all ids: a bucket, or where those are of units, as many rows."""
    if not description.has_units:
        return read_keys(table_dir, description, part).ids
    found = [np.empty((0, 2), np.uint64)]
    for bucket in range(description.buckets):
        for rows in read_bucket(table_dir, description, bucket, ()):
            found.append(rows.ids[bucket_of(rows.ids, description.buckets) == part])
    return np.concatenate(found)


def _batches(
    table_dir: str,
    description: TableDescription,
    bucket: int,
    wanted: Collection[str],
    batch_rows: int,
) -> Iterator[pa.Table]:
    names = ["id", "member", *(column for name in wanted for column in _COLUMNS.get(name, ()))]
    if "slices" in wanted:
        names.extend(slice_column(feature) for feature in description.slice_features)
    if "inputs" in wanted:
        names.extend(input_column(feature) for feature, _ in description.input_features)
    if "white_box" in wanted:
        names.extend(white_box_columns(description))
    waiting: list[pa.Table] = []
    for file in description.files:
        if file.bucket != bucket:
            continue
        for piece in _pieces(files.join(table_dir, file.name), names, batch_rows):
            if waiting and not _is_one_batch([*waiting, piece], batch_rows):
                yield pa.concat_tables(waiting)
                waiting = []
            waiting.append(piece)
    if waiting:
        yield pa.concat_tables(waiting)


def _is_one_batch(parts: list[pa.Table], batch_rows: int) -> bool:
    rows, size = sum(part.num_rows for part in parts), sum(part.nbytes for part in parts)
    return bool(rows <= batch_rows and size <= _BATCH_BYTES)


def _pieces(path: str, names: list[str], most_rows: int) -> Iterator[pa.Table]:
    try:
        with files.open_to_read(path) as stream:
            content = pq.ParquetFile(stream)
            there = [name for name in names if name in content.schema_arrow.names]
            for number in range(content.num_row_groups):
                group = content.read_row_group(number, columns=there, use_threads=False)
                fitting = group.num_rows * _BATCH_BYTES // max(group.nbytes, 1)
                step = max(1, min(most_rows, fitting))
                for start in range(0, group.num_rows, step):
                    yield group.slice(start, step)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path!r} of the signals table: {error}") from error
