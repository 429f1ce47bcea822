"""`--fit-on` as a user types it, and mistakes that are easily made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tfx_privacy.__main__ import main
from tfx_privacy.evaluation.metrics_directory import read_metrics

_CONFIG = {"attacks": ["loss_threshold"], "skip_controls": ["POSITIVE_CONTROL"]}


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _save(path: Path, first: int) -> Path:
    rng = np.random.default_rng(first)
    logits = rng.normal(size=(300, 3)).astype(np.float32)
    np.savez(path, id=np.arange(first, first + 300), logits=logits, label=rng.integers(0, 3, 300))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of model A and of model B, and `a`, what A's measurement left."""
    folder = tmp_path_factory.mktemp("models")
    for name, first in (("am", 0), ("an", 1_000), ("bm", 2_000), ("bn", 3_000)):
        _save(folder / f"{name}.npz", first)
    (folder / "config.json").write_text(json.dumps(_CONFIG))
    result = _measure(folder, "a", folder / "a")
    assert result.exit_code == 0, result.output
    return folder


def _measure(folder: Path, model: str, output: Path, *more: str | Path) -> Result:
    return _run(
        *("measure", "--members", folder / f"{model}m.npz"),
        *("--non-members", folder / f"{model}n.npz", "--config", folder / "config.json"),
        *("--output", output, *more),
    )


@pytest.mark.parametrize("place", ["a", "a/signals"])
def test_an_output_or_its_signals(folder: Path, tmp_path: Path, place: str) -> None:
    result = _measure(folder, "b", tmp_path / "b", "--fit-on", folder / place)
    assert result.exit_code == 0, result.output
    assert "Of another model" in result.output
    fitted_on = read_metrics(str(tmp_path / "b")).results.fitted_on
    assert fitted_on.signals_uri == str(folder / "a" / "signals")
    assert (fitted_on.fit.members, fitted_on.fit.nonmembers) == (300, 300)


def _error(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_a_folder_without_signals(folder: Path, tmp_path: Path) -> None:
    message = _error(_measure(folder, "b", tmp_path / "b", "--fit-on", tmp_path))
    assert f"the signals to fit on cannot be read: '{tmp_path}' holds no signals table" in message
    assert not (tmp_path / "b").exists()


def test_signals_whose_rows_were_not_kept(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "a" / "signals", tmp_path / "signals")
    for path in (tmp_path / "signals").glob("*.parquet"):
        path.unlink()
    message = _error(_measure(folder, "b", tmp_path / "b", "--fit-on", tmp_path))
    assert "Measure that model again with `keep_signals: true`" in message


def test_the_same_records(folder: Path, tmp_path: Path) -> None:
    message = _error(_measure(folder, "a", tmp_path / "again", "--fit-on", folder / "a"))
    assert "have 0 members and 0 non-members to fit attacks on" in message
    assert "300 members and 300 non-members more were left out" in message


def test_signals_that_the_run_would_replace(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "a", tmp_path / "a")
    message = _error(_measure(folder, "b", tmp_path / "a", "--fit-on", tmp_path / "a"))
    assert "the results would replace the signals that attacks are fitted on" in message
    assert (tmp_path / "a" / "metrics.binpb").exists()


def test_a_model_and_saved_predictions(folder: Path, target: Path, tmp_path: Path) -> None:
    """Their ids do not relate; found before any attack is fitted, and before that in words."""
    (tmp_path / "config.json").write_text(json.dumps({"model_spec": {"label_key": "label"}}))
    result = _run(
        *("evaluate", "--model", target / "model", "--config", tmp_path / "config.json"),
        *("--examples", f"train={target}/train.*", "--examples", f"eval={target}/eval.*"),
        *("--output", tmp_path / "b", "--fit-on", folder / "a"),
    )
    message = _error(result)
    assert "have records in common cannot be known: ids there are by digest of the key" in message
    assert "`identity` in both configurations" in message
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("command", ["evaluate", "measure"])
def test_help_tells_of_it(command: str) -> None:
    words = " ".join(_run(command, "--help").output.split())
    assert "--fit-on DIRECTORY" in words
    assert "Fit attacks on the signals of another model" in words
