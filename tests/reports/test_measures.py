"""Titles, explanations and numbers of metrics; expected texts are written by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import (
    change_limit_text,
    change_text,
    measure_of,
    measured_text,
    reckoned_text,
    spoken_text,
)

AUC = config_pb2.MetricSpec(name="auc")
ADVANTAGE = config_pb2.MetricSpec(name="advantage")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=1e-5)
PRECISION = config_pb2.MetricSpec(name="precision", prior=0.2)


def _value(estimate, lower, upper):
    return results_pb2.MeasuredValue(estimate=estimate, lower=lower, upper=upper, confidence=0.95)


@pytest.mark.parametrize(
    ("spec", "title", "explanation", "chance"),
    [
        (
            AUC,
            "AUC",
            "How often the attack scores a training record above another record; "
            "0.5 is a coin toss, 1 is every time",
            "0.5",
        ),
        (
            ADVANTAGE,
            "Advantage",
            "Share of training records recognised, less the share of others falsely accused, at a "
            "threshold chosen beforehand; 0 is no better than chance, 1 is no mistake at all",
            "0",
        ),
        (
            TPR_1,
            "TPR at 1% FPR",
            "Share of training records recognised when 1% of others are falsely accused; "
            "1% is no better than chance",
            "1%",
        ),
        (
            PRECISION,
            "Precision at prior 20%",
            "Share of accusations that are right, where 20% of the records that the attacker looks "
            "at are training records; 20% is no better than chance",
            "20%",
        ),
        (
            config_pb2.MetricSpec(name="balanced_accuracy"),
            "Balanced accuracy",
            "Share of records that the attack puts on the right side, where half of them are "
            "training records, at a threshold chosen beforehand; 0.5 is a coin toss",
            "0.5",
        ),
        (
            EPSILON,
            "Epsilon (delta 1e-05)",
            "Any guarantee of differential privacy for this training would need an epsilon at "
            "least so large; a lower bound, which grows with the number of records and is no "
            "upper limit",
            "0",
        ),
        (
            config_pb2.MetricSpec(name="canary_epsilon", delta=1e-5),
            "Canary epsilon (delta 1e-05)",
            "Any guarantee of differential privacy for this training would need an epsilon at "
            "least so large; a lower bound, which grows with the number of records and is no "
            "upper limit",
            "0",
        ),
    ],
)
def test_every_metric_has_words(spec, title, explanation, chance):
    measure = measure_of(spec)
    assert (measure.title, measure.explanation, measure.chance_text) == (title, explanation, chance)


def test_an_unknown_metric_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="'auk'"):
        measure_of(config_pb2.MetricSpec(name="auk"))


def test_tables_write_rates_in_percent_and_areas_as_numbers():
    rate = measured_text(measure_of(TPR_1), _value(0.123, 0.1104, 0.1391))
    assert (rate.estimate, rate.interval, rate.confidence) == ("12.3%", "11.0% to 13.9%", "95%")
    area = measured_text(measure_of(AUC), _value(0.7621, 0.749, 0.775))
    assert (area.estimate, area.interval) == ("0.762", "0.749 to 0.775")


def test_rounding_does_not_hide_that_a_bound_exceeds_the_limit():
    area = measured_text(measure_of(AUC), _value(0.6, 0.5503, 0.65), limit=0.55)
    assert area.interval == "0.5503 to 0.6500"


def test_sentences_say_everything_in_percent():
    assert spoken_text(measure_of(AUC), _value(0.7621, 0.749, 0.775)).estimate == "76.2%"
    advantage = spoken_text(measure_of(ADVANTAGE), _value(0.261, 0.24, 0.283))
    assert advantage.estimate == "26.1 percentage points"
    assert advantage.interval == "24.0 to 28.3 percentage points"


@pytest.mark.parametrize(
    ("lower", "limit", "text"),
    [
        (0.418, None, ">= 0.41"),  # cut off: at least 0.42 was not shown
        (0.29, None, ">= 0.29"),  # 100 * 0.29 is 28.999999999999996
        (0.0, None, ">= 0.00"),
        (0.001, None, ">= 0.001"),  # above chance, which must be seen
        (1.0004, 1.0, ">= 1.0004"),  # above the limit, which must be seen
        (12.3456, 1.0, ">= 12.34"),
    ],
)
def test_a_bound_from_below_has_no_interval(lower, limit, text):
    value = _value(lower, lower, float("inf"))
    written = measured_text(measure_of(EPSILON), value, limit)
    assert (written.estimate, written.interval, written.upper) == (text, "", "")
    assert written.with_interval == text
    if limit is None:
        assert spoken_text(measure_of(EPSILON), value).estimate == text


def test_a_value_with_its_interval_is_one_text():
    assert measured_text(measure_of(TPR_1), _value(0.123, 0.1104, 0.1391)).with_interval == (
        "12.3% (11.0% to 13.9%)"
    )


def test_changes_have_a_sign_and_rates_change_by_points():
    area = change_text(measure_of(AUC), _value(0.031, -0.002, 0.064), 0.02)
    assert area.with_interval == "+0.031 (-0.002 to +0.064)"
    rate = change_text(measure_of(TPR_1), _value(0.0312, 0.0123, 0.0498), 0.02)
    assert rate.with_interval == "+3.1 points (+1.2 to +5.0)"
    assert change_text(measure_of(AUC), _value(0.0, -0.01, 0.01), 0.02).estimate == "0.000"


def test_a_change_that_exceeds_the_limit_is_seen_to():
    area = change_text(measure_of(AUC), _value(0.031, 0.02004, 0.064), 0.02)
    assert area.interval == "+0.02004 to +0.06400"


def test_reckoned_values_have_digits_enough():
    assert reckoned_text(measure_of(TPR_1), 0.0274) == "2.7%"
    assert reckoned_text(measure_of(TPR_1), 0.00214) == "0.21%"
    assert reckoned_text(measure_of(AUC), 0.5641) == "0.564"


def test_limits_on_a_change():
    assert change_limit_text(measure_of(AUC), 0.02) == "0.02"
    assert change_limit_text(measure_of(TPR_1), 0.02) == "2 points"
    assert change_limit_text(measure_of(TPR_1), 0.01) == "1 point"
