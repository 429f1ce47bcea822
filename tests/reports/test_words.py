"""The finding in words; expected sentences are written by hand."""

from __future__ import annotations

import dataclasses

import pytest

from tfx_privacy.metrics.controls import ControlFinding, ControlOutcome
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.reading import read
from tfx_privacy.reports.words import finding

AUC = config_pb2.MetricSpec(name="auc")
ADVANTAGE = config_pb2.MetricSpec(name="advantage")
PRECISION = config_pb2.MetricSpec(name="precision", prior=0.5)


@pytest.fixture
def said(passed):
    """What is said of results without counts; by default all controls passed."""

    def say(results, **controls):
        return finding(read(results, Evidence({}, {}), dataclasses.replace(passed, **controls)))

    return say


def _tpr(fpr):
    return config_pb2.MetricSpec(name="tpr_at_fpr", fpr=fpr)


def test_a_leak(best_of, said):
    results = best_of((AUC, 0.762, 0.749, 0.775), (_tpr(0.01), 0.123, 0.11, 0.139))
    assert said(results) == (
        "An attacker who sees the model's outputs recognises 12.3% of training records at 1% false "
        "alarms (95% interval: 11.0% to 13.9%); by chance it would be 1%. It picks the training "
        "record in 76.2% of cases when shown it beside another record (74.9% to 77.5%); by chance "
        "it would be 50%. Judged on 10,000 members and 5,000 non-members."
    )


def test_a_leak_that_shows_in_auc_alone_begins_with_auc(best_of, said):
    results = best_of((AUC, 0.58, 0.57, 0.59), (_tpr(0.01), 0.012, 0.008, 0.016))
    assert said(results) == (
        "An attacker who sees the model's outputs picks the training record in 58.0% of cases when "
        "shown it beside another record (95% interval: 57.0% to 59.0%); by chance it would be 50%. "
        "It recognises 1.20% of training records at 1% false alarms (0.80% to 1.60%); by chance it "
        "would be 1%, which the interval includes. Judged on 10,000 members and 5,000 non-members."
    )


def test_a_leak_that_shows_in_another_metric_alone_is_not_passed_over(best_of, said):
    results = best_of((AUC, 0.505, 0.498, 0.512), (ADVANTAGE, 0.03, 0.011, 0.05))
    assert said(results).startswith(
        "An attacker who sees the model's outputs recognises training records 3.0 percentage "
        "points more often than it falsely accuses other records (95% interval: 1.1 to 5.0 "
        "percentage points); by chance it would be 0 percentage points. It picks"
    )


def test_nothing_found_is_not_called_safe(best_of, said):
    results = best_of((AUC, 0.502, 0.492, 0.512), (_tpr(0.01), 0.0105, 0.0072, 0.0161))
    assert said(results) == (
        "No attack that ran was shown to do better than chance. An attacker who sees the model's "
        "outputs recognises at most 1.61% of training records at 1% false alarms (95% interval: "
        "0.72% to 1.61%); by chance it would be 1%. It picks the training record in at most 51.2% "
        "of cases when shown it beside another record (49.2% to 51.2%); by chance it would be 50%. "
        "This does not show that the model is safe: it holds for the attacks that ran, and others "
        "may find more. Judged on 10,000 members and 5,000 non-members."
    )


def test_wide_intervals_leave_room_for_a_leak(best_of, said):
    results = best_of((AUC, 0.52, 0.46, 0.58), (_tpr(0.01), 0.012, 0.0, 0.091))
    assert said(results).startswith(
        "No attack that ran was shown to do better than chance, but the records at hand leave room "
        "for a leak. An attacker who sees the model's outputs recognises at most 9.1% of training "
        "records at 1% false alarms (95% interval: 0.0% to 9.1%); by chance it would be 1%."
    )


def test_the_rate_spoken_of_is_the_one_nearest_one_percent(best_of, said):
    results = best_of((_tpr(0.1), 0.3, 0.28, 0.32), (_tpr(0.02), 0.2, 0.18, 0.22))
    assert "recognises 20.0% of training records at 2% false alarms" in said(results)


def test_precision_is_spoken_of_where_there_is_nothing_else(best_of, said):
    assert said(best_of((PRECISION, 0.7, 0.68, 0.72))).startswith(
        "An attacker who sees the model's outputs is right in 70.0% of its accusations where 50% "
        "of records are training records (95% interval: 68.0% to 72.0%); by chance it would be 50%."
    )


def test_an_attack_worse_than_chance_is_not_said_to_include_chance(best_of, said):
    results = best_of((AUC, 0.6, 0.58, 0.62), (_tpr(0.01), 0.002, 0.001, 0.004))
    assert "by chance it would be 1%." in said(results)


def test_losses_alone_are_not_called_outputs(best_of, said):
    results = best_of((AUC, 0.6, 0.58, 0.62))
    results.model.output_width = 0
    assert said(results).startswith("An attacker who sees the model's loss on a record picks")


def test_without_an_attack_nothing_is_known(said):
    assert said(results_pb2.PrivacyResults()) == (
        "No attack could run, so nothing is known about what the model gives away."
    )


FAILED = ControlFinding(ControlOutcome.FAILED, "It found something.")


def test_where_the_splits_differ_that_is_said_first_and_no_leak(best_of, said):
    results = best_of((AUC, 0.762, 0.749, 0.775), (_tpr(0.01), 0.123, 0.11, 0.139))
    assert said(results, blind_baseline=FAILED) == (
        "The splits differ, so the numbers of this report cannot be trusted: members and "
        "non-members can be told apart without the model, and an attack may find that difference "
        "and no leak. Taken at its face value, an attacker recognises 12.3% of training records at "
        "1% false alarms (95% interval: 11.0% to 13.9%); by chance it would be 1%. How much of "
        "that comes from the model is not known. Judged on 10,000 members and 5,000 non-members."
    )


def test_a_broken_measurement_is_said_to_be_one_even_where_nothing_was_found(best_of, said):
    results = best_of((AUC, 0.5, 0.49, 0.51))
    assert said(results, negative=FAILED).startswith(
        "The measurement is broken, so the numbers of this report cannot be trusted: an attack "
        "found something where there is nothing to find. Taken at its face value, an attacker "
        "picks the training record in 50.0% of cases"
    )


def test_a_positive_control_that_failed_does_not_hide_a_leak(best_of, said):
    results = best_of((AUC, 0.762, 0.749, 0.775))
    assert said(results, positive=FAILED).startswith("An attacker who sees the model's outputs")


def test_a_bound_on_epsilon_alone_is_a_lower_bound(best_of, said):
    epsilon = config_pb2.MetricSpec(name="epsilon", delta=0.0)
    results = best_of((epsilon, 0.418, 0.418, float("inf")))
    assert said(results).startswith(
        "An attacker who sees the model's outputs shows an epsilon of >= 0.41 (95%); by chance it "
        "would be 0."
    )


def test_epsilon_beside_other_metrics_is_left_to_its_own_sentence(best_of, said):
    epsilon = config_pb2.MetricSpec(name="epsilon", delta=0.0)
    results = best_of((epsilon, 0.418, 0.418, float("inf")), (AUC, 0.58, 0.57, 0.59))
    assert "epsilon" not in said(results)
    assert "inf" not in said(results).replace("inference", "")
