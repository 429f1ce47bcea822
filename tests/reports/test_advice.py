"""What to do next depends on what was found."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.advice import limits_of_the_result, next_steps

AUC = config_pb2.MetricSpec(name="auc")


def _titles(results):
    return [step.title for step in next_steps(results)]


def test_a_leak_asks_for_less_overfitting_first_and_names_dp_sgd(best_of):
    assert _titles(best_of((AUC, 0.7, 0.68, 0.72))) == [
        "Stop training earlier",
        "Regularise",
        "Train on more data",
        "Give away less of the output",
        "Train with differential privacy (DP-SGD)",
        "Measure again after each change",
    ]


def test_wide_intervals_ask_for_more_records(best_of):
    assert _titles(best_of((AUC, 0.52, 0.45, 0.6)))[0] == "Measure on more records"


def test_nothing_found_asks_to_keep_measuring(best_of):
    assert _titles(best_of((AUC, 0.5, 0.49, 0.51)))[0] == "Keep measuring"


def test_an_attack_clearly_worse_than_guessing_points_at_the_splits(best_of):
    results = best_of((AUC, 0.5, 0.49, 0.51))
    value = results_pb2.MeasuredValue(estimate=0.4, lower=0.38, upper=0.42, confidence=0.95)
    results.attacks.add(name="loss").metrics.add(metric=AUC).value.CopyFrom(value)
    assert _titles(results)[0] == "Check the splits"


def test_unchecked_duplicates_are_a_limit_of_the_result(best_of):
    results = best_of((AUC, 0.5, 0.49, 0.51))
    assert not any("Duplicates" in limit for limit in limits_of_the_result(results))
    results.records.duplicates_checked = False
    assert any("Duplicates were not checked" in limit for limit in limits_of_the_result(results))
