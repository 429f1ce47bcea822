"""The record-risk table: what is known of each record's risk. Personal data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.signals.files import join, open_whole
from tfx_privacy.signals.table import ids_to_arrow

_SCORE_PREFIX = "score:"
# The files of a table in its directory.
FILE_PATTERN = "record_risk-*.parquet"


class RecordRiskFile:
    """One bucket's rows of the table.

    Columns, none of them with nulls:
      id: 16 bytes, as in the signals table. Its 32 hexadecimal digits stand in reports.
      member: Whether the model was trained on the record.
      part: "FIT" or "JUDGE".
      risk: float64 in (0, 1). P(member | score) by the attack that was best on FIT, in a
        population of which the configuration's `risk_prior` are members. A table of a
        measurement that has no risk has no such column.
      attacks_right: float32, the share of all attacks of the table whose guess at their
        own threshold, chosen on FIT, is right for the record, member or not. Where no
        attack ran there is no such column.
      score:<attack>: float64, higher is more member-like; one column an attack.

    A JUDGE row is scored by attacks and calibrated by a curve fitted on FIT rows, and the
    other way round, so neither score nor risk comes from what has seen the row. Where
    attacks were fitted on another model's rows, these score and calibrate both. FIT rows
    beyond the sample that attacks are fitted on have a row too. Rows left out of the
    measurement, duplicates and further rows of a unit, have none.

    The rows of each `append` are sorted by id. The order of one such batch and the
    next means nothing and differs from run to run.
    """

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema

    @staticmethod
    @contextlib.contextmanager
    def open(
        directory: str, bucket: int, attacks: Sequence[str], *, has_risk: bool
    ) -> Iterator[RecordRiskFile]:
        """A file that appears when the block ends.

        Raises:
          InputError: If it cannot be written.
        """
        path = record_risk_file(directory, bucket)
        schema = record_risk_schema(attacks, has_risk=has_risk)
        with open_whole(path) as stream, pq.ParquetWriter(stream, schema) as writer:
            yield RecordRiskFile(writer, schema)

    def append(self, scored: ScoredRows) -> None:
        """Adds rows of one role."""
        rows = scored.signals
        order = np.lexsort((rows.ids[:, 1], rows.ids[:, 0]))
        columns = {
            "id": ids_to_arrow(rows.ids[order]),
            "member": pa.array(rows.member[order]),
            "part": pa.array([scored.role.name] * len(rows), pa.string()),
        }
        if scored.risk is not None:
            columns["risk"] = pa.array(scored.risk[order], pa.float64())
        if scored.guesses:
            columns["attacks_right"] = pa.array(attacks_right(scored)[order], pa.float32())
        for attack, scores in scored.scores.items():
            columns[score_column(attack)] = pa.array(scores[order], pa.float64())
        arrays = [columns[name] for name in self._schema.names]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))


def record_risk_file(directory: str, bucket: int) -> str:
    """The path of the file of a bucket."""
    return join(directory, f"record_risk-{bucket:05d}.parquet")


def attacks_right(scored: ScoredRows) -> NDArray[np.float32]:
    """The share of the attacks whose guess is right, [n] float32; at least one attack."""
    right = [guess == scored.signals.member for guess in scored.guesses.values()]
    return np.mean(right, axis=0).astype(np.float32)


def score_column(attack: str) -> str:
    """The column of an attack's scores."""
    return f"{_SCORE_PREFIX}{attack}"


def record_risk_schema(attacks: Sequence[str], *, has_risk: bool) -> pa.Schema:
    """The columns of the table.

    Args:
      attacks: Those that ran.
      has_risk: Whether the risk of records was computed.
    """
    columns = [("id", pa.binary(16)), ("member", pa.bool_()), ("part", pa.string())]
    if has_risk:
        columns.append(("risk", pa.float64()))
    if attacks:
        columns.append(("attacks_right", pa.float32()))
    columns += [(score_column(name), pa.float64()) for name in attacks]
    return pa.schema([pa.field(name, type_, nullable=False) for name, type_ in columns])
