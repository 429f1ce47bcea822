"""The taxi pipelines end to end: what is pushed, what is not, and what a rerun does."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tfx_privacy.evaluation.message_files import read_message
from tfx_privacy.pipelines.taxi_demo import LOG_FILE, METADATA_FILE, SERVING, taxi_data
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2

if TYPE_CHECKING:
    from tfx_privacy.pipelines.taxi_summary import NodeRun, RunSummary
    from tfx_privacy.proto import privacy_results_pb2 as results_pb2

_ROWS = 15_002
_LARGEST_RISE = 0.05
_BEFORE_TRAINER = {"CsvExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform"}
_NODES = _BEFORE_TRAINER | {"Trainer", "Evaluator", "PrivacyEvaluator", "PrivacyGate", "Pusher"}


@dataclasses.dataclass(frozen=True)
class _Demo:
    """A demo that has ended.

    Attributes:
      output: Its folder.
      text: What it showed.
      summaries: By the run's name.
      last_nodes: Of its last run, which is the tame one, by node id.
      pushed: The content of the files in the serving folder, by relative path.
      artifacts: How many the metadata store holds of each type.
    """

    output: Path
    text: str
    summaries: Mapping[str, RunSummary]
    last_nodes: Mapping[str, NodeRun]
    pushed: Mapping[str, bytes]
    artifacts: Mapping[str, int]


def _run(output: Path) -> _Demo:
    from rich.console import Console

    from tfx_privacy.pipelines import taxi_demo, taxi_summary
    from tfx_privacy.pipelines.taxi_log import logs_in

    shown = io.StringIO()
    with logs_in(output / LOG_FILE):
        summaries = taxi_demo.run_demo(output, Console(file=shown, width=300))
    store = taxi_summary.open_store(output / METADATA_FILE)
    type_names = {each.id: each.name for each in store.get_artifact_types()}
    return _Demo(
        output=output,
        text=shown.getvalue(),
        summaries=summaries,
        last_nodes=taxi_summary.latest_run(store),
        pushed=_files(output / SERVING),
        artifacts=Counter(type_names[artifact.type_id] for artifact in store.get_artifacts()),
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> _Demo:
    """The demo into an empty folder: it takes minutes."""
    return _run(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def second(first: _Demo) -> _Demo:
    """The same again."""
    return _run(first.output)


@pytest.fixture(scope="session")
def risen(second: _Demo, run_taxi: Callable[..., RunSummary]) -> RunSummary:
    """After the demo: another leaky model, within wide limits but for the change."""
    from tfx_privacy import PrivacyThresholds
    from tfx_privacy.pipelines.taxi_examples import split_by_hash

    auc = {"name": "auc"}
    thresholds = PrivacyThresholds(
        thresholds=[
            {"metric": auc, "upper_limit": 0.95},
            {"metric": auc, "change_limit": _LARGEST_RISE},
        ]
    )
    hyperparameters = {"hidden_units": [512], "epochs": 30, "dropout": 0.0}
    return run_taxi(second.output, split_by_hash(taxi_data()), hyperparameters, thresholds)


def _verdict(run: RunSummary) -> verdict_pb2.PrivacyVerdict:
    return read_message(run.report.with_name("verdict.json"), verdict_pb2.PrivacyVerdict)


def _results(run: RunSummary) -> results_pb2.PrivacyResults:
    """What the gate judged the run's model by."""
    from tfx_privacy.evaluation.metrics_directory import read_metrics

    return read_metrics(_verdict(run).metrics_uri).results


def test_data_are_as_documented() -> None:
    with (taxi_data() / "data.csv").open() as file:
        rows = [tuple(row) for row in csv.reader(file)][1:]
    assert len(rows) == _ROWS
    assert len(set(rows)) == _ROWS


def test_leaky_model_is_stopped_by_privacy_alone(first: _Demo) -> None:
    leaky = first.summaries["leaky"]
    assert leaky.quality_blessed
    assert leaky.outcome == "BLOCK"
    assert leaky.auc.lower > 0.55
    assert leaky.pushed_to is None
    assert "leaky was not pushed: BLOCK" in first.text


def test_tame_model_is_as_good_and_passes(first: _Demo) -> None:
    tame = first.summaries["tame"]
    assert tame.quality_blessed
    assert tame.outcome == "PASS"
    assert tame.auc.upper <= 0.55
    assert tame.accuracy > first.summaries["leaky"].accuracy
    assert not tame.pushed_before


def test_serving_folder_holds_exactly_the_tame_model(first: _Demo) -> None:
    tame = first.summaries["tame"]
    assert tame.pushed_to is not None
    assert list((first.output / SERVING).iterdir()) == [tame.pushed_to]
    trained = {f"{tame.pushed_to.name}/{path}": file for path, file in _files(tame.model).items()}
    assert first.pushed == trained
    assert any(path.endswith("saved_model.pb") for path in trained)


