"""Edges and counts in Parquet, from which any interval can be computed again."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, SliceKey, Thresholds
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import read_bytes, write_bytes_whole

# The columns of thresholds, a bin each.
_THRESHOLDS = tuple(field.name for field in dataclasses.fields(Thresholds))
_EDGES_SCHEMA = pa.schema(
    [
        pa.field("attack", pa.string(), nullable=False),
        pa.field("edges", pa.list_(pa.float64()), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in _THRESHOLDS),
    ]
)
# A slice is the JSON list of its [feature, value] pairs, which keeps any name and
# value apart, whatever characters are in them; "[]" is the whole.
_COUNTS_SCHEMA = pa.schema(
    [
        pa.field("attack", pa.string(), nullable=False),
        pa.field("slice", pa.string(), nullable=False),
        pa.field("members", pa.list_(pa.int64()), nullable=False),
        pa.field("nonmembers", pa.list_(pa.int64()), nullable=False),
    ]
)


def write_edges(edges: Mapping[str, ScoreEdges], path: str) -> None:
    """Writes each attack's edges and threshold."""
    rows = [
        {"attack": attack, "edges": cut.edges, **dataclasses.asdict(cut.thresholds)}
        for attack, cut in edges.items()
    ]
    _write(pa.Table.from_pylist(rows, schema=_EDGES_SCHEMA), path)


def read_edges(path: str) -> dict[str, ScoreEdges]:
    """Reads what `write_edges` wrote.

    Raises:
      InputError: If the file is missing or something else.
    """
    table = _read(path, _EDGES_SCHEMA)
    attacks, edges = table["attack"].to_pylist(), _lists(table["edges"])
    thresholds = table.select(_THRESHOLDS).to_pylist()
    return {
        attack: ScoreEdges(cut, Thresholds(**bins))
        for attack, cut, bins in zip(attacks, edges, thresholds, strict=True)
    }


def write_counts(counts: Mapping[tuple[str, SliceKey], ScoreCounts], path: str) -> None:
    """Writes the counts of each attack on each slice, sorted by both."""
    rows = [
        {
            "attack": attack,
            "slice": json.dumps(key, ensure_ascii=False),
            "members": counts[attack, key].members,
            "nonmembers": counts[attack, key].nonmembers,
        }
        for attack, key in sorted(counts)
    ]
    _write(pa.Table.from_pylist(rows, schema=_COUNTS_SCHEMA), path)


def read_counts(path: str) -> dict[tuple[str, SliceKey], ScoreCounts]:
    """Reads what `write_counts` wrote.

    Raises:
      InputError: If the file is missing or something else.
    """
    table = _read(path, _COUNTS_SCHEMA)
    keys = zip(
        table["attack"].to_pylist(), map(_slice_key, table["slice"].to_pylist()), strict=True
    )
    sides = zip(_lists(table["members"]), _lists(table["nonmembers"]), strict=True)
    return {key: ScoreCounts(*counts) for key, counts in zip(keys, sides, strict=True)}


def _slice_key(text: str) -> SliceKey:
    return tuple((feature, value) for feature, value in json.loads(text))


def _lists(column: pa.ChunkedArray) -> list[np.ndarray]:
    return [row.values.to_numpy() for row in column]


def _write(table: pa.Table, path: str) -> None:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    write_bytes_whole(path, sink.getvalue())


def _read(path: str, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(io.BytesIO(read_bytes(path)))
    except pa.ArrowException as error:
        raise InputError(f"{path} is not a Parquet file: {error}") from error
    if table.schema.names != schema.names:
        raise InputError(f"{path} has columns {table.schema.names}; expected {schema.names}")
    return table.cast(schema)
