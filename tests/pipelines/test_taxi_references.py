"""The taxi pipeline with reference models: trained, killed, trained to the end, compared with."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.pipelines.taxi_demo import LOG_FILE, METADATA_FILE, SERVING, taxi_data
from tfx_privacy.reference_models.artifact import read_description

if TYPE_CHECKING:
    from tfx import v1 as tfx

    from tfx_privacy.pipelines.taxi_summary import NodeRun
    from tfx_privacy.proto import privacy_results_pb2 as results_pb2
    from tfx_privacy.proto import reference_models_pb2 as references_pb2

_LEAKY = {"hidden_units": [128], "epochs": 30, "dropout": 0.0}
_MODELS = 4
_MINUTES = 15

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 * 60)]

# What is killed: this file's own pipeline, in another process.
_RUN = """
import runpy, sys
from pathlib import Path
runpy.run_path(sys.argv[1])["run_pipeline"](Path(sys.argv[2]))
"""


def _pipeline(folder: Path) -> tfx.dsl.Pipeline:
    from tfx_privacy.pipelines import taxi
    from tfx_privacy.pipelines.taxi_examples import split_by_hash

    measured = taxi.measured_by_default()
    measured.attacks.extend(["loss_threshold", "reference"])
    return taxi.create_pipeline(
        example_gen=split_by_hash(folder / "data"),
        pipeline_root=folder / "artifacts",
        metadata_path=folder / METADATA_FILE,
        serving_dir=folder / SERVING,
        hyperparameters=_LEAKY,
        privacy_config=measured,
        references=_MODELS,
    )


def run_pipeline(folder: Path, max_parallel: int = 1) -> None:
    """Runs the pipeline; another `max_parallel` is a way past the cache."""
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from tfx_privacy.pipelines.taxi_log import logs_in

    pipeline = _pipeline(folder)
    for node in pipeline.components:
        if node.id == "ReferenceTrainer":
            node.exec_properties["max_parallel"] = max_parallel
    with logs_in(folder / LOG_FILE):
        LocalDagRunner().run(pipeline)


def _nodes(folder: Path) -> dict[str, NodeRun]:
    from tfx_privacy.pipelines import taxi_summary

    return dict(taxi_summary.latest_run(taxi_summary.open_store(folder / METADATA_FILE)))


def _results(nodes: dict[str, NodeRun]) -> results_pb2.PrivacyResults:
    return read_metrics(nodes["PrivacyEvaluator"].outputs["metrics"].uri).results


def _trained(nodes: dict[str, NodeRun]) -> references_pb2.ReferenceModels:
    return read_description(nodes["ReferenceTrainer"].outputs["reference_models"].uri)


def _wait_for(folder: Path, pattern: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60 * _MINUTES
    while not any(folder.glob(pattern)):
        assert process.poll() is None, "the pipeline ended before it was killed"
        assert time.monotonic() < deadline, f"no {pattern} within {_MINUTES} minutes"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trip in three, 5,001 of them; the pipeline is killed once two models are finished."""
    folder = tmp_path_factory.mktemp("references").absolute()
    with (taxi_data() / "data.csv").open() as file:
        heading, *rows = csv.reader(file)
    (folder / "data").mkdir()
    with (folder / "data" / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([heading, *rows[::3]])
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, __file__, str(folder)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(folder, "artifacts/ReferenceTrainer/**/model-001/finished.json", process)
    finally:
        # As the kernel would do it where memory is short: nobody cleans up.
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    return folder


@pytest.fixture(scope="module")
def resumed(folder: Path) -> dict[str, NodeRun]:
    """The run after the kill."""
    run_pipeline(folder)
    return _nodes(folder)


@pytest.fixture(scope="module")
def undisturbed(folder: Path, resumed: dict[str, NodeRun]) -> dict[str, NodeRun]:
    """All models trained anew, two at a time, with nothing to find from before."""
    (work,) = folder.glob("artifacts/ReferenceTrainer/reference_models/work")
    work.rename(work.with_name("work of before"))
    run_pipeline(folder, max_parallel=2)
    return _nodes(folder)


def test_finished_models_are_used_again(
    folder: Path, resumed: dict[str, NodeRun], undisturbed: dict[str, NodeRun]
) -> None:
    log = (folder / LOG_FILE).read_text()
    for index in (0, 1):
        assert f"reference model {index + 1} of {_MODELS} (index {index}): finished earlier" in log
    assert not resumed["ReferenceTrainer"].cached
    assert not undisturbed["ReferenceTrainer"].cached
    assert undisturbed["Trainer"].cached


def test_the_same_comes_of_it_as_without_the_kill(
    resumed: dict[str, NodeRun], undisturbed: dict[str, NodeRun]
) -> None:
    one, other = _trained(resumed), _trained(undisturbed)
    assert [model.index for model in one.models] == list(range(_MODELS))
    assert [model.trained_on for model in one.models] == [
        model.trained_on for model in other.models
    ]
    assert one.pool == other.pool
    assert one.pool.records == 5_001
    ours, theirs = _results(resumed), _results(undisturbed)
    assert ours.references.uri != theirs.references.uri
    assert list(ours.attacks) == list(theirs.attacks)
    assert ours.best_of_attacks == theirs.best_of_attacks


def test_attackers_with_models_of_their_own_find_the_leak(resumed: dict[str, NodeRun]) -> None:
    results = _results(resumed)
    names = {attack.name for attack in results.attacks}
    assert {"rmia_online", "lira_online_fixed_variance", "loss_threshold"} <= names
    auc = {
        attack.name: metric.value
        for attack in results.attacks
        for metric in attack.metrics
        if metric.metric.name == "auc"
    }
    assert auc["rmia_online"].lower > 0.5
    # The models were trained as the target was: less loss on what they were trained on.
    difference = results.references.difference
    assert difference.records > 0
    assert difference.mean < -3 * difference.standard_error


def test_nothing_of_the_subsets_is_left(folder: Path, undisturbed: dict[str, NodeRun]) -> None:
    assert not [*(folder / "artifacts" / "ReferenceTrainer").rglob("Split-*")]
