"""The command line as a user types it: results, exit codes, and errors in one line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tfx_privacy.__main__ import main
from tfx_privacy.evaluation.metrics_directory import BINARY_FILE, read_metrics

Measured = Callable[[str], Path]


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _write(path: Path, content: dict | str) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def _evaluate(
    target: Path, folder: Path, config: dict, examples: Sequence[str] | None = None
) -> Result:
    config_file = _write(folder / "config.json", config)
    if examples is None:
        examples = (f"train={target}/train.*", f"eval={target}/eval.*")
    given = [word for argument in examples for word in ("--examples", argument)]
    output = folder / "output"
    model = ("--model", target / "model")
    return _run("evaluate", *model, *given, "--config", config_file, "--output", output)


def test_evaluate_writes_results_and_shows_them(target: Path, tmp_path: Path) -> None:
    config = {
        "model_spec": {"label_key": "label"},
        "slicing_specs": [{"feature_keys": ["city"]}, {"feature_keys": ["label", "city"]}],
    }
    result = _evaluate(target, tmp_path, config)
    assert result.exit_code == 0, result.output
    written = {path.name for path in (tmp_path / "output").iterdir()}
    assert written == {
        "metrics.json",
        "metrics.binpb",
        "report.html",
        "evidence",
        "signals",
        "record_risk",
    }
    metrics = json.loads((tmp_path / "output" / "metrics.json").read_text())
    assert metrics["records"]["read"] == {"members": "400", "nonmembers": "300"}
    assert metrics["model"]["task"] == "MULTICLASS"
    assert metrics["model"]["output_width"] == 3
    keys = [[(k["feature"], k["value"]) for k in s["key"]] for s in metrics["slices"]]
    assert [("city", "Zug")] in keys
    assert [("city", "Chicago"), ("label", "2")] in keys
    assert "loss" in result.output
    assert "report.html" in result.output


def test_string_labels_with_their_vocabulary(target: Path, tmp_path: Path) -> None:
    spec = {"label_key": "name", "label_vocabulary": ["red", "green", "blue"]}
    result = _evaluate(target, tmp_path, {"model_spec": spec, "attacks": ["loss_threshold"]})
    assert result.exit_code == 0, result.output


def test_a_key_feature_makes_the_ids(target: Path, tmp_path: Path) -> None:
    config = {"model_spec": {"label_key": "label"}, "identity": {"key_feature": "key"}}
    result = _evaluate(target, tmp_path, config | {"attacks": ["loss_threshold"]})
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "output" / "metrics.json").read_text())
    assert "key" in metrics["model"]["identity"]


_LABEL = {"model_spec": {"label_key": "label"}}


@pytest.mark.parametrize(
    ("config", "examples", "words"),
    [
        ({}, None, "label_key is empty"),
        (_LABEL | {"speed": 3}, None, "speed"),
        (_LABEL | {"attacks": ["telepathy"]}, None, "telepathy"),
        ({"model_spec": {"label_key": "answer"}}, None, "'answer'"),
        ({"model_spec": {"label_key": "key"}}, None, "expected a class from 0 to 2"),
        ({"model_spec": {"label_key": "name"}}, None, "vocabulary"),
        ({"model_spec": {"label_key": "label", "signature_name": "predict"}}, None, "predict"),
        ({"model_spec": {"label_key": "label", "output_name": "scores"}}, None, "scores"),
        (_LABEL | {"identity": {"key_feature": "label"}}, None, "not unique"),
        (_LABEL | {"identity": {"unit_feature": "person"}}, None, "person"),
        (_LABEL | {"slicing_specs": [{"feature_keys": ["planet"]}]}, None, "planet"),
        (_LABEL, ["train={target}/train.*"], "'eval'"),
        (
            _LABEL,
            ["train={target}/train.*", "eval={target}/eval.*", "extra={target}/eval.*"],
            "--examples gives the split 'extra', which is neither in splits.members, ['train'], "
            "nor in splits.nonmembers, ['eval']",
        ),
        (_LABEL, ["train={target}/train.*", "eval={target}/nothing*"], "nothing"),
        (_LABEL, ["train={target}/train.*", "eval={target}/train.*"], "same file"),
    ],
)
def test_wrong_input_is_one_clear_error_and_nothing_is_written(
    target: Path, tmp_path: Path, config: dict, examples: list[str] | None, words: str
) -> None:
    given = None if examples is None else [text.format(target=target) for text in examples]
    result = _evaluate(target, tmp_path, config, given)
    assert result.exit_code == 1, result.output
    assert words in result.output
    assert "Traceback" not in result.output
    output = tmp_path / "output"
    assert not output.exists() or not list(output.iterdir())


def test_an_empty_split(target: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.tfrecord").write_bytes(b"")
    examples = [f"train={target}/train.*", f"eval={tmp_path}/empty.*"]
    result = _evaluate(target, tmp_path, _LABEL, examples)
    assert result.exit_code == 1
    assert "split 'eval' is empty" in result.output


def test_a_truncated_file(target: Path, tmp_path: Path) -> None:
    whole = (target / "train.tfrecord").read_bytes()
    (tmp_path / "cut.tfrecord").write_bytes(whole[: len(whole) * 2 // 3])
    examples = [f"train={tmp_path}/cut.*", f"eval={target}/eval.*"]
    result = _evaluate(target, tmp_path, _LABEL, examples)
    assert result.exit_code == 1
    assert "cut.tfrecord" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("runner", ["FooRunner", "apache_beam.NoRunner", "no_such_module.Runner"])
def test_a_runner_that_beam_does_not_know(target: Path, tmp_path: Path, runner: str) -> None:
    config = _write(tmp_path / "config.json", _LABEL)
    result = _run(
        *("evaluate", "--model", target / "model", "--config", config),
        *("--examples", f"train={target}/train.*", "--examples", f"eval={target}/eval.*"),
        *("--output", tmp_path / "output", "--beam", f"--runner={runner}"),
    )
    assert result.exit_code == 1, result.output
    assert f"Beam does not know the options ['--runner={runner}']: " in result.output
    assert not (tmp_path / "output").exists()


def test_an_output_that_cannot_be_written(target: Path, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file")
    result = _evaluate(target, tmp_path, _LABEL)
    assert result.exit_code == 1
    assert "cannot write to" in result.output


@pytest.mark.parametrize(("name", "code"), [("tame", 0), ("leaky", 10), ("small", 11)])
def test_gate_tells_the_verdict_by_its_exit_code(
    measured: Measured, tmp_path: Path, name: str, code: int
) -> None:
    thresholds = _write(
        tmp_path / "limits.pbtxt",
        'thresholds { metric { name: "auc" } upper_limit: 0.55 }\n'
        'thresholds { metric { name: "tpr_at_fpr" fpr: 0.01 } upper_limit: 0.02 }\n',
    )
    output = tmp_path / "verdict"
    result = _run(
        "gate", "--metrics", measured(name), "--thresholds", thresholds, "--output", output
    )
    assert result.exit_code == code, result.output
    assert {path.name for path in output.iterdir()} == {
        "verdict.json",
        "verdict.binpb",
        "report.html",
    }


def test_gate_refuses_unknown_metrics(measured: Measured, tmp_path: Path) -> None:
    thresholds = _write(
        tmp_path / "limits.json",
        {"thresholds": [{"metric": {"name": "vibes"}, "upper_limit": 0.6}]},
    )
    result = _run(
        "gate",
        "--metrics",
        measured("tame"),
        "--thresholds",
        thresholds,
        "--output",
        tmp_path / "v",
    )
    assert result.exit_code == 1
    assert "vibes" in result.output
    assert not (tmp_path / "v").exists()


def _of_model(metrics: Path, uri: Path, folder: Path) -> Path:
    """A copy of metrics that says it is of the model at `uri`."""
    copy = shutil.copytree(metrics, folder / "metrics")
    results = read_metrics(str(copy)).results
    results.model.uri = str(uri)
    (copy / BINARY_FILE).write_bytes(results.SerializeToString(deterministic=True))
    return copy


def test_gate_judges_metrics_of_the_model_given(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    metrics = _of_model(measured("small"), tmp_path / "model", tmp_path)
    monkeypatch.chdir(tmp_path)
    result = _run("gate", "--metrics", metrics, "--model", "model", "--output", tmp_path / "v")
    assert result.exit_code == 11, result.output


def test_gate_refuses_metrics_of_another_model_and_leaves_no_verdict(
    measured: Measured, tmp_path: Path
) -> None:
    output = tmp_path / "v"
    (tmp_path / "other").mkdir()
    metrics = _of_model(measured("small"), tmp_path / "model", tmp_path)
    assert _run("gate", "--metrics", metrics, "--output", output).exit_code == 11
    assert (output / "verdict.json").exists()
    model = ("--model", tmp_path / "other")
    result = _run("gate", "--metrics", metrics, *model, "--output", output)
    assert result.exit_code == 1
    assert f"are of the model at {tmp_path}/model; expected those of {tmp_path}/other" in (
        result.output
    )
    assert not (output / "verdict.json").exists()


def test_gate_says_what_it_does(measured: Measured, tmp_path: Path) -> None:
    result = _run("gate", "--metrics", measured("small"), "--output", tmp_path / "v")
    stages = [line.removesuffix(" ...") for line in result.output.splitlines() if " ..." in line]
    assert stages == ["loading libraries", "judging the metrics", "writing the report"]


def test_report_is_written_again(measured: Measured, tmp_path: Path) -> None:
    result = _run("report", "--metrics", measured("leaky"), "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "report.html").read_bytes() == (
        measured("leaky") / "report.html"
    ).read_bytes()


def test_measure_says_what_a_file_lacks(tmp_path: Path) -> None:
    np.savez(tmp_path / "members.npz", label=[0, 1])
    np.savez(tmp_path / "others.npz", label=[0, 1])
    result = _run(
        "measure",
        *("--members", tmp_path / "members.npz", "--non-members", tmp_path / "others.npz"),
        *("--output", tmp_path / "output"),
    )
    assert result.exit_code == 1
    assert "logits" in result.output
    assert "members.npz" in result.output


@pytest.mark.parametrize(
    ("room", "setting", "instead"),
    [
        ("identity", {"key_feature": "key"}, "the column 'id'"),
        ("model_spec", {"label_key": "answer"}, "the column 'label'"),
        ("model_spec", {"output_kind": "LOGITS"}, "the column 'logits', 'probabilities' or 'loss'"),
        ("model_spec", {"signature_name": "predict"}, "signature"),
        ("model_spec", {"output_name": "scores"}, "the column 'logits', 'probabilities' or 'loss'"),
        ("model_spec", {"example_weight_key": "weight"}, "no weights"),
        ("model_spec", {"preprocessing_function_names": ["tft_layer"]}, "no features"),
        ("splits", {"members": ["train", "more"]}, "a file each"),
        ("splits", {"nonmembers": ["test"]}, "a file each"),
    ],
)
def test_measure_refuses_what_saved_predictions_cannot_follow(
    tmp_path: Path, room: str, setting: dict, instead: str
) -> None:
    result = _measure(tmp_path, {room: setting})
    assert result.exit_code == 1
    field, value = next(iter(setting.items()))
    assert f"{room}.{field} is {value!r}, which cannot be followed: saved predictions have " in (
        result.output
    )
    assert instead in result.output


def test_measure_takes_the_defaults_and_a_person_written_out(tmp_path: Path) -> None:
    config = {
        "identity": {"unit_feature": "person"},
        "model_spec": {"label_key": "label", "signature_name": "serving_default"},
        "splits": {"members": ["train"], "nonmembers": ["eval"]},
        "attacks": ["loss_threshold"],
    }
    result = _measure(tmp_path, config)
    assert result.exit_code == 0, result.output
    assert read_metrics(str(tmp_path / "output")).results.records.same_unit.members > 0


def test_only_our_own_words_are_on_standard_error(tmp_path: Path) -> None:
    arguments = _measure_arguments(tmp_path, {"attacks": ["loss_threshold"]})
    command = [sys.executable, "-m", "tfx_privacy", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    lines = run.stderr.splitlines()
    assert lines[0] == "loading libraries ..."
    assert [line for line in lines if not line.endswith((" ...", " s"))] == []


def _measure(folder: Path, config: dict) -> Result:
    return _run(*_measure_arguments(folder, config))


def _measure_arguments(folder: Path, config: dict) -> tuple[str | Path, ...]:
    """Measures the losses of 60 people, two rows each, on either side."""
    rng = np.random.default_rng(0)
    for name, first in (("members", 0), ("others", 60)):
        person = first + np.arange(120) // 2
        np.savez(folder / f"{name}.npz", loss=rng.gamma(2.0, size=120), person=person)
    return (
        "measure",
        *("--members", folder / "members.npz", "--non-members", folder / "others.npz"),
        *("--config", _write(folder / "config.json", config), "--output", folder / "output"),
    )


def test_wrong_usage_has_its_own_exit_code(tmp_path: Path) -> None:
    assert _run("gate", "--metrics", tmp_path).exit_code == 2
    assert _run("no-such-command").exit_code == 2
    assert _run("--help").exit_code == 0


def test_help_lists_the_attacks() -> None:
    result = _run("evaluate", "--help")
    assert result.exit_code == 0
    for name in ("standard", "loss_threshold", "modified_entropy", "network"):
        assert name in result.output
