"""Edges and counts in Parquet, from which any interval can be computed again."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfx_privacy.metrics.counts import (
    ControlRun,
    CountsTable,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
    SparseCounts,
    Thresholds,
)
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
# value apart, whatever characters are in them; "[]" is the whole. `occupied` are those of
# the `bins` into which a row fell; the two sides have a number for each of them.
_COUNTS_SCHEMA = pa.schema(
    [
        pa.field("attack", pa.string(), nullable=False),
        pa.field("slice", pa.string(), nullable=False),
        pa.field("bins", pa.int64(), nullable=False),
        pa.field("occupied", pa.list_(pa.int32()), nullable=False),
        pa.field("members", pa.list_(pa.int64()), nullable=False),
        pa.field("nonmembers", pa.list_(pa.int64()), nullable=False),
    ]
)
_SLICES_SCHEMA = pa.schema(
    [
        pa.field("slice", pa.string(), nullable=False),
        pa.field("members", pa.int64(), nullable=False),
        pa.field("nonmembers", pa.int64(), nullable=False),
    ]
)
# One row has all that there is of an attack in a run: a run's edges are its own.
_CONTROLS_SCHEMA = pa.schema(
    [
        pa.field("run", pa.string(), nullable=False),
        *_EDGES_SCHEMA,
        *(_COUNTS_SCHEMA.field(side) for side in ("members", "nonmembers")),
    ]
)


def write_edges(edges: Mapping[str, ScoreEdges], path: str) -> None:
    """Writes each attack's edges and threshold."""
    rows = [_edges_row(attack, cut) for attack, cut in edges.items()]
    _write(pa.Table.from_pylist(rows, schema=_EDGES_SCHEMA), path)


def read_edges(path: str) -> dict[str, ScoreEdges]:
    """Reads what `write_edges` wrote.

    Raises:
      InputError: If the file is missing or something else.
    """
    table = _read(path, _EDGES_SCHEMA)
    attacks = table["attack"].to_pylist()
    _require_once(path, attacks)
    return dict(zip(attacks, _edges(table), strict=True))


def write_counts(counts: Mapping[tuple[str, SliceKey], ScoreCounts], path: str) -> None:
    """Writes the counts of each attack on each slice, sorted by both."""
    table = CountsTable.of(counts)
    places = sorted(table)
    parts = [table.sparse(place) for place in places]
    columns = [
        pa.array([attack for attack, _ in places], pa.string()),
        pa.array([_slice_text(key) for _, key in places], pa.string()),
        pa.array([part.bins for part in parts], pa.int64()),
        _list_column([part.occupied for part in parts], pa.int32()),
        _list_column([part.members for part in parts], pa.int64()),
        _list_column([part.nonmembers for part in parts], pa.int64()),
    ]
    _write(pa.Table.from_arrays(columns, schema=_COUNTS_SCHEMA), path)


def read_counts(path: str) -> CountsTable:
    """Reads what `write_counts` wrote.

    Raises:
      InputError: If the file is missing or something else.
    """
    table = _read(path, _COUNTS_SCHEMA)
    slices = [_slice_key(path, text) for text in table["slice"].to_pylist()]
    places = list(zip(table["attack"].to_pylist(), slices, strict=True))
    _require_once(path, places)
    columns = (_lists(table[name]) for name in ("occupied", "members", "nonmembers"))
    rows = zip(*columns, table["bins"].to_pylist(), strict=True)
    sparse = {place: SparseCounts(*row) for place, row in zip(places, rows, strict=True)}
    for place, part in sparse.items():
        _require_bins(path, place, part)
    return CountsTable(sparse)


def write_slice_rows(rows: Mapping[SliceKey, tuple[int, int]], path: str) -> None:
    """Writes how many members and non-members the splits have in each slice, sorted."""
    table = [
        {"slice": _slice_text(key), "members": rows[key][0], "nonmembers": rows[key][1]}
        for key in sorted(rows)
    ]
    _write(pa.Table.from_pylist(table, schema=_SLICES_SCHEMA), path)


def read_slice_rows(path: str) -> dict[SliceKey, tuple[int, int]]:
    """Reads what `write_slice_rows` wrote.

    Raises:
      InputError: If the file is missing or something else.
    """
    rows = _read(path, _SLICES_SCHEMA).to_pylist()
    slices = [_slice_key(path, row["slice"]) for row in rows]
    _require_once(path, slices)
    return {key: (row["members"], row["nonmembers"]) for key, row in zip(slices, rows, strict=True)}


