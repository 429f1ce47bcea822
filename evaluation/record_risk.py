"""The record-risk table: each record's score by each attack. Personal data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.signals.files import join, open_whole
from tfx_privacy.signals.table import ids_to_arrow

_SCORE_PREFIX = "score:"
# The files of a table in its directory.
FILE_PATTERN = "record_risk-*.parquet"


class RecordRiskFile:
    """One bucket's rows of the table.

    Columns: `id` (16 bytes, as in the signals table), `member`, `part` ("FIT" or
    "JUDGE") and `score:<attack>` (float64, higher is more member-like). A JUDGE row
    is scored by attacks fitted on FIT rows and the other way round, so no score
    comes from an attack that has seen its row. FIT rows beyond the sample that
    attacks are fitted on have a row too. Rows left out of the measurement,
    duplicates and further rows of a unit, have none.

    The rows of each `append` are sorted by id. The order of one such batch and the
    next means nothing and differs from run to run.
    """

    def __init__(self, writer: pq.ParquetWriter, attacks: Sequence[str]) -> None:
        self._writer = writer
        self._attacks = attacks

    @staticmethod
    @contextlib.contextmanager
    def open(directory: str, bucket: int, attacks: Sequence[str]) -> Iterator[RecordRiskFile]:
        """A file that appears when the block ends.

        Raises:
          InputError: If it cannot be written.
        """
        path = join(directory, f"record_risk-{bucket:05d}.parquet")
        schema = record_risk_schema(attacks)
        with open_whole(path) as stream, pq.ParquetWriter(stream, schema) as writer:
            yield RecordRiskFile(writer, attacks)

    def append(self, scored: ScoredRows) -> None:
        """Adds rows of one role."""
        rows, part, scores = scored.signals, scored.role.name, scored.scores
        order = np.lexsort((rows.ids[:, 1], rows.ids[:, 0]))
        columns = [
            ids_to_arrow(rows.ids[order]),
            pa.array(rows.member[order]),
            pa.array([part] * len(rows), pa.string()),
            *(pa.array(scores[attack][order], pa.float64()) for attack in self._attacks),
        ]
        schema = record_risk_schema(self._attacks)
        self._writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def score_column(attack: str) -> str:
    """The column of an attack's scores."""
    return f"{_SCORE_PREFIX}{attack}"


def record_risk_schema(attacks: Sequence[str]) -> pa.Schema:
    """The columns of the table."""
    return pa.schema(
        [
            pa.field("id", pa.binary(16), nullable=False),
            pa.field("member", pa.bool_(), nullable=False),
            pa.field("part", pa.string(), nullable=False),
            *(pa.field(score_column(name), pa.float64(), nullable=False) for name in attacks),
        ]
    )
