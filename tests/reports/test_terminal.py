"""Plain text for the log and the command line."""

from __future__ import annotations

import re

import pytest

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.terminal import results_table, verdict_table


def _finding(metric, limit, estimate, lower, upper, outcome, **fields):
    return verdict_pb2.Finding(
        threshold=thresholds_pb2.PrivacyThreshold(metric=metric, upper_limit=limit),
        outcome=outcome,
        attack="logistic_regression",
        value=results_pb2.MeasuredValue(
            estimate=estimate, lower=lower, upper=upper, confidence=0.95
        ),
        **fields,
    )


@pytest.fixture
def verdict():
    return verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.BLOCK,
        reasons=["BLOCK: an attacker using 'logistic_regression' reaches AUC 0.60."],
        findings=[
            _finding(config_pb2.MetricSpec(name="auc"), 0.55, 0.6, 0.58, 0.62, verdict_pb2.BLOCK),
            _finding(
                config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01),
                0.02,
                0.015,
                0.011,
                0.023,
                verdict_pb2.CANNOT_TELL,
                records_to_decide=11_873,
            ),
        ],
        quality_blessed=True,
    )


def test_the_verdict_in_the_log(verdict):
    assert verdict_table(verdict) == (
        "Privacy verdict: BLOCK. An attack exceeds a limit.\n"
        "Metric         Limit    Estimate (interval)     Attack               Finding\n"
        "--------------------------------------------------------------------------------\n"
        "AUC            <= 0.55  0.600 (0.580 to 0.620)  logistic_regression  BLOCK\n"
        "TPR at 1% FPR  <= 2%    1.5% (1.1% to 2.3%)     logistic_regression  CANNOT TELL\n"
        "\n"
        "Not blessed: the model is not to be pushed.\n"
        "The Evaluator blessed the model's quality.\n"
        "Why:\n"
        "- BLOCK: an attacker using 'logistic_regression' reaches AUC 0.60."
    )


def test_a_verdict_without_findings_is_readable():
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.CANNOT_TELL, reasons=["No attack ran."]
    )
    assert verdict_table(verdict) == (
        "Privacy verdict: CANNOT TELL. The evidence shows neither that the limits are kept nor "
        "that they are\nexceeded.\n"
        "\n"
        "Not blessed: the model is not to be pushed.\n"
        "Why:\n"
        "- No attack ran."
    )


def _slice_finding(age, auc, outcome, **fields):
    finding = _finding(
        config_pb2.MetricSpec(name="auc"), 0.6, auc, auc - 0.02, auc + 0.02, outcome, **fields
    )
    finding.threshold.scope = thresholds_pb2.EVERY_SLICE
    finding.threshold.role = thresholds_pb2.BLOCK_ONLY
    finding.slice.add(feature="age", value=age)
    return finding


def test_everything_a_gate_decides_by_is_in_the_log(verdict):
    worst = _slice_finding("4", 0.661, verdict_pb2.BLOCK, slices_judged=63, slices_too_small=1)
    verdict.findings.append(worst)
    rise = verdict.findings.add(
        threshold=thresholds_pb2.PrivacyThreshold(
            metric=config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01), change_limit=0.01
        ),
        outcome=verdict_pb2.BLOCK,
        attack="network",
    )
    for field, numbers in (
        ("value", (0.044, 0.034, 0.054)),
        ("baseline_value", (0.02, 0.01, 0.03)),
    ):
        estimate, lower, upper = numbers
        getattr(rise, field).CopyFrom(
            results_pb2.MeasuredValue(estimate=estimate, lower=lower, upper=upper, confidence=0.95)
        )
    verdict.findings.add(
        threshold=thresholds_pb2.PrivacyThreshold(
            metric=config_pb2.MetricSpec(name="epsilon", delta=0.0),
            upper_limit=12,
            role=thresholds_pb2.BLOCK_ONLY,
        ),
        outcome=verdict_pb2.CANNOT_TELL,
        attack="network",
        value=results_pb2.MeasuredValue(
            estimate=0.418, lower=0.418, upper=float("inf"), confidence=0.95
        ),
        cannot_fire=True,
    )
    verdict.slice_findings.extend(
        [worst, *(_slice_finding(str(age), 0.52, verdict_pb2.PASS) for age in range(20, 40))]
    )
    verdict.controls.add(
        control=config_pb2.BLIND_BASELINE,
        outcome=verdict_pb2.CONTROL_FAILED,
        reason="The splits differ.",
        required=True,
    )
    verdict.baseline.metrics_uri = "/metrics/4"
    verdict.thresholds.required_attacks.append("network")
    text = verdict_table(verdict)
    for line in (
        "AUC                 <= 0.6          0.661 (0.641 to 0.681)",
        "every slice",
        "can only block",
        "TPR at 1% FPR       rise <= 1 point  +4.4 points (+3.4 to +5.4)",
        "from 2.0% (1.0% to 3.0%)",
        ">= 0.41",
        "NOT BLOCKED",
        "cannot fire",
        "age = 4   AUC     <= 0.6  0.661 (0.641 to 0.681)  BLOCK",
        "11 more are in verdict.json.",
        "21 slices judged: 1 above a limit.",
        "The slice that may leak most: age = 4, with AUC 0.661 (0.641 to 0.681), so at most 0.681.",
        "None of these findings counts, because a control failed.",
        "- Blind baseline (required): failed. The splits differ.",
        "- Baseline's metrics: /metrics/4",
        "- Required attacks: network",
    ):
        assert re.sub(" +", " ", line) in re.sub(" +", " ", text)
    assert text.count("age = ") == 10 + 1
    assert max(len(line) for line in text.split("\n")) <= 100
    assert " inf" not in text


