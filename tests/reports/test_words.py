"""The finding in words; expected sentences are written by hand."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.words import finding

AUC = config_pb2.MetricSpec(name="auc")
ADVANTAGE = config_pb2.MetricSpec(name="advantage")
PRECISION = config_pb2.MetricSpec(name="precision", prior=0.5)


def _tpr(fpr):
    return config_pb2.MetricSpec(name="tpr_at_fpr", fpr=fpr)


def test_a_leak(best_of):
    results = best_of((AUC, 0.762, 0.749, 0.775), (_tpr(0.01), 0.123, 0.11, 0.139))
    assert finding(results) == (
        "An attacker who sees the model's outputs recognises 12.3% of training records at 1% false "
        "alarms (95% interval: 11.0% to 13.9%); by chance it would be 1%. It picks the training "
        "record in 76.2% of cases when shown it beside another record (74.9% to 77.5%); by chance "
        "it would be 50%. Judged on 10,000 members and 5,000 non-members."
    )


def test_a_leak_that_shows_in_auc_alone_begins_with_auc(best_of):
    results = best_of((AUC, 0.58, 0.57, 0.59), (_tpr(0.01), 0.012, 0.008, 0.016))
    assert finding(results) == (
        "An attacker who sees the model's outputs picks the training record in 58.0% of cases when "
        "shown it beside another record (95% interval: 57.0% to 59.0%); by chance it would be 50%. "
        "It recognises 1.20% of training records at 1% false alarms (0.80% to 1.60%); by chance it "
        "would be 1%, which the interval includes. Judged on 10,000 members and 5,000 non-members."
    )


def test_a_leak_that_shows_in_another_metric_alone_is_not_passed_over(best_of):
    results = best_of((AUC, 0.505, 0.498, 0.512), (ADVANTAGE, 0.03, 0.011, 0.05))
    assert finding(results).startswith(
        "An attacker who sees the model's outputs recognises training records 3.0 percentage "
        "points more often than it falsely accuses other records (95% interval: 1.1 to 5.0 "
        "percentage points); by chance it would be 0 percentage points. It picks"
    )


def test_nothing_found_is_not_called_safe(best_of):
    results = best_of((AUC, 0.502, 0.492, 0.512), (_tpr(0.01), 0.0105, 0.0072, 0.0161))
    assert finding(results) == (
        "No attack that ran was shown to do better than chance. An attacker who sees the model's "
        "outputs recognises at most 1.61% of training records at 1% false alarms (95% interval: "
        "0.72% to 1.61%); by chance it would be 1%. It picks the training record in at most 51.2% "
        "of cases when shown it beside another record (49.2% to 51.2%); by chance it would be 50%. "
        "This does not show that the model is safe: it holds for the attacks that ran, and others "
        "may find more. Judged on 10,000 members and 5,000 non-members."
    )


def test_wide_intervals_leave_room_for_a_leak(best_of):
    results = best_of((AUC, 0.52, 0.46, 0.58), (_tpr(0.01), 0.012, 0.0, 0.091))
    assert finding(results).startswith(
        "No attack that ran was shown to do better than chance, but the records at hand leave room "
        "for a leak. An attacker who sees the model's outputs recognises at most 9.1% of training "
        "records at 1% false alarms (95% interval: 0.0% to 9.1%); by chance it would be 1%."
    )


def test_the_rate_spoken_of_is_the_one_nearest_one_percent(best_of):
    results = best_of((_tpr(0.1), 0.3, 0.28, 0.32), (_tpr(0.02), 0.2, 0.18, 0.22))
    assert "recognises 20.0% of training records at 2% false alarms" in finding(results)


def test_precision_is_spoken_of_where_there_is_nothing_else(best_of):
    assert finding(best_of((PRECISION, 0.7, 0.68, 0.72))).startswith(
        "An attacker who sees the model's outputs is right in 70.0% of its accusations where 50% "
        "of records are training records (95% interval: 68.0% to 72.0%); by chance it would be 50%."
    )


def test_an_attack_worse_than_chance_is_not_said_to_include_chance(best_of):
    results = best_of((AUC, 0.6, 0.58, 0.62), (_tpr(0.01), 0.002, 0.001, 0.004))
    assert "by chance it would be 1%." in finding(results)


def test_losses_alone_are_not_called_outputs(best_of):
    results = best_of((AUC, 0.6, 0.58, 0.62))
    results.model.output_width = 0
    assert finding(results).startswith("An attacker who sees the model's loss on a record picks")


def test_without_an_attack_nothing_is_known():
    assert finding(results_pb2.PrivacyResults()) == (
        "No attack could run, so nothing is known about what the model gives away."
    )
