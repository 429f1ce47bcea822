"""Files of reference signals, beside the Parquet files of a signals table.

There is one for each bucket with rows, `references-00003.parquet`, and its rows are those
that `read_bucket` gives of the bucket, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.reference_columns import reference_arrays, reference_fields
from tfx_privacy.signals.reference_signals import ReferenceLayout, ReferenceSignals

# What names of such files start with.
PREFIX = "references-"


def write_references(
    table_dir: str, bucket: int, layout: ReferenceLayout, parts: Iterable[ReferenceSignals]
) -> None:
    """Writes the file of a bucket, which appears whole.

    Args:
      table_dir: The signals table.
      bucket: The bucket.
      layout: What there is.
      parts: Its rows in their order, some at a time; at least one part.

    Raises:
      InputError: If the file cannot be written.
    """
    schema = pa.schema(reference_fields(layout))
    path = _path(table_dir, bucket)
    with files.open_whole(path) as stream:
        try:
            with pq.ParquetWriter(
                stream, schema, use_dictionary=False, write_statistics=False
            ) as writer:
                for part in parts:
                    columns = reference_arrays(part)
                    arrays = [columns[name] for name in schema.names]
                    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
                    writer.write_batch(batch, row_group_size=max(len(part), 1))
        except OSError as error:
            raise InputError(f"cannot write {path!r}: {error}") from error


class ReferenceRows:
    """Reads the file of a bucket from its start, as many rows as are asked for."""

    def __init__(self, table_dir: str, bucket: int) -> None:
        self._path = _path(table_dir, bucket)
        self._groups = self._read()
        self._waiting: list[pa.Table] = []

    def take(self, rows: int) -> pa.Table:
        """The next rows, at least one.

        Raises:
          InputError: If the file cannot be read, or has fewer.
        """
        taken: list[pa.Table] = []
        missing = rows
        while missing:
            part = self._waiting.pop() if self._waiting else next(self._groups, None)
            if part is None:
                raise InputError(
                    f"{self._path!r} of the signals table has {missing} rows too few: expected as "
                    "many as its bucket has; the two were not written by one run"
                )
            taken.append(part.slice(0, missing))
            if part.num_rows > missing:
                self._waiting.append(part.slice(missing))
            missing -= taken[-1].num_rows
        return pa.concat_tables(taken)

    def _read(self) -> Iterator[pa.Table]:
        try:
            with files.open_to_read(self._path) as stream:
                content = pq.ParquetFile(stream)
                for number in range(content.num_row_groups):
                    yield content.read_row_group(number, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"cannot read {self._path!r} of the signals table: {error}") from error


def _path(table_dir: str, bucket: int) -> str:
    return files.join(table_dir, f"{PREFIX}{bucket:05d}.parquet")
