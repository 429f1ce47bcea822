"""Which records two measurements share, from record-risk tables written by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
from tfx_privacy.evaluation.record_risk import record_risk_schema
from tfx_privacy.evaluation.shared_records import read_shared_records
from tfx_privacy.metrics.counts import (
    WHOLE,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    Thresholds,
)
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.errors import InputError

# Bin 0 is below 0, bin 1 below 1, bin 2 above.
_EDGES = ScoreEdges(np.array([0.0, 1.0]), Thresholds.all_at(1))
# The number of the record, whether it is a member, its part and its score.
Row = tuple[int, bool, str, float]


def _table(folder: Path, files: Sequence[Sequence[Row]], attacks: Sequence[str] = ("loss",)) -> str:
    folder.mkdir()
    for number, rows in enumerate(files):
        columns = [
            pa.array([row[0].to_bytes(16, "big") for row in rows], pa.binary(16)),
            pa.array([row[1] for row in rows], pa.bool_()),
            pa.array([row[2] for row in rows], pa.string()),
            pa.array([1.0] * len(rows), pa.float32()),
            *([pa.array([row[3] for row in rows], pa.float64())] * len(attacks)),
        ]
        schema = record_risk_schema(attacks, has_risk=False)
        table = pa.Table.from_arrays(columns, schema=schema)
        pq.write_table(table, folder / f"record_risk-{number:05d}.parquet")
    return str(folder)


def _content(
    files: Sequence[Sequence[Row]],
    identity: str = "by content",
    checked: bool = True,
    attacks: Sequence[str] = ("loss",),
) -> PrivacyMetricsContent:
    judged = [row for rows in files for row in rows if row[2] == "JUDGE"]
    members = sum(row[1] for row in judged)
    results = results_pb2.PrivacyResults(
        model={"identity": identity},
        records={
            "judge": {"members": members, "nonmembers": len(judged) - members},
            "duplicates_checked": checked,
        },
    )
    edges = dict.fromkeys(attacks, _EDGES)
    return PrivacyMetricsContent(results, Evidence(edges=edges, counts={}))


_OURS = [
    [(1, True, "JUDGE", 2.0), (2, True, "FIT", 2.0), (3, False, "JUDGE", 0.5)],
    [(4, False, "JUDGE", -1.0), (5, True, "JUDGE", 0.5), (6, False, "JUDGE", 0.0)],
]
_THEIRS = [
    [(6, False, "JUDGE", -1.0), (1, True, "JUDGE", 0.5), (7, True, "JUDGE", 0.5)],
    # 3 is a member here, 2 is judged here alone, 5 is fitted on.
    [(3, True, "JUDGE", 9.0), (2, True, "JUDGE", 2.0), (5, True, "FIT", 0.5)],
]


def test_rows_judged_in_both_are_joined_by_id(tmp_path: Path) -> None:
    found = read_shared_records(
        _content(_OURS),
        _table(tmp_path / "ours", _OURS),
        _content(_THEIRS),
        _table(tmp_path / "theirs", _THEIRS),
    )
    rows = found.rows["loss"]
    # In the order of the ids: 1, 3, 6.
    assert rows.current_bins.tolist() == [2, 1, 1]
    assert rows.current_member.tolist() == [True, False, False]
    assert rows.baseline_bins.tolist() == [1, 2, 0]
    assert rows.baseline_member.tolist() == [True, True, False]
    assert rows.weight == 1.0
    assert (found.members, found.nonmembers) == (1, 1)


def test_attacks_of_one_alone_are_left_out(tmp_path: Path) -> None:
    attacks = ("entropy", "loss")
    found = read_shared_records(
        _content(_OURS, attacks=attacks),
        _table(tmp_path / "ours", _OURS, attacks),
        _content(_THEIRS),
        _table(tmp_path / "theirs", _THEIRS),
    )
    assert list(found.rows) == ["loss"]


def _many(rows: int, seed: int) -> list[list[Row]]:
    score = np.random.default_rng(seed).uniform(-1, 2, rows)
    return [[(i, i % 3 > 0, "JUDGE", float(score[i])) for i in range(rows)]]


def test_of_many_rows_a_share_stands_for_all(tmp_path: Path) -> None:
    ours, theirs = _many(6_000, 0), _many(5_000, 1)
    found = read_shared_records(
        _content(ours),
        _table(tmp_path / "ours", ours),
        _content(theirs),
        _table(tmp_path / "theirs", theirs),
        most_rows=1_500,
    )
    rows = found.rows["loss"]
    assert rows.weight == 4.0
    # Of 5,000 a quarter, give or take five standard errors of 31.
    assert abs(len(rows.current_bins) - 1_250) < 155
    assert found.members == 4 * rows.current_member.sum()
    # The rows of a record are put side by side: scores are those of its number.
    numbers = {row[3]: row[0] for row in ours[0]}
    assert len(numbers) == 6_000
    whole = read_shared_records(
        _content(ours), str(tmp_path / "ours"), _content(theirs), str(tmp_path / "theirs")
    )
    bins = np.searchsorted(_EDGES.edges, [row[3] for row in ours[0][:5_000]], side="right")
    assert whole.rows["loss"].current_bins.tolist() == bins.tolist()


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ({}, {"identity": "by another"}, "the one are by by content, those of the other by by an"),
        ({"checked": False}, {"checked": False}, "row numbers"),
    ],
)
def test_ids_that_do_not_relate_are_refused(
    tmp_path: Path, ours: dict, theirs: dict, words: str
) -> None:
    with pytest.raises(InputError, match=rf"/ours and at .*/theirs cannot be paired: .*{words}"):
        read_shared_records(
            _content(_OURS, **ours),
            _table(tmp_path / "ours", _OURS),
            _content(_THEIRS, **theirs),
            _table(tmp_path / "theirs", _THEIRS),
        )


def test_a_table_of_other_metrics_is_refused(tmp_path: Path) -> None:
    table = _table(tmp_path / "ours", _OURS)
    other = _table(tmp_path / "other", _THEIRS, ("entropy",))
    with pytest.raises(
        InputError, match="has 2 judged members and 3 non-members; expected 4 and 1"
    ):
        read_shared_records(_content(_THEIRS), table, _content(_OURS), table)
    with pytest.raises(InputError, match=r"expected \['score:loss'\] too"):
        read_shared_records(_content(_OURS), other, _content(_OURS), table)
    with pytest.raises(InputError, match="holds no record risk"):
        read_shared_records(_content(_OURS), str(tmp_path), _content(_OURS), table)
    (tmp_path / "other" / "record_risk-00000.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_shared_records(_content(_OURS), other, _content(_OURS), table)


def test_a_record_that_stands_twice_is_refused(tmp_path: Path) -> None:
    twice = [[*_OURS[0], _OURS[0][0]], _OURS[1]]
    table = _table(tmp_path / "twice", twice)
    with pytest.raises(InputError, match="/twice has an id twice among the judged rows"):
        read_shared_records(_content(twice), table, _content(twice), table)


def test_scores_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    rows = [[*_OURS[0], (8, True, "JUDGE", float("nan"))]]
    table = _table(tmp_path / "nan", rows)
    with pytest.raises(InputError, match="/nan: scores: found NaN or infinity in 1 of 3 rows"):
        read_shared_records(_content(rows), table, _content(rows), table)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("member", [None, True, True], "has rows without a value"),
        ("id", [b"a", b"b", b"c"], "cannot read"),
        ("score:loss", ["x", "y", "z"], "cannot read"),
    ],
)
def test_a_table_of_other_content_is_refused(
    tmp_path: Path, column: str, values: list, words: str
) -> None:
    table = _table(tmp_path / "ours", [_OURS[0]])
    path = tmp_path / "ours" / "record_risk-00000.parquet"
    written = pq.read_table(path)
    place = written.schema.get_field_index(column)
    pq.write_table(written.set_column(place, column, pa.array(values)), path)
    content = _content([_OURS[0]])
    with pytest.raises(InputError, match=words):
        read_shared_records(content, table, content, table)


def test_tables_without_a_row_share_nothing(tmp_path: Path) -> None:
    table = _table(tmp_path / "none", [[]])
    found = read_shared_records(_content([[]]), table, _content([[]]), table)
    assert (found.members, found.nonmembers) == (0, 0)
    assert len(found.rows["loss"].current_bins) == 0


@pytest.mark.parametrize(("moved", "refused"), [(0, False), (5, False), (6, True), (500, True)])
def test_scores_of_another_model_on_as_many_rows_are_refused(
    tmp_path: Path, moved: int, refused: bool
) -> None:
    # 500 rows: up to 1 in 100 may lie in another bin, for the rounding of a second attempt.
    rows = [[(i, i < 250, "JUDGE", 0.5) for i in range(500)]]
    others = [[(i, i < 250, "JUDGE", 0.5 if i >= moved else 2.0) for i in range(500)]]
    content = _content(rows)
    counts = ScoreCounts(np.array([0, 250, 0]), np.array([0, 250, 0]))
    evidence = dataclasses.replace(content.evidence, counts={("loss", WHOLE): counts})
    content = dataclasses.replace(content, evidence=evidence)
    ours, theirs = _table(tmp_path / "ours", rows), _table(tmp_path / "theirs", others)
    if not refused:
        found = read_shared_records(content, ours, content, theirs)
        assert (found.members, found.nonmembers) == (250, 250)
        return
    with pytest.raises(InputError, match="/theirs has other scores of 'loss' than were counted"):
        read_shared_records(content, ours, content, theirs)
