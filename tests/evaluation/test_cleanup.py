"""A run that fails leaves no personal data behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest

from tfx_privacy.evaluation import attack_table
from tfx_privacy.evaluation.attack_table import Outputs
from tfx_privacy.evaluation.measure import measure
from tfx_privacy.evaluation.metrics_directory import CONTROLS_FILE, SLICES_FILE
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

Measured = Callable[[str], Path]


def _measure(inputs: Path, output: Path, *, keep_signals: bool = True) -> None:
    names = ("metrics", "signals", "record_risk", "scratch")
    measure(
        str(inputs / "members.npz"),
        str(inputs / "nonmembers.npz"),
        config_pb2.PrivacyConfig(keep_signals=keep_signals, attacks=["loss_threshold"]),
        Outputs(**{name: str(output / name) for name in names}),
        beam.Pipeline,
    )


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("keep_signals", [True, False])
@pytest.mark.parametrize("stage", ["results_of_table", "write_metrics"])
def test_a_late_failure_leaves_no_rows_and_no_scores(
    measured: Measured,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    keep_signals: bool,
) -> None:
    inputs = measured("small").parent
    seen: list[str] = []
    real = getattr(attack_table, stage)

    def fail(*args: object, **kwargs: object) -> None:
        real(*args, **kwargs)
        seen.extend(_files(tmp_path))
        raise RuntimeError("late")

    monkeypatch.setattr(attack_table, stage, fail)
    with pytest.raises(RuntimeError, match="late"):
        _measure(inputs, tmp_path, keep_signals=keep_signals)

    # There were scores to delete, and all that a directory of metrics holds.
    assert [name for name in seen if name.startswith("record_risk/record_risk-")]
    if stage == "write_metrics":
        assert {f"metrics/{name}" for name in (SLICES_FILE, CONTROLS_FILE)} <= set(seen)
    assert _files(tmp_path) == []
    assert not (tmp_path / "scratch").exists()


def test_other_files_in_the_folders_stay(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [f"{name}/notes.txt" for name in ("metrics", "record_risk", "signals")]
    for name in kept:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("mine")

    inputs = measured("small").parent

    def fail(*args: object) -> None:
        raise RuntimeError("late")

    monkeypatch.setattr(attack_table, "results_of_table", fail)
    with pytest.raises(RuntimeError, match="late"):
        _measure(inputs, tmp_path)

    assert sorted(_files(tmp_path)) == kept


def test_an_error_while_deleting_hides_neither_the_first_nor_the_other_folders(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = measured("small").parent

    def fail(*args: object) -> None:
        raise RuntimeError("first")

    def cannot_delete(folder: str) -> None:
        raise OSError(f"cannot delete {folder}")

    monkeypatch.setattr(attack_table, "results_of_table", fail)
    monkeypatch.setattr(attack_table, "remove_folder", cannot_delete)
    with pytest.raises(RuntimeError, match="first"):
        _measure(inputs, tmp_path)

    assert {name.split("/")[0] for name in _files(tmp_path)} == {"scratch"}


def test_a_run_that_succeeds_leaves_no_scratch(measured: Measured, tmp_path: Path) -> None:
    _measure(measured("small").parent, tmp_path)
    names = {name.split("/")[0] for name in _files(tmp_path)}
    assert names == {"metrics", "record_risk", "signals"}
    assert not (tmp_path / "scratch").exists()
