"""PrivacyGate's executor: what it blesses, and what it refuses to judge."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tfx.types import Artifact, standard_artifacts

from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacyVerdict, RecordRisk
from tfx_privacy.components.privacy_gate.component import PrivacyGate
from tfx_privacy.components.privacy_gate.executor import Executor
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.metrics_directory import read_metrics, write_metrics
from tfx_privacy.evaluation.thresholds import resolve_gate_thresholds
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals.errors import InputError

NewArtifact = Callable[..., Artifact]
_MODEL = "/models/1"
_REFUSED = "Not blessed: the Evaluator did not bless the model's quality."


def _metrics(source: Path, folder: Path, new_artifact: NewArtifact) -> Artifact:
    """The metrics of saved predictions, passed off as those of a model in a pipeline."""
    shutil.copytree(source, folder / "measured")
    content = read_metrics(str(folder / "measured"))
    content.results.model.uri = _MODEL
    write_metrics(content, str(folder / "measured"))
    return new_artifact(PrivacyMetrics, str(folder / "measured"))


def _do(
    metrics: Artifact,
    new_artifact: NewArtifact,
    model_uri: str = _MODEL,
    quality_blessing: list[Artifact] | None = None,
    others: Mapping[str, list[Artifact]] | None = None,
    baseline_uri: str = "",
) -> tuple[Artifact, Artifact]:
    model = new_artifact(standard_artifacts.Model, model_uri)
    inputs = {"metrics": [metrics], "model": [model], **(others or {})}
    if quality_blessing is not None:
        inputs["quality_blessing"] = quality_blessing
    blessing = new_artifact(standard_artifacts.ModelBlessing)
    verdict = new_artifact(PrivacyVerdict)
    thresholds = resolve_gate_thresholds(thresholds_pb2.PrivacyThresholds())
    Executor().Do(
        inputs,
        {"blessing": [blessing], "verdict": [verdict]},
        {
            "thresholds": message_to_json(thresholds),
            "baseline_uri": baseline_uri,
            "code_version": "a test",
        },
    )
    return blessing, verdict


@pytest.mark.parametrize(
    ("name", "outcome", "blessed"),
    [("leaky", "BLOCK", 0), ("tame", "PASS", 1), ("small", "CANNOT_TELL", 0)],
)
def test_the_blessing_is_what_pusher_reads(
    measured: Callable[[str], Path],
    new_artifact: NewArtifact,
    tmp_path: Path,
    name: str,
    outcome: str,
    blessed: int,
) -> None:
    metrics = _metrics(measured(name), tmp_path, new_artifact)
    blessing, verdict = _do(metrics, new_artifact)
    assert blessing.get_int_custom_property("blessed") == blessed
    assert blessing.get_string_custom_property("current_model") == _MODEL
    marks = [path.name for path in Path(blessing.uri).iterdir()]
    assert marks == ["BLESSED" if blessed else "NOT_BLESSED"]
    assert verdict.get_string_custom_property("outcome") == outcome
    assert verdict.get_int_custom_property("blessed") == blessed
    written = json.loads((Path(verdict.uri) / "verdict.json").read_text())
    assert written["outcome"] == outcome
    assert written["reasons"][0] == verdict.get_string_custom_property("reason")
    assert (Path(verdict.uri) / "report.html").is_file()


def _quality(new_artifact: NewArtifact, blessed: int | None, of: str = _MODEL) -> Artifact:
    blessing = new_artifact(standard_artifacts.ModelBlessing)
    if blessed is not None:
        blessing.set_int_custom_property("blessed", blessed)
        blessing.set_string_custom_property("current_model", of)
    return blessing


@pytest.mark.parametrize(
    ("quality", "blessed"),
    # None: an Evaluator without thresholds sets nothing.
    [(1, 1), (0, 0), (None, 0)],
)
def test_the_blessing_is_the_conjunction_with_the_evaluators(
    measured: Callable[[str], Path],
    new_artifact: NewArtifact,
    tmp_path: Path,
    quality: int | None,
    blessed: int,
) -> None:
    metrics = _metrics(measured("tame"), tmp_path, new_artifact)
    word = [_quality(new_artifact, quality)]
    blessing, verdict = _do(metrics, new_artifact, quality_blessing=word)
    assert blessing.get_int_custom_property("blessed") == blessed
    assert verdict.get_string_custom_property("outcome") == "PASS"
    reason = verdict.get_string_custom_property("reason")
    assert reason.startswith("PASS") if blessed else reason == _REFUSED


@pytest.mark.parametrize(
    ("resolved", "word", "blessed"),
    # Not wired: nobody asks. Wired, and the Evaluator left nothing: not blessed.
    [(None, None, 1), ([], False, 0)],
)
def test_a_blessing_that_resolves_to_nothing_is_none(
    measured: Callable[[str], Path],
    new_artifact: NewArtifact,
    tmp_path: Path,
    resolved: list[Artifact] | None,
    word: bool | None,
    blessed: int,
) -> None:
    metrics = _metrics(measured("tame"), tmp_path, new_artifact)
    blessing, verdict = _do(metrics, new_artifact, quality_blessing=resolved)
    assert blessing.get_int_custom_property("blessed") == blessed
    written = json.loads((Path(verdict.uri) / "verdict.json").read_text())
    assert written.get("quality_blessed") == word
    assert (written["reasons"][0] == _REFUSED) == (word is False)


@pytest.mark.parametrize(("name", "level"), [("leaky", "WARNING"), ("tame", "INFO")])
def test_a_model_that_is_not_blessed_is_warned_of(
    measured: Callable[[str], Path],
    new_artifact: NewArtifact,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    level: str,
) -> None:
    metrics = _metrics(measured(name), tmp_path, new_artifact)
    with caplog.at_level("INFO", logger="absl"):
        _do(metrics, new_artifact)
    tables = [record for record in caplog.records if record.getMessage().startswith("PrivacyGate")]
    assert [record.levelname for record in tables] == [level]


def test_metrics_of_another_model_are_refused(
    measured: Callable[[str], Path], new_artifact: NewArtifact, tmp_path: Path
) -> None:
    metrics = _metrics(measured("tame"), tmp_path, new_artifact)
    with pytest.raises(InputError, match="of the model at /models/1; expected those of /models/2"):
        _do(metrics, new_artifact, model_uri="/models/2")


def test_a_blessing_of_another_model_is_refused(
    measured: Callable[[str], Path], new_artifact: NewArtifact, tmp_path: Path
) -> None:
    metrics = _metrics(measured("tame"), tmp_path, new_artifact)
    other = [_quality(new_artifact, 1, of="/models/0")]
    with pytest.raises(InputError, match="is of the model at /models/0"):
        _do(metrics, new_artifact, quality_blessing=other)


def _baseline(verdict: Artifact) -> dict:
    written = json.loads((Path(verdict.uri) / "verdict.json").read_text())
    return written.get("baseline", {})


def test_a_baseline_that_resolves_to_nothing_is_none(
    measured_series: Callable[[str], Path], new_artifact: NewArtifact, tmp_path: Path
) -> None:
    metrics = _metrics(measured_series("first"), tmp_path, new_artifact)
    others = {"baseline": [], "baseline_record_risk": []}
    _, verdict = _do(metrics, new_artifact, others=others)
    assert not _baseline(verdict)
    assert not verdict.has_custom_property("baseline_uri")


def test_a_baseline_by_channel_is_paired_and_by_uri_is_not(
    measured_series: Callable[[str], Path], new_artifact: NewArtifact, tmp_path: Path
) -> None:
    metrics = _metrics(measured_series("third"), tmp_path, new_artifact)
    first = measured_series("first")
    others = {
        "baseline": [new_artifact(PrivacyMetrics, str(first))],
        "record_risk": [new_artifact(RecordRisk, f"{metrics.uri}/record_risk")],
        "baseline_record_risk": [new_artifact(RecordRisk, f"{first}/record_risk")],
    }
    _, verdict = _do(metrics, new_artifact, others=others)
    assert verdict.get_string_custom_property("baseline_uri") == str(first)
    assert int(_baseline(verdict)["shared_records"]["members"]) > 5_000
    _, verdict = _do(metrics, new_artifact, baseline_uri=str(first))
    assert verdict.get_string_custom_property("baseline_uri") == str(first)
    assert not _baseline(verdict).get("shared_records")


def test_ids_made_in_another_way_are_warned_of_and_no_failure(
    measured_series: Callable[[str], Path],
    new_artifact: NewArtifact,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = _metrics(measured_series("third"), tmp_path, new_artifact)
    before = tmp_path / "before"
    shutil.copytree(measured_series("first"), before)
    content = read_metrics(str(before))
    content.results.model.identity = "by another feature"
    write_metrics(content, str(before))
    others = {
        "baseline": [new_artifact(PrivacyMetrics, str(before))],
        "record_risk": [new_artifact(RecordRisk, f"{metrics.uri}/record_risk")],
        "baseline_record_risk": [new_artifact(RecordRisk, f"{before}/record_risk")],
    }
    with caplog.at_level("WARNING", logger="absl"):
        _, verdict = _do(metrics, new_artifact, others=others)
    assert "unpaired: the ids of the one are by" in caplog.text
    assert not _baseline(verdict).get("shared_records")


def test_thresholds_are_checked_where_the_pipeline_is_written() -> None:
    from tfx import types

    thresholds = thresholds_pb2.PrivacyThresholds(
        thresholds=[{"metric": {"name": "epsilon"}, "upper_limit": 3.0, "role": "MUST_PASS"}]
    )
    with pytest.raises(InputError, match="epsilon"):
        PrivacyGate(
            metrics=types.Channel(type=PrivacyMetrics),
            model=types.Channel(type=standard_artifacts.Model),
            thresholds=thresholds,
        )
