"""Controls and policies: which rule comes first, and what follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from tfx_privacy.metrics.controls import (
    BLIND_BASELINE,
    NEGATIVE,
    ControlFinding,
    ControlOutcome,
    positive_run,
)
from tfx_privacy.metrics.counts import ControlRun, ScoreCounts
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.registry import DEFAULT_METRICS
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict import controls as controls_module
from tfx_privacy.verdict.judge import judge

PASS, BLOCK, CANNOT_TELL = verdict_pb2.PASS, verdict_pb2.BLOCK, verdict_pb2.CANNOT_TELL
PASSED, FAILED, NOT_RUN = ControlOutcome.PASSED, ControlOutcome.FAILED, ControlOutcome.NOT_RUN
AUC_55 = 'thresholds { metric { name: "auc" } upper_limit: 0.55 }'
WARN = "on_cannot_tell: BLESSED_WITH_WARNING "


def _thresholds(text: str) -> thresholds_pb2.PrivacyThresholds:
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


@pytest.fixture
def set_controls(monkeypatch) -> Callable[..., None]:
    """Replaces the tests of the controls by answers; those not named have passed."""

    def replace(**outcomes: ControlOutcome) -> None:
        for name in ("blind_baseline", "negative", "positive", "duplicates"):
            answer = ControlFinding(outcomes.get(name, PASSED), f"So says {name}.")
            monkeypatch.setattr(controls_module, f"judge_{name}", lambda *_, answer=answer: answer)

    return replace


def _run(measurements, which: int):
    """A measurement whose limits alone would give this outcome."""
    advantages, members = {PASS: (0.0, 20_000), BLOCK: (0.25, 20_000), CANNOT_TELL: (0.0, 200)}[
        which
    ]
    return measurements.of(members=members, nonmembers=members // 2, advantages={"a": advantages})


# --- the order of the rules


@pytest.mark.parametrize("control", ["blind_baseline", "negative"])
@pytest.mark.parametrize("by_limits", [PASS, BLOCK, CANNOT_TELL])
def test_a_measurement_that_cannot_be_trusted_comes_first(
    measurements, set_controls, control: str, by_limits: int
) -> None:
    set_controls(**{control: FAILED})
    run = _run(measurements, by_limits)
    verdict = judge(run.results, run.evidence, _thresholds(AUC_55 + WARN))
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert not verdict.blessed_with_warning
    name = control.replace("_", " ") + ("" if control == "blind_baseline" else " control")
    assert verdict.reasons[0].startswith(f"CANNOT TELL: the {name} failed. So says {control}. ")
    assert "More records would not" in verdict.reasons[0]


@pytest.mark.parametrize("control", ["positive", "duplicates"])
@pytest.mark.parametrize(
    ("by_limits", "outcome"), [(PASS, CANNOT_TELL), (BLOCK, BLOCK), (CANNOT_TELL, CANNOT_TELL)]
)
def test_an_attack_that_misses_what_was_planted_can_still_block(
    measurements, set_controls, control: str, by_limits: int, outcome: int
) -> None:
    set_controls(**{control: FAILED})
    run = _run(measurements, by_limits)
    verdict = judge(run.results, run.evidence, _thresholds(AUC_55 + WARN))
    assert verdict.outcome == outcome
    assert not verdict.blessed
    first = "BLOCK: an" if outcome == BLOCK else "CANNOT TELL: the "
    assert verdict.reasons[0].startswith(first)
    assert any(f"failed. So says {control}." in reason for reason in verdict.reasons)


def test_controls_that_did_not_run_decide_nothing(measurements, set_controls) -> None:
    set_controls(blind_baseline=NOT_RUN, negative=NOT_RUN, positive=NOT_RUN, duplicates=NOT_RUN)
    run = _run(measurements, PASS)
    verdict = judge(run.results, run.evidence, _thresholds(AUC_55))
    assert verdict.outcome == PASS
    assert "So says negative." in list(verdict.reasons)
    assert [one.outcome for one in verdict.controls] == 4 * [verdict_pb2.CONTROL_NOT_RUN]


@pytest.mark.parametrize(
    ("control", "name"),
    [
        ("blind_baseline", "BLIND_BASELINE"),
        ("negative", "NEGATIVE_CONTROL"),
        ("positive", "POSITIVE_CONTROL"),
        ("duplicates", "DUPLICATES"),
    ],
)
def test_unless_they_are_required(measurements, set_controls, control: str, name: str) -> None:
    set_controls(**{control: NOT_RUN})
    policy = _thresholds(AUC_55 + WARN + f" required_controls: {name}")
    for by_limits, outcome in ((PASS, CANNOT_TELL), (BLOCK, BLOCK), (CANNOT_TELL, CANNOT_TELL)):
        run = _run(measurements, by_limits)
        verdict = judge(run.results, run.evidence, policy)
        assert verdict.outcome == outcome
        assert not verdict.blessed
        assert any("is required and showed nothing. So says" in one for one in verdict.reasons)
    required = {one.control: one.required for one in verdict.controls}
    assert required.pop(config_pb2.Control.Value(name))
    assert not any(required.values())
    set_controls()
    run = _run(measurements, PASS)
    assert judge(run.results, run.evidence, policy).outcome == PASS


def test_each_control_is_among_the_reasons(measurements, set_controls) -> None:
    set_controls()
    run = _run(measurements, PASS)
    reasons = list(judge(run.results, run.evidence, _thresholds(AUC_55)).reasons)
    assert reasons[1:] == [
        "Blind baseline passed: So says blind_baseline.",
        "Negative control passed: So says negative.",
        "Positive control passed: So says positive.",
        "Check of duplicates passed: So says duplicates.",
    ]


def test_controls_are_judged_by_the_limits_of_the_whole(measurements, monkeypatch) -> None:
    seen: dict[str, Any] = {}

    def note(name: str) -> Callable[..., ControlFinding]:
        def judge_it(control: object, evidence: object, limit: object) -> ControlFinding:
            seen[name] = limit
            return ControlFinding(PASSED, "")

        return judge_it

    for name in ("blind_baseline", "negative", "positive"):
        monkeypatch.setattr(controls_module, f"judge_{name}", note(name))
    run = _run(measurements, PASS)
    thresholds = """
        thresholds { metric { name: "advantage" } upper_limit: 0.2 }
        thresholds { metric { name: "auc" } upper_limit: 0.7 role: BLOCK_ONLY }
        thresholds { metric { name: "auc" } upper_limit: 0.65 scope: EVERY_SLICE }
    """
    judge(run.results, run.evidence, _thresholds(thresholds))
    assert [(metric.spec().name, limit) for metric, limit in seen["negative"]] == [
        ("advantage", 0.2)
    ]
    # No AUC limit that must be passed: that of the defaults.
    assert seen["positive"] == 0.55
    judge(
        run.results,
        run.evidence,
        _thresholds('thresholds { metric { name: "auc" } upper_limit: 0.7 }'),
    )
    assert seen["positive"] == 0.7


# --- what else a policy asks for


def test_fewer_records_than_asked_for(measurements, set_controls) -> None:
    set_controls()
    # 30,000 and 15,000 rows of the splits.
    for members, nonmembers, outcome in (
        (30_000, 15_000, PASS),
        (30_001, 0, CANNOT_TELL),
        (0, 15_001, CANNOT_TELL),
    ):
        run = _run(measurements, PASS)
        least = f"minimum_records {{ members: {members} nonmembers: {nonmembers} }}"
        verdict = judge(run.results, run.evidence, _thresholds(AUC_55 + WARN + least))
        assert verdict.outcome == outcome
        assert verdict.blessed == (outcome == PASS)
    assert verdict.reasons[0] == (
        "CANNOT TELL: the splits have 30,000 training and 15,000 other records; the policy asks "
        "for at least 0 and 15,001."
    )


def test_too_few_records_do_not_hide_a_leak(measurements, set_controls) -> None:
    set_controls()
    run = _run(measurements, BLOCK)
    policy = _thresholds(AUC_55 + "minimum_records { members: 1000000 }")
    assert judge(run.results, run.evidence, policy).outcome == BLOCK


def test_attacks_that_must_have_run(measurements, set_controls) -> None:
    set_controls()
    run = _run(measurements, PASS)
    policy = _thresholds(AUC_55 + WARN + ' required_attacks: ["a"]')
    assert judge(run.results, run.evidence, policy).outcome == PASS
    policy = _thresholds(AUC_55 + WARN + ' required_attacks: ["a", "network"]')
    verdict = judge(run.results, run.evidence, policy)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert verdict.reasons[0] == "CANNOT TELL: the attack 'network' is required and did not run."
    run.results.skipped_attacks.add(name="network", reason="needs logits.")
    assert judge(run.results, run.evidence, policy).reasons[0] == (
        "CANNOT TELL: the attack 'network' is required and did not run; it needs logits."
    )
    leak = _run(measurements, BLOCK)
    assert judge(leak.results, leak.evidence, policy).outcome == BLOCK


def test_the_warning_needs_that_nothing_but_width_is_wrong(measurements, set_controls) -> None:
    run = _run(measurements, CANNOT_TELL)
    set_controls()
    assert judge(run.results, run.evidence, _thresholds(AUC_55 + WARN)).blessed_with_warning
    for control in ("blind_baseline", "negative", "positive"):
        set_controls(**{control: FAILED})
        verdict = judge(run.results, run.evidence, _thresholds(AUC_55 + WARN))
        assert not verdict.blessed
        assert any("Not blessed: the policy" in reason for reason in verdict.reasons)
    set_controls()
    missing = ' required_attacks: "network"'
    assert not judge(run.results, run.evidence, _thresholds(AUC_55 + WARN + missing)).blessed


# --- with counts of real runs


def _with_runs(run, runs: dict[str, ScoreCounts]):
    """The measurement with control runs of one attack each, listed and counted."""
    edges = run.evidence.edges["a"]
    made = {}
    for name, counts in runs.items():
        attack = BLIND_BASELINE if name == BLIND_BASELINE else "loss_threshold"
        made[name] = ControlRun(edges={attack: edges}, counts={attack: counts})
        listed = measure_attack(attack, counts, edges, DEFAULT_METRICS, 0.95)
        match name.split("_"):
            case ["blind", _]:
                run.results.controls.blind_baseline.metrics.extend(listed.metrics)
            case ["negative"]:
                run.results.controls.negative.attacks.append(listed)
            case _:
                run.results.controls.positive.runs.add(
                    share=float(name.split("_")[1]), attacks=[listed]
                )
    return dataclasses.replace(run, evidence=dataclasses.replace(run.evidence, controls=made))


def _planted(rows: int, share: float) -> ScoreCounts:
    """A share of the members on top, the others as the non-members."""
    even = np.full(64, rows // 64)
    top = np.zeros(64, np.int64)
    top[-1] = round(share * even.sum())
    return ScoreCounts((even * (1 - share)).round().astype(np.int64) + top, even)


@pytest.mark.parametrize(
    ("blind", "negative", "planted", "outcome", "failed"),
    [
        (0.0, 0.0, 0.1, PASS, []),
        (0.1, 0.0, 0.1, CANNOT_TELL, [config_pb2.BLIND_BASELINE]),
        (0.0, 0.2, 0.1, CANNOT_TELL, [config_pb2.NEGATIVE_CONTROL]),
        (0.0, 0.0, 0.0, CANNOT_TELL, [config_pb2.POSITIVE_CONTROL]),
    ],
)
def test_controls_of_counts(
    measurements, blind: float, negative: float, planted: float, outcome: int, failed: list[int]
) -> None:
    run = _with_runs(
        _run(measurements, PASS),
        {
            BLIND_BASELINE: measurements.counts(20_000, 10_000, blind),
            NEGATIVE: measurements.counts(5000, 5000, negative),
            positive_run(0.1): _planted(5000, planted),
            positive_run(0.2): _planted(5000, 2 * planted),
        },
    )
    verdict = judge(run.results, run.evidence, _thresholds(AUC_55))
    assert verdict.outcome == outcome
    assert [
        one.control for one in verdict.controls if one.outcome == verdict_pb2.CONTROL_FAILED
    ] == failed
    assert verdict.controls[3].outcome == verdict_pb2.CONTROL_PASSED


def _forget(results: results_pb2.PrivacyResults, part: str) -> None:
    results.controls.ClearField(part)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda r: _forget(r, "blind_baseline"), "found counts of blind_baseline in the control"),
        (
            lambda r: _forget(r, "negative"),
            "counts of loss_threshold in the control run 'negative'",
        ),
        (
            lambda r: r.controls.positive.runs.pop(),
            "in the control run 'positive_0.2', but no resu",
        ),
        (
            lambda r: setattr(r.controls.positive.runs[0], "share", 0.3),
            "found the control run 'positive_0.3', but no counts of it",
        ),
        (
            lambda r: setattr(r.controls.blind_baseline.metrics[0].value, "lower", 0.4),
            "lower of AUC of the blind baseline: found 0.4",
        ),
        (
            lambda r: setattr(r.controls.negative.attacks[0].metrics[1].value, "upper", 0.4),
            "upper of advantage of 'loss_threshold' in the control run 'negative': found 0.4",
        ),
        (
            lambda r: setattr(r.controls.negative.attacks[0].metrics[-1], "largest_attainable", 9),
            "largest_attainable of epsilon of 'loss_threshold' in the control run 'negative'",
        ),
        (
            lambda r: setattr(r.controls.positive.runs[1].attacks[0], "name", "x"),
            "found 'x' in the control run 'positive_0.2', but no counts of it",
        ),
        (
            lambda r: r.controls.positive.runs.append(r.controls.positive.runs[0]),
            "'positive_0.1' listed twice",
        ),
        (
            lambda r: r.controls.negative.attacks.append(r.controls.negative.attacks[0]),
            "attack listed twice in the control run 'negative'",
        ),
        (
            lambda r: setattr(r.controls.blind_baseline, "not_run", "no time"),
            r"values of the blind baseline, and that it did not run \(no time\)",
        ),
        (
            lambda r: setattr(r.controls.negative, "not_run", "no time"),
            "values of the negative control, and that it did not run",
        ),
        (
            lambda r: setattr(r.controls.positive, "not_run", "no time"),
            "values of the positive control, and that it did not run",
        ),
        (
            lambda r: r.controls.positive.runs.add(share=float("nan")),
            "positive control with a share of nan",
        ),
        (
            lambda r: r.controls.blind_baseline.features.add(feature="age", auc=float("nan")),
            "found AUC nan of the feature 'age'",
        ),
        (
            lambda r: r.controls.power.add(metric=r.attacks[0].metrics[0].metric, power=0.8),
            "power of AUC: found 0, the counts give",
        ),
    ],
)
def test_controls_edited_by_hand_are_refused(
    measurements, edit: Callable[[results_pb2.PrivacyResults], object], message: str
) -> None:
    counts = measurements.counts(5000, 5000, 0.0)
    run = _with_runs(
        _run(measurements, PASS),
        {
            BLIND_BASELINE: counts,
            NEGATIVE: counts,
            positive_run(0.1): _planted(5000, 0.1),
            positive_run(0.2): _planted(5000, 0.2),
        },
    )
    judge(run.results, run.evidence, _thresholds(AUC_55))
    edit(run.results)
    with pytest.raises(ValueError, match=message):
        judge(run.results, run.evidence, _thresholds(AUC_55))