def test_pushed_model_answers_as_often_right_as_evaluator_says(first: _Demo) -> None:
    import tensorflow as tf

    tame = first.summaries["tame"]
    records = _eval_records(first)
    serve = tf.saved_model.load(str(tame.pushed_to)).signatures["serving_default"]
    asked = [_without_tip(record) for record in records]
    answers = serve(examples=tf.constant(asked))["outputs"].numpy()
    assert answers.shape == (len(records), 1)
    trips = np.array([_tip_and_fare(record) for record in records], np.float32)
    right = (answers[:, 0] > 0.5) == (trips[:, 0] > np.float32(0.2) * trips[:, 1])
    assert right.sum() == round(tame.accuracy * len(records))


def _eval_records(demo: _Demo) -> list[bytes]:
    from tfx_privacy.signals.tfrecord import read_records

    examples = Path(demo.last_nodes["CsvExampleGen"].outputs["examples"].uri)
    return [
        record
        for path in sorted((examples / "Split-eval").iterdir())
        for record in read_records(str(path))
    ]


def _without_tip(record: bytes) -> bytes:
    import tensorflow as tf

    example = tf.train.Example.FromString(record)
    del example.features.feature["tips"]
    return example.SerializeToString()


def _tip_and_fare(record: bytes) -> tuple[float, float]:
    import tensorflow as tf

    features = tf.train.Example.FromString(record).features.feature
    tip, fare = (features[key].float_list.value[0] for key in ("tips", "fare"))
    return tip, fare


def test_all_attacks_judged_every_trip_but_those_they_were_fitted_on(first: _Demo) -> None:
    for run in first.summaries.values():
        results = _results(run)
        records = results.records
        assert records.read.members + records.read.nonmembers == _ROWS
        assert records.duplicate.members == records.duplicate.nonmembers == 0
        assert records.fit.members + records.judge.members == records.read.members
        assert records.fit.nonmembers + records.judge.nonmembers == records.read.nonmembers
        assert len(results.attacks) == 7
        assert not results.skipped_attacks


def test_leak_is_where_there_is_something_to_know_by_heart(first: _Demo) -> None:
    """Who pays cash gives no tip that the driver records: a rule, and no need to memorise."""
    results = _results(first.summaries["leaky"])
    aucs = {
        part.key[0].value: metric.value
        for part in results.slices
        for attack in part.attacks
        for metric in attack.metrics
        if attack.name == results.best_attack and metric.metric.name == "auc"
    }
    assert aucs["Credit Card"].lower > 0.7
    assert aucs["Cash"].upper < 0.55


def test_each_verdict_has_a_report(first: _Demo) -> None:
    for run in first.summaries.values():
        assert run.outcome in run.report.read_text()
        assert str(run.report) in first.text


def test_second_run_repeats_nothing_before_trainer(first: _Demo) -> None:
    assert set(first.last_nodes) == _NODES
    assert {node for node, run in first.last_nodes.items() if run.cached} == _BEFORE_TRAINER


def test_metadata_store_holds_the_artifacts_with_their_types(first: _Demo) -> None:
    expected = {
        "tfx_privacy.PrivacyMetrics": 2,
        "tfx_privacy.PrivacySignals": 2,
        "tfx_privacy.RecordRisk": 2,
        "tfx_privacy.PrivacyVerdict": 2,
        "ModelBlessing": 4,
        "Model": 2,
        "PushedModel": 2,
        "Examples": 2,
    }
    assert {name: first.artifacts[name] for name in expected} == expected


def test_rerun_is_served_from_the_cache_and_pushes_nothing(first: _Demo, second: _Demo) -> None:
    for name, run in second.summaries.items():
        assert run.cached_nodes == run.nodes == len(_NODES)
        before = first.summaries[name]
        assert run == dataclasses.replace(
            before, cached_nodes=len(_NODES), pushed_before=before.pushed_to is not None
        )
    assert second.pushed == first.pushed
    assert second.artifacts == first.artifacts
    assert "nothing was trained or pushed again" in second.text
    assert "nothing was trained or pushed again" not in first.text


def test_model_that_leaks_more_than_the_one_in_use_is_stopped(
    first: _Demo, risen: RunSummary
) -> None:
    verdict = _verdict(risen)
    assert risen.outcome == "BLOCK"
    assert risen.pushed_to is None
    assert verdict.baseline.metrics_uri == _verdict(first.summaries["tame"]).metrics_uri
    absolute, change = verdict.findings
    assert absolute.outcome == verdict_pb2.PASS
    assert change.outcome == verdict_pb2.BLOCK
    assert change.value.lower > _LARGEST_RISE
    # Both were judged on the same trips, by the same hash: those that both had in JUDGE.
    judge = _results(risen).records.judge
    assert verdict.baseline.shared_records.members == judge.members
    assert verdict.baseline.shared_records.nonmembers == judge.nonmembers
    for text in (risen.reason, risen.report.read_text(), (first.output / LOG_FILE).read_text()):
        assert "baseline" in text
