"""The taxi pipeline with white-box on: the change of configuration that the docs show."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.message_files import read_message
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.pipelines.taxi_demo import taxi_data
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2

if TYPE_CHECKING:
    from tfx_privacy.pipelines.taxi_summary import RunSummary
    from tfx_privacy.proto import privacy_results_pb2 as results_pb2

_LEAKY = {"hidden_units": [128], "epochs": 30, "dropout": 0.0}


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, run_taxi: Callable[..., RunSummary]
) -> RunSummary:
    """One trip in three: 5,001 of them."""
    from tfx_privacy.pipelines.taxi import measured_by_default
    from tfx_privacy.pipelines.taxi_examples import split_by_hash

    folder = tmp_path_factory.mktemp("white_box")
    with (taxi_data() / "data.csv").open() as file:
        heading, *rows = csv.reader(file)
    (folder / "data").mkdir()
    with (folder / "data" / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([heading, *rows[::3]])
    measured = measured_by_default()
    measured.white_box.SetInParent()
    return run_taxi(folder, split_by_hash(folder / "data"), _LEAKY, privacy_config=measured)


@pytest.fixture(scope="module")
def results(run: RunSummary) -> results_pb2.PrivacyResults:
    verdict = read_message(run.report.with_name("verdict.json"), verdict_pb2.PrivacyVerdict)
    return read_metrics(verdict.metrics_uri).results


@pytest.mark.slow
def test_both_kinds_of_attacks_ran(results: results_pb2.PrivacyResults) -> None:
    every = {attack.name for attack in resolve_attacks(("standard", "white_box"))}
    assert {attack.name for attack in results.attacks} == every
    assert not results.skipped_attacks


@pytest.mark.slow
def test_layers_are_those_of_the_trained_network(results: results_pb2.PrivacyResults) -> None:
    first, last = results.white_box.layers
    assert first.weights % _LEAKY["hidden_units"][0] == 0
    assert last.weights == _LEAKY["hidden_units"][0] + 1
    assert (first.has_norms, last.has_norms) == (True, True)
    assert not list(results.white_box.notes)


@pytest.mark.slow
def test_both_kinds_find_the_leak(results: results_pb2.PrivacyResults) -> None:
    difference = next(one for one in results.white_box.differences if one.metric.name == "auc")
    assert difference.black_box.lower > 0.5
    assert difference.white_box.lower > 0.5
    # The largest gradients are of records that the model has not learned.
    whole = results.white_box.norms[0]
    assert whole.members[-1] / sum(whole.members) < whole.nonmembers[-1] / sum(whole.nonmembers)


@pytest.mark.slow
def test_gate_judges_and_shows_them(run: RunSummary) -> None:
    assert run.outcome == "BLOCK"
    assert run.pushed_to is None
    page = run.report.read_text()
    assert "white-box" in page
    assert "gradient_norm" in page