def test_a_controls_reason_is_not_said_twice(verdict):
    verdict.controls.add(
        control=config_pb2.NEGATIVE_CONTROL,
        outcome=verdict_pb2.CONTROL_PASSED,
        reason="Nothing was found.",
    )
    verdict.reasons.append("Negative control passed: Nothing was found.")
    text = verdict_table(verdict)
    assert text.count("Nothing was found.") == 1
    assert "- Negative control: passed." in text


def test_results_say_whether_they_can_be_trusted(drifted, tame):
    text = results_table(drifted.results, drifted.evidence)
    assert "- Blind baseline: failed. " in text
    assert "- Negative control: passed. " in text
    assert "- AUC: this run would have found 0." in text
    # The splits differ: no property of the training is claimed.
    assert "guarantee" not in text
    trusted = results_table(tame.results, tame.evidence)
    assert "- Blind baseline: passed. " in trusted
    assert "(epsilon, delta = 0) guarantee of this" in trusted


def test_results_name_attacks_metrics_best_and_records(leaky):
    text = results_table(leaky.results, leaky.evidence)
    for attack in leaky.results.attacks:
        assert attack.name in text
    for title in ("AUC", "Advantage", "TPR at 10% FPR", "TPR at 1% FPR", "TPR at 0.1% FPR"):
        assert title in text
    assert "* modified_entropy was the best on FIT." in text
    assert "- per_label_entropy: needs more than two classes, found two" in text
    assert "JUDGE                    6,880        3,410" in text
    area = leaky.results.attacks[0].metrics[0].value
    cell = f"{area.estimate:.3f} ({area.lower:.3f} to {area.upper:.3f})"
    assert re.search(rf"^loss_threshold +{re.escape(cell)}", text, flags=re.MULTILINE)


def test_results_without_an_attack_say_so():
    text = results_table(results_pb2.PrivacyResults(), Evidence({}, {}))
    assert text.startswith("No attack ran.")


def test_lines_are_short_and_plain_whatever_the_environment(verdict, leaky, monkeypatch):
    expected = verdict_table(verdict), results_table(leaky.results, leaky.evidence)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert (
        verdict_table(verdict),
        results_table(leaky.results, leaky.evidence),
    ) == expected
    for text in expected:
        assert max(len(line) for line in text.split("\n")) <= 100
        assert "\x1b" not in text


def test_names_and_reasons_are_not_obeyed(verdict):
    verdict.findings[0].attack = "[red]x[/red]\x1b[31m"
    verdict.reasons.append("one\ntwo \u202ethree " + "y" * 5_000)
    text = verdict_table(verdict)
    assert r"[red]x[/red]\x1b" in text.replace("\n", "")
    assert r"- one\ntwo \u202ethree" in text
    assert "\x1b" not in text
    assert len(text) < 3_000
    assert max(len(line) for line in text.split("\n")) <= 100


def test_results_show_the_slices_most_exposed(leaky):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(leaky.results)
    for entry in results.slices:
        del entry.best_of_attacks[:]
        if entry.attacks:
            entry.best_of_attacks.extend(entry.attacks[0].metrics)
    text = results_table(results, leaky.evidence)
    table = text.partition("Slices most exposed")[2].split("\n")[3:]
    # Leaks of 1.6, 1.2 and .9 and .8 deviations; two slices are small.
    assert [line.split("  ")[0] for line in table[:2]] == [
        "payment_type = No Charge",
        "payment_type = Credit Card",
    ]
    assert "2 slices are too small to judge" in text


def test_a_control_that_did_not_run_is_told_once(leaky, verdict):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(leaky.results)
    results.controls.blind_baseline.not_run = "left out by the configuration (skip_controls)"
    text = results_table(results, leaky.evidence)
    assert "- Blind baseline: not run. Left out by the configuration (skip_controls).\n" in text
    verdict.controls.add(
        control=config_pb2.POSITIVE_CONTROL,
        outcome=verdict_pb2.CONTROL_NOT_RUN,
        reason="The positive control did not run: no attack could run.",
    )
    assert "- Positive control: not run. No attack could run." in verdict_table(verdict)


def test_results_say_what_goes_with_the_risk(leaky):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(leaky.results)
    whole = results.explanation.whole
    for field, numbers in (
        (whole.members.accuracy, (0.9, 0.89, 0.91)),
        (whole.nonmembers.accuracy, (0.7, 0.69, 0.71)),
        (whole.gap, (0.2, 0.18, 0.22)),
    ):
        estimate, lower, upper = numbers
        field.CopyFrom(
            results_pb2.MeasuredValue(estimate=estimate, lower=lower, upper=upper, confidence=0.95)
        )
    text = results_table(results, leaky.evidence)
    assert "90.0%" in text
    assert "70.0%" in text
