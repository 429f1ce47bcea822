"""What to do next depends on what was found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.metrics.controls import ControlFinding, ControlOutcome
from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.reports.advice import limits_of_the_result, next_steps
from tfx_privacy.reports.reading import read

AUC = config_pb2.MetricSpec(name="auc")
FAILED = ControlFinding(ControlOutcome.FAILED, "It found something.")
NOT_RUN = ControlFinding(ControlOutcome.NOT_RUN, "The signals hold no inputs.")
MINIMUM = thresholds_pb2.RecordCounts(members=200, nonmembers=100)


@pytest.fixture
def steps(passed):
    """What to do; by default all controls passed."""

    def advise(results, evidence=None, **controls):
        found = dataclasses.replace(passed, **controls)
        return next_steps(read(results, evidence or Evidence({}, {}), found), MINIMUM)

    return advise


def _titles(steps):
    return [step.title for step in steps]


def test_a_leak_asks_for_less_overfitting_first_and_names_dp_sgd(best_of, steps):
    assert _titles(steps(best_of((AUC, 0.7, 0.68, 0.72)))) == [
        "Stop training earlier",
        "Regularise",
        "Train on more data",
        "Give away less of the output",
        "Train with differential privacy (DP-SGD)",
        "Measure again after each change",
    ]


def test_wide_intervals_ask_for_more_records(best_of, steps):
    assert _titles(steps(best_of((AUC, 0.52, 0.45, 0.6))))[0] == "Measure on more records"


def test_nothing_found_asks_to_keep_measuring(best_of, steps):
    assert _titles(steps(best_of((AUC, 0.5, 0.49, 0.51))))[0] == "Keep measuring"


# 400 members mostly below 400 non-members: an AUC of .4. With an attack that guesses
# beside it, a difference that luck explains is no reason to suspect the splits.
@pytest.mark.parametrize(("below", "is_suspect"), [(240, True), (205, False)])
def test_an_attack_clearly_worse_than_guessing_points_at_the_splits(
    best_of, steps, below, is_suspect
):
    results = best_of((AUC, 0.5, 0.49, 0.51))
    results.attacks.add(name="loss")
    counts = ScoreCounts(np.array([below, 400 - below]), np.array([400 - below, below]))
    edges = ScoreEdges(np.array([0.0]), Thresholds.all_at(1))
    evidence = Evidence({"loss": edges}, {("loss", WHOLE): counts})
    found = _titles(steps(results, evidence))
    assert ("Check the splits" in found) == is_suspect
    assert found[int(is_suspect)] == "Keep measuring"


def test_splits_that_differ_are_to_be_made_anew_and_the_features_are_named(best_of, steps):
    results = best_of((AUC, 0.7, 0.68, 0.72))
    blind = results.controls.blind_baseline
    blind.features.add(feature="trip_start_month", auc=0.687)
    blind.features.add(feature="company", auc=0.5312)
    found = steps(results, blind_baseline=FAILED)
    assert _titles(found) == [
        "Make the splits at random from one population",
        "Read nothing into the numbers until the controls pass",
    ]
    assert (
        "What gives them away most: trip_start_month (AUC 0.69 alone), company (AUC 0.53 alone)."
        in found[0].text
    )


def test_where_no_feature_gives_the_splits_away_alone_that_is_said(best_of, steps):
    found = steps(best_of((AUC, 0.7, 0.68, 0.72)), blind_baseline=FAILED)
    assert "No feature does so by itself; several together do." in found[0].text


def test_broken_attacks_are_to_be_reported(best_of, steps):
    results = best_of((AUC, 0.7, 0.68, 0.72))
    assert _titles(steps(results, negative=FAILED))[0] == "Report a bug, and rely on nothing here"
    assert _titles(steps(results, positive=FAILED))[:2] == [
        "Mend the suite of attacks",
        "Stop training earlier",
    ]


def test_a_blind_baseline_without_inputs_is_to_be_given_some(best_of, steps):
    results = best_of((AUC, 0.5, 0.49, 0.51))
    results.attacks.add(name="loss")
    found = steps(results, blind_baseline=NOT_RUN)
    assert found[0].title == "Let the blind baseline run"
    assert "name them by `inputs` in the configuration" in found[0].text
    results.config.skip_controls.append(config_pb2.BLIND_BASELINE)
    assert "Take it out of `skip_controls`." in steps(results, blind_baseline=NOT_RUN)[0].text


def test_small_slices_are_to_be_given_more_records(best_of, steps):
    results = best_of((AUC, 0.5, 0.49, 0.51))
    results.slices.add(rows=results_pb2.SideCounts(members=200, nonmembers=100))
    assert "Give small slices more records, or merge them" not in _titles(steps(results))
    results.slices.add(rows=results_pb2.SideCounts(members=199, nonmembers=100))
    last = steps(results)[-1]
    assert last.title == "Give small slices more records, or merge them"
    assert last.text.startswith(
        "1 slice has fewer than 200 members or 100 non-members in the splits"
    )


def test_unchecked_duplicates_are_a_limit_of_the_result(best_of):
    results = best_of((AUC, 0.5, 0.49, 0.51))
    assert not any("Duplicates" in limit for limit in limits_of_the_result(results))
    results.records.duplicates_checked = False
    assert any("Duplicates were not checked" in limit for limit in limits_of_the_result(results))
