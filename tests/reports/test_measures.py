"""Titles, explanations and numbers of metrics; expected texts are written by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import measure_of, measured_text, spoken_text

AUC = config_pb2.MetricSpec(name="auc")
ADVANTAGE = config_pb2.MetricSpec(name="advantage")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
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
