"""Evidence on disk is the evidence that was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfx_privacy.evaluation.evidence_files import (
    read_controls,
    read_slice_rows,
    write_controls,
    write_edges,
    write_slice_rows,
)
from tfx_privacy.metrics.counts import ControlRun, ScoreCounts, ScoreEdges, SliceKey, Thresholds
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
