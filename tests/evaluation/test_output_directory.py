"""The output of the command line is replaced whole, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tfx_privacy.evaluation.output_directory import whole_output
from tfx_privacy.signals.errors import InputError

_RESULT = (
    "metrics.json",
    "metrics.binpb",
    "report.html",
    "evidence/edges.parquet",
    "evidence/counts.parquet",
    "evidence/slices.parquet",
    "evidence/controls.parquet",
    "signals/table.json",
    "signals/rows-00000-0a.parquet",
    "record_risk/record_risk-00000.parquet",
)


def _write(folder: Path, names: tuple[str, ...], text: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _content(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def _run(output: Path, names: tuple[str, ...] = _RESULT) -> None:
    with whole_output(str(output)) as outputs:
        _write(Path(outputs.metrics), names, "new")
        _write(Path(outputs.scratch), ("sample",), "new")


def test_results_appear_in_a_new_folder(tmp_path: Path) -> None:
    _run(tmp_path / "a" / "output")
    assert _content(tmp_path / "a" / "output") == dict.fromkeys(_RESULT, "new")


def test_an_earlier_run_is_replaced_whole_and_other_files_stay(tmp_path: Path) -> None:
    earlier = (*_RESULT, "signals/rows-00001-0b.parquet", "verdict.json", "verdict.binpb")
    _write(tmp_path, (*earlier, "notes.txt", "data/rows.csv"), "old")
    _run(tmp_path)
    assert _content(tmp_path) == {
        **dict.fromkeys(_RESULT, "new"),
        "notes.txt": "old",
        "data/rows.csv": "old",
    }
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_measure_writes_can_be_replaced(measured: Callable[[str], Path]) -> None:
    folder = measured("small")
    before = sorted(folder.rglob("*"))
    with pytest.raises(RuntimeError, match="later"), whole_output(str(folder)):
        raise RuntimeError("later")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "foreign",
    [
        "signals/filter.py",
        "signals/rows-1.parquet/deep",
        "signals",
        "evidence/photo.jpg",
        "record_risk/notes.txt",
        "metrics.json/a",
        "report.html/a",
        "verdict.json/a",
    ],
)
def test_folders_of_someone_elses_are_refused_before_anything_is_computed(
    tmp_path: Path, foreign: str
) -> None:
    _write(tmp_path, (foreign,), "mine")
    blocks = []
    with (
        pytest.raises(InputError, match=rf"{foreign.split('/')[0]} is not .*empty folder"),
        whole_output(str(tmp_path)),
    ):
        blocks.append("entered")
    assert not blocks
    assert _content(tmp_path) == {foreign: "mine"}


@pytest.mark.parametrize("name", ["signals", "metrics.json", "evidence/edges.parquet"])
def test_links_are_refused(tmp_path: Path, name: str) -> None:
    output = tmp_path / "output"
    (output / name).parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    if name == "signals":
        elsewhere.mkdir()
    else:
        elsewhere.write_text("mine")
    (output / name).symlink_to(elsewhere)
    with pytest.raises(InputError, match="is not the output of an earlier run"):
        _run(output)
    assert (output / name).is_symlink()
    assert elsewhere.exists()


def test_what_comes_during_the_run_is_not_replaced(tmp_path: Path) -> None:
    def run() -> None:
        with whole_output(str(tmp_path)) as outputs:
            _write(Path(outputs.metrics), _RESULT, "new")
            _write(tmp_path, ("signals/mine.py",), "mine")

    with pytest.raises(InputError, match="signals is not the output of an earlier run"):
        run()
    assert _content(tmp_path) == {"signals/mine.py": "mine"}


@pytest.mark.parametrize("failing_move", range(1, 13))
def test_a_move_that_fails_leaves_the_earlier_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_move: int
) -> None:
    """Six entries go out and six come in: each of the twelve moves fails in turn."""
    _write(tmp_path, _RESULT, "old")
    rename, moves = Path.rename, []

    def fail_once(path: Path, target: Path) -> Path:
        moves.append(path.name)
        if len(moves) == failing_move:
            raise OSError("the disk is full")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(InputError, match=r"cannot write to .*: the disk is full"):
        _run(tmp_path)
    assert _content(tmp_path) == dict.fromkeys(_RESULT, "old")


def test_results_that_cannot_be_moved_back_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, ("metrics.json",), "old")
    rename, moves = Path.rename, []

    def fail_after_one(path: Path, target: Path) -> Path:
        moves.append(path.name)
        if len(moves) > 1:
            raise OSError("the disk is gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_after_one)
    with pytest.raises(InputError, match="the disk is gone"):
        _run(tmp_path)
    assert list(_content(tmp_path).values()) == ["old"]


def _fail_halfway(output: Path) -> None:
    with whole_output(str(output)) as outputs:
        _write(Path(outputs.metrics), _RESULT, "half")
        raise RuntimeError("half")


def test_a_failed_run_leaves_no_folder_that_was_not_there(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("old", "new"):
        with pytest.raises(RuntimeError, match="half"):
            _fail_halfway(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_an_output_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(InputError, match=r"written to a local folder; found gs://bucket/run"),
        whole_output("gs://bucket/run"),
    ):
        pass
    assert not list(tmp_path.iterdir())
