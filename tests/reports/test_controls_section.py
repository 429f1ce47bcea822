"""The controls as the page shows them; expected texts are written by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tfx_privacy.metrics.controls import ControlFinding, ControlOutcome
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.control_findings import controls_of, judge_controls
from tfx_privacy.reports.controls_section import controls_section, power_sentences

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)


def _attack(name, estimate, lower, upper):
    value = results_pb2.MeasuredValue(estimate=estimate, lower=lower, upper=upper, confidence=0.95)
    bound = results_pb2.MeasuredValue(estimate=0.1, lower=0.1, upper=math.inf, confidence=0.95)
    return results_pb2.AttackResult(
        name=name,
        metrics=[
            results_pb2.MetricValue(metric=EPSILON, value=bound),
            results_pb2.MetricValue(metric=AUC, value=value),
        ],
    )


def test_outcomes_are_badges(passed):
    findings = dataclasses.replace(
        passed,
        blind_baseline=ControlFinding(ControlOutcome.FAILED, "The splits differ."),
        positive=ControlFinding(ControlOutcome.NOT_RUN, "It was skipped."),
    )
    section = controls_section(results_pb2.PrivacyResults(), findings)
    assert (section.blind.style, section.blind.text, section.blind.reason) == (
        "block",
        "failed",
        "The splits differ.",
    )
    assert (section.negative.style, section.negative.text) == ("pass", "passed")
    assert (section.positive.style, section.positive.text) == ("tell", "not run")
    assert section.positive_table is None


def test_the_blind_baseline_names_its_metrics_and_the_features(passed):
    results = results_pb2.PrivacyResults()
    blind = results.controls.blind_baseline
    blind.metrics.extend(_attack("blind_baseline", 0.69, 0.679, 0.701).metrics)
    blind.features.add(feature="trip_start_month", auc=0.6872)
    blind.features_seen = 12
    section = controls_section(results, passed)
    # Epsilon would mean nothing: there is no training in it.
    assert [(row.name, row.values[0].with_interval) for row in section.blind_rows] == [
        ("AUC", "0.690 (0.679 to 0.701)")
    ]
    assert section.features == [("trip_start_month", "0.687")]
    assert section.features_seen == "It saw 12 features."


def test_the_positive_control_is_a_table_of_attacks_by_shares(passed):
    results = results_pb2.PrivacyResults()
    runs = results.controls.positive.runs
    runs.add(share=0.05, attacks=[_attack("loss_threshold", 0.52, 0.497, 0.543)])
    runs.add(
        share=0.2,
        attacks=[
            _attack("loss_threshold", 0.6, 0.578, 0.622),
            _attack("entropy", 0.5, 0.478, 0.522),
        ],
    )
    table = controls_section(results, passed).positive_table
    assert (table.measure.title, table.shares) == ("AUC", ["5%", "20%"])
    rows = dict(table.rows)
    assert [(cell.found, cell.style) for cell in rows["loss_threshold"]] == [
        ("not found", "tell"),
        ("found", "pass"),
    ]
    assert rows["loss_threshold"][1].value.with_interval == "0.600 (0.578 to 0.622)"
    assert rows["entropy"][0] is None
    assert rows["entropy"][1].found == "not found"


def test_the_negative_control_is_a_table_of_attacks_by_metrics(passed):
    results = results_pb2.PrivacyResults()
    results.controls.negative.attacks.append(_attack("loss_threshold", 0.5, 0.48, 0.52))
    section = controls_section(results, passed)
    assert [measure.title for measure in section.negative_measures] == ["AUC"]
    (row,) = section.negative_rows
    assert (row.name, row.values[0].with_interval) == ("loss_threshold", "0.500 (0.480 to 0.520)")


@pytest.mark.parametrize(
    ("metric", "smallest", "sentence"),
    [
        (
            AUC,
            0.5132,
            "AUC: this run would have found 0.513 or more with 80% power (chance: 0.5).",
        ),
        (
            TPR_1,
            0.0183,
            "TPR at 1% FPR: this run would have found 1.8% or more with 80% power (chance: 1%).",
        ),
        (
            EPSILON,
            math.inf,
            "Epsilon: too few records; no leak would have been found with 80% power.",
        ),
    ],
)
def test_power_in_words(metric, smallest, sentence):
    power = results_pb2.Power(metric=metric, smallest_found=smallest, power=0.8)
    assert power_sentences([power]) == [sentence]


def test_controls_are_judged_by_the_default_limits(tame, drifted):
    healthy = judge_controls(tame.results, tame.evidence)
    assert {getattr(healthy, field.name).outcome for field in dataclasses.fields(healthy)} == {
        ControlOutcome.PASSED
    }
    found = judge_controls(drifted.results, drifted.evidence)
    assert found.blind_baseline.outcome is ControlOutcome.FAILED
    assert "trip_start_month" in found.blind_baseline.reason
    assert found.negative.outcome is ControlOutcome.PASSED


def test_controls_that_are_missing_did_not_run():
    found = judge_controls(results_pb2.PrivacyResults(), Evidence({}, {}))
    assert found.blind_baseline.outcome is ControlOutcome.NOT_RUN
    assert found.negative.outcome is ControlOutcome.NOT_RUN
    assert found.positive.outcome is ControlOutcome.NOT_RUN


def test_why_a_control_did_not_run_is_said(tame):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(tame.results)
    results.controls.blind_baseline.Clear()
    results.controls.blind_baseline.not_run = "The signals hold no inputs."
    found = judge_controls(results, tame.evidence)
    assert found.blind_baseline.outcome is ControlOutcome.NOT_RUN
    assert "The signals hold no inputs" in found.blind_baseline.reason


def test_what_a_gate_found_of_a_control_goes_before_the_default_limits(drifted):
    verdict = verdict_pb2.PrivacyVerdict()
    verdict.controls.add(
        control=config_pb2.BLIND_BASELINE,
        outcome=verdict_pb2.CONTROL_PASSED,
        reason="Within this gate's limits.",
    )
    found = controls_of(verdict, drifted.results, drifted.evidence)
    assert found.blind_baseline == ControlFinding(
        ControlOutcome.PASSED, "Within this gate's limits."
    )
    assert found.negative.outcome is ControlOutcome.PASSED