def write_controls(controls: Mapping[str, ControlRun], path: str) -> None:
    """Writes edges and counts of each attack in each run."""
    rows = [
        {
            "run": name,
            **_edges_row(attack, run.edges[attack]),
            "members": counts.members,
            "nonmembers": counts.nonmembers,
        }
        for name, run in controls.items()
        for attack, counts in run.counts.items()
    ]
    _write(pa.Table.from_pylist(rows, schema=_CONTROLS_SCHEMA), path)


def read_controls(path: str) -> dict[str, ControlRun]:
    """Reads what `write_controls` wrote.

    Raises:
      InputError: If the file is missing or something else.
    """
    table = _read(path, _CONTROLS_SCHEMA)
    names = list(zip(table["run"].to_pylist(), table["attack"].to_pylist(), strict=True))
    _require_once(path, names)
    edges: dict[str, dict[str, ScoreEdges]] = {}
    counts: dict[str, dict[str, ScoreCounts]] = {}
    for (run, attack), cut, counted in zip(names, _edges(table), _score_counts(table), strict=True):
        edges.setdefault(run, {})[attack] = cut
        counts.setdefault(run, {})[attack] = counted
    return {run: ControlRun(edges[run], counts[run]) for run in edges}


def _edges_row(attack: str, cut: ScoreEdges) -> dict[str, object]:
    return {"attack": attack, "edges": cut.edges, **dataclasses.asdict(cut.thresholds)}


def _edges(table: pa.Table) -> list[ScoreEdges]:
    thresholds = table.select(_THRESHOLDS).to_pylist()
    return [
        ScoreEdges(cut, Thresholds(**bins))
        for cut, bins in zip(_lists(table["edges"]), thresholds, strict=True)
    ]


def _score_counts(table: pa.Table) -> list[ScoreCounts]:
    sides = zip(_lists(table["members"]), _lists(table["nonmembers"]), strict=True)
    return [ScoreCounts(members, nonmembers) for members, nonmembers in sides]


def _require_bins(path: str, place: tuple[str, SliceKey], part: SparseCounts) -> None:
    """Refuses counts that are in no bin, or twice in one."""
    occupied = part.occupied
    ascending = not len(occupied) or (
        occupied[0] >= 0 and occupied[-1] < part.bins and bool((np.diff(occupied) > 0).all())
    )
    if not len(occupied) == len(part.members) == len(part.nonmembers) or not ascending:
        raise InputError(
            f"{path} has {len(part.members)} numbers of members and {len(part.nonmembers)} of "
            f"non-members for {len(occupied)} occupied bins in the row of {place!r}; expected one "
            f"of each for each bin, and bins that ascend within 0 to {part.bins - 1}"
        )


def _slice_text(key: SliceKey) -> str:
    return json.dumps(key, ensure_ascii=False)


def _slice_key(path: str, text: str) -> SliceKey:
    try:
        key = tuple((feature, value) for feature, value in json.loads(text))
    except (TypeError, ValueError) as error:
        raise _no_slice(path, text) from error
    if not all(isinstance(part, str) for pair in key for part in pair):
        raise _no_slice(path, text)
    return key


def _no_slice(path: str, text: str) -> InputError:
    return InputError(
        f"{path} has the slice {text!r}; expected a JSON list of [feature, value] pairs of texts"
    )


def _require_once(path: str, places: Sequence[Hashable]) -> None:
    """Refuses a file of which one row would hide another."""
    seen: set[Hashable] = set()
    for place in places:
        if place in seen:
            raise InputError(f"{path} has two rows of {place!r}; expected one")
        seen.add(place)


def _list_column(parts: Sequence[np.ndarray], kind: pa.DataType) -> pa.Array:
    ends = np.cumsum([0, *map(len, parts)])
    values = np.concatenate(parts) if parts else np.empty(0, np.int64)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values, kind))


def _lists(column: pa.ChunkedArray) -> list[np.ndarray]:
    lists: list[np.ndarray] = []
    for chunk in column.chunks:
        values, ends = chunk.values.to_numpy(), chunk.offsets.to_numpy()
        lists.extend(values[first:last] for first, last in itertools.pairwise(ends))
    return lists


def _write(table: pa.Table, path: str) -> None:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    write_bytes_whole(path, sink.getvalue())


def _read(path: str, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(io.BytesIO(read_bytes(path)))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is not a Parquet file: {error}") from error
    if table.schema.names != schema.names:
        raise InputError(f"{path} has columns {table.schema.names}; expected {schema.names}")
    try:
        table = table.cast(schema)
        table.validate(full=True)
    except (ValueError, pa.ArrowException) as error:
        raise InputError(f"{path} has other content than was written there: {error}") from error
    for name in table.schema.names:
        column = table[name]
        lists = pa.types.is_list(column.type)
        if column.null_count or (lists and pc.list_flatten(column).null_count):
            raise InputError(f"{path} has no value in some rows of {name!r}; expected one in each")
    return table
