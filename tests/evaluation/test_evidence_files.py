"""Evidence on disk is the evidence that was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.evidence_files import (
    read_controls,
    read_counts,
    read_edges,
    read_slice_rows,
    write_controls,
    write_counts,
    write_edges,
    write_slice_rows,
)
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


def _run(*attacks: str, bins: int) -> ControlRun:
    cut = ScoreEdges(np.arange(bins - 1) / 8, Thresholds(1, 2, 3, 0))
    return ControlRun(
        edges=dict.fromkeys(attacks, cut),
        counts={
            attack: ScoreCounts(np.arange(bins) + place, np.arange(bins)[::-1] * 10)
            for place, attack in enumerate(attacks)
        },
    )


def test_controls_come_back(tmp_path: Path) -> None:
    path = str(tmp_path / "controls.parquet")
    runs = {"negative": _run("b", "a", bins=4), "positive_0.05": _run("a", bins=7)}
    write_controls(runs, path)
    again = read_controls(path)
    assert list(again) == list(runs)
    for name, run in runs.items():
        # The order of the attacks is that of the configuration.
        assert list(again[name].edges) == list(again[name].counts) == list(run.edges)
        for attack, counts in run.counts.items():
            found = again[name]
            np.testing.assert_array_equal(found.edges[attack].edges, run.edges[attack].edges)
            assert found.edges[attack].thresholds == Thresholds(1, 2, 3, 0)
            np.testing.assert_array_equal(found.counts[attack].members, counts.members)
            np.testing.assert_array_equal(found.counts[attack].nonmembers, counts.nonmembers)


def test_counts_come_back_and_take_no_room_for_empty_bins(tmp_path: Path) -> None:
    path = tmp_path / "counts.parquet"
    rng = np.random.default_rng(0)
    sparse: dict[tuple[str, SliceKey], SparseCounts] = {}
    dense: dict[tuple[str, SliceKey], ScoreCounts] = {}
    for number in range(300):
        key: SliceKey = (("feature", f"{number:03d}"),) if number else ()
        sides = (np.bincount(rng.integers(0, 2048, 100), minlength=2048) for _ in range(2))
        dense["attack", key] = ScoreCounts(*sides)
        sparse["attack", key] = SparseCounts.of(dense["attack", key])
    write_counts(CountsTable(sparse), str(path))
    again = read_counts(str(path))
    assert list(again) == sorted(dense)
    for place, counts in dense.items():
        np.testing.assert_array_equal(again[place].members, counts.members)
        np.testing.assert_array_equal(again[place].nonmembers, counts.nonmembers)
        # What is kept is what was written, and no view of every bin.
        assert len(again.sparse(place).members) == len(sparse[place].members) <= 200
    # 60,000 rows, of which a cell takes a few bytes.
    assert path.stat().st_size < 500_000


def test_no_controls_come_back_as_none(tmp_path: Path) -> None:
    write_controls({}, str(tmp_path / "controls.parquet"))
    assert read_controls(str(tmp_path / "controls.parquet")) == {}


def test_slices_come_back_whatever_their_names_are(tmp_path: Path) -> None:
    path = str(tmp_path / "slices.parquet")
    rows: dict[SliceKey, tuple[int, int]] = {
        (("a", 'x"],["y'),): (1, 0),
        (("a", "x"), ("b", "Zürich, 0")): (0, 2**40),
    }
    write_slice_rows(rows, path)
    assert read_slice_rows(path) == rows


@pytest.mark.parametrize("read", [read_controls, read_slice_rows])
def test_another_file_is_refused_by_name(tmp_path: Path, read: object) -> None:
    assert callable(read)
    path = str(tmp_path / "edges.parquet")
    write_edges({}, path)
    with pytest.raises(InputError, match=r"edges\.parquet has columns .*expected"):
        read(path)
    with pytest.raises(InputError, match=r"cannot read .*nothing\.parquet"):
        read(str(tmp_path / "nothing.parquet"))


_COUNTS = CountsTable(
    {("a", ()): SparseCounts.of(ScoreCounts(np.array([1, 0, 2]), np.array([3, 0, 4])))}
)
_ROWS: dict[SliceKey, tuple[int, int]] = {(("a", "x"),): (1, 2)}


def _change(path: str, change: Callable[[list[dict]], object]) -> None:
    rows = pq.read_table(path).to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (lambda path: write_edges(_run("a", bins=4).edges, path), read_edges),
        (lambda path: write_counts(_COUNTS, path), read_counts),
        (lambda path: write_slice_rows(_ROWS, path), read_slice_rows),
        (lambda path: write_controls({"negative": _run("a", bins=4)}, path), read_controls),
    ],
)
def test_a_row_that_stands_twice_is_refused(
    tmp_path: Path, write: Callable[[str], None], read: Callable[[str], object]
) -> None:
    path = str(tmp_path / "file.parquet")
    write(path)
    _change(path, lambda rows: rows.append(rows[0]))
    with pytest.raises(InputError, match=r"file\.parquet has two rows of .*; expected one"):
        read(path)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("members", "many", "has other content than was written there"),
        ("members", [1.0, float("nan")], "has other content than was written there"),
        ("members", None, "no value in some rows of 'members'|other content"),
        ("members", [1, None], "no value in some rows of 'members'"),
        ("members", [1], "has 1 numbers of members and 2 of non-members for 2 occupied bins"),
        ("occupied", [0, 3], "bins that ascend within 0 to 2"),
        ("occupied", [2, 2], "bins that ascend within 0 to 2"),
        ("occupied", [-1, 2], "bins that ascend within 0 to 2"),
        ("attack", None, "no value in some rows of 'attack'|other content"),
        ("slice", "x", "has the slice 'x'; expected a JSON list"),
        ("slice", '[["a"]]', "expected a JSON list"),
        ("slice", '[["a", 1]]', "expected a JSON list"),
    ],
)
def test_content_that_was_not_written_there_is_refused(
    tmp_path: Path, column: str, value: object, words: str
) -> None:
    path = str(tmp_path / "counts.parquet")
    write_counts(_COUNTS, path)
    _change(path, lambda rows: rows[0].update({column: value}))
    with pytest.raises(InputError, match=rf"counts\.parquet .*({words})"):
        read_counts(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "counts.parquet"
    write_counts(_COUNTS, str(path))
    content = bytearray(path.read_bytes())
    # The footer is garbage between two ends that look like Parquet.
    content[4:-8] = bytes(255 for _ in content[4:-8])
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a Parquet file"):
        read_counts(str(path))
