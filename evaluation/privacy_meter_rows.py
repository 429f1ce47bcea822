"""Judged records bucket by bucket, as the files for ML Privacy Meter's users need them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfx_privacy.evaluation.record_risk import record_risk_file
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import exists, open_to_read
from tfx_privacy.signals.partition import Role
from tfx_privacy.signals.table import TableDescription, ids_from_arrow, ids_to_arrow
from tfx_privacy.signals.table_reader import read_bucket


@dataclasses.dataclass(frozen=True)
class JudgedRows:
    """The judged records of one bucket, sorted by id.

    Attributes:
      ids: n ids of 16 bytes.
      member: [n] bool.
      risk: [n] float64; None where the record-risk table has no risk.
    """

    ids: pa.Array
    member: NDArray[np.bool_]
    risk: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def place(self) -> NDArray[np.int64]:
        """[n], the row's place among those of its own side."""
        return np.where(self.member, np.cumsum(self.member), np.cumsum(~self.member)) - 1

    @property
    def hex_ids(self) -> NDArray[np.str_]:
        """[n] strings of 32 hexadecimal digits."""
        return np.array([one.hex() for one in self.ids.to_pylist()], "U32")


def read_judged(record_risk_dir: str, bucket: int) -> JudgedRows:
    """The judged records of a bucket of the record-risk table.

    Raises:
      InputError: If its file cannot be read.
    """
    path = record_risk_file(record_risk_dir, bucket)
    if not exists(path):
        raise InputError(f"found no {path!r}; expected a file of record risk for every bucket")
    with open_to_read(path) as stream:
        content = pq.ParquetFile(stream)
        names = [name for name in ("risk",) if name in content.schema_arrow.names]
        rows = content.read(columns=["id", "member", "part", *names], use_threads=False)
    rows = rows.filter(pc.equal(rows["part"], Role.JUDGE.name)).combine_chunks()
    ids = _one_array(rows, "id")
    words = ids_from_arrow(ids)
    order = np.lexsort((words[:, 1], words[:, 0]))
    return JudgedRows(
        ids=ids.take(pa.array(order)),
        member=_one_array(rows, "member").to_numpy(zero_copy_only=False)[order],
        risk=_one_array(rows, "risk").to_numpy()[order] if names else None,
    )


def signals_of(
    judged: JudgedRows,
    signals_dir: str,
    table: TableDescription,
    bucket: int,
    columns: Sequence[str],
) -> Iterator[tuple[NDArray[np.int64], Signals]]:
    """What the signals table has of the judged records of a bucket, some at a time.

    Yields:
      Rows, and for each its index among the judged ones.

    Raises:
      InputError: If a judged record is not in the table, or on another side.
    """
    found = 0
    for batch in read_bucket(signals_dir, table, bucket, columns):
        index = pc.index_in(ids_to_arrow(batch.ids), value_set=judged.ids)
        rows = np.flatnonzero(index.is_valid().to_numpy(zero_copy_only=False))
        places = index.drop_null().to_numpy().astype(np.int64)
        same = judged.member[places] == batch.member[rows]
        found += int(same.sum())
        if same.any():
            yield places[same], batch.take(rows[same])
    if found != len(judged):
        raise InputError(
            f"bucket {bucket} of the signals table {signals_dir!r} holds {found} of the "
            f"{len(judged)} judged records of the record-risk table; expected each of them once"
        )


def _one_array(rows: pa.Table, name: str) -> pa.Array:
    return pa.concat_arrays(rows[name].chunks) if rows.num_rows else pa.array([], rows[name].type)
