"""`tfx-privacy compare` as a user types it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from tfx_privacy.__main__ import main
from tfx_privacy.evaluation.metrics_directory import read_metrics

Measured = Callable[[str], Path]


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_two_measurements_become_a_page_a_table_and_words(
    measured: Measured, tmp_path: Path
) -> None:
    tame, leaky = measured("tame"), measured("leaky")
    result = _run(tame, leaky, *("--name", "before", "--name", "after"), "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"comparison.html", "comparison.csv"}
    assert "the model gives away more than it did" in " ".join(result.output.split())
    with (tmp_path / "comparison.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "auc"]
    assert [row["name"] for row in rows] == ["before", "after"]
    for row, folder in zip(rows, (tame, leaky), strict=True):
        best = read_metrics(str(folder)).results.best_of_attacks[0].value
        assert (float(row["estimate"]), float(row["upper"])) == (best.estimate, best.upper)


def test_one_measurement_is_an_error_and_nothing_is_written(
    measured: Measured, tmp_path: Path
) -> None:
    result = _run(measured("tame"), "--output", tmp_path / "output")
    assert result.exit_code == 1
    assert "found 1 directory of metrics to compare; expected two at least" in result.output
    assert not (tmp_path / "output").exists()


def test_no_measurement_is_wrong_usage(tmp_path: Path) -> None:
    assert _run("--output", tmp_path).exit_code == 2
