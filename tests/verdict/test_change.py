"""Thresholds on the change against a baseline."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from google.protobuf import text_format

from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.change import SharedRows, change_interval
from tfx_privacy.metrics.counts import Thresholds
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.baseline import Baseline
from tfx_privacy.verdict.judge import judge

PASS, BLOCK, CANNOT_TELL = verdict_pb2.PASS, verdict_pb2.BLOCK, verdict_pb2.CANNOT_TELL


def _thresholds(text: str) -> thresholds_pb2.PrivacyThresholds:
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


WHOLE_95 = 'thresholds { metric { name: "auc" } upper_limit: 0.95 }'
RISE_02 = 'thresholds { metric { name: "auc" } change_limit: 0.02 }'
BOTH = _thresholds(WHOLE_95 + RISE_02)
STRICT = _thresholds(WHOLE_95 + RISE_02 + "on_no_baseline: CANNOT_TELL_CHANGE")


def _run(measurements, *advantages: float, n: int = 40_000):
    names = "abcd"[: len(advantages)]
    run = measurements.of(
        members=n, nonmembers=n // 2, advantages=dict(zip(names, advantages, strict=True))
    )
    run.results.model.uri = f"/models/{advantages}"
    return run


def _baseline(run, **shared) -> Baseline:
    return Baseline("/metrics/before", run.results, run.evidence, **shared)


@pytest.mark.parametrize(
    # AUC is .5 + 2/3 of the advantage: it rises by 0, .01, .02, .067.
    ("now", "outcome"),
    [(0.05, PASS), (0.065, PASS), (0.08, CANNOT_TELL), (0.15, BLOCK)],
)
def test_a_rise_is_held_against_the_limit(measurements, now: float, outcome: int) -> None:
    run, before = _run(measurements, now), _run(measurements, 0.05)
    verdict = judge(run.results, run.evidence, BOTH, baseline=_baseline(before))
    assert verdict.outcome == outcome
    finding = verdict.findings[1]
    assert finding.outcome == outcome
    assert finding.value.estimate == pytest.approx(2 / 3 * (now - 0.05), abs=1e-4)
    assert finding.baseline_value.estimate == pytest.approx(0.5 + 2 / 3 * 0.05, abs=1e-4)
    expected = change_interval(
        Auc(),
        run.evidence.counts["a", ()],
        Thresholds.all_at(32),
        before.evidence.counts["a", ()],
        Thresholds.all_at(32),
        0.025,
    )
    assert (finding.value.lower, finding.value.upper) == (expected.lower, expected.upper)
    assert not finding.skipped
    assert verdict.baseline.metrics_uri == "/metrics/before"
    assert verdict.baseline.model_uri == "/models/(0.05,)"
    assert finding.interval_too_wide == (outcome == CANNOT_TELL)


def test_what_rose_is_told(measurements) -> None:
    run, before = _run(measurements, 0.0, 0.15), _run(measurements, 0.0, 0.05)
    verdict = judge(run.results, run.evidence, BOTH, baseline=_baseline(before))
    assert verdict.reasons[0].startswith(
        "BLOCK: AUC of an attacker using 'b' rose from 0.53 to 0.60, by 0.07 (95% between 0.06 and "
        "0.07, unpaired), on 40,000 training and 20,000 other records in the baseline"
    )
    assert verdict.findings[1].attack == "b"


def test_shared_rows_make_it_narrower(measurements) -> None:
    run, before = _run(measurements, 0.1, n=4000), _run(measurements, 0.1, n=4000)
    bins = [np.arange(64).repeat(side) for side in _sides(run)]
    all_rows = np.concatenate(bins).astype(np.int64)
    member = np.arange(len(all_rows)) < 4000
    shared = SharedRows(all_rows, member, all_rows, member, 1.0)
    alone = judge(run.results, run.evidence, BOTH, baseline=_baseline(before)).findings[1]
    paired_to = _baseline(before, shared={"a": shared}, shared_members=4000, shared_nonmembers=2000)
    verdict = judge(run.results, run.evidence, BOTH, baseline=paired_to)
    paired = verdict.findings[1]
    assert paired.value.upper - paired.value.lower < 0.2 * (alone.value.upper - alone.value.lower)
    assert "paired on 4,000 training and 2,000 other records" in paired.reason
    assert verdict.baseline.shared_records.members == 4000
    assert "unpaired" in alone.reason


def _sides(run):
    counts = run.evidence.counts["a", ()]
    return counts.members, counts.nonmembers


def test_claims_about_the_change_share_the_error_of_the_whole(measurements) -> None:
    # The rise alone is above the limit at a p-value between .025 / 2 and .025.
    run, before = _run(measurements, 0.0912), _run(measurements, 0.05)
    alone = judge(run.results, run.evidence, _thresholds(RISE_02), baseline=_baseline(before))
    (finding,) = alone.findings
    assert 0.025 / 2 < finding.p_value < 0.025
    assert alone.outcome == BLOCK
    among = judge(run.results, run.evidence, BOTH, baseline=_baseline(before))
    assert among.outcome == CANNOT_TELL


# --- without a baseline


def test_without_a_baseline_it_is_skipped_and_said(measurements) -> None:
    run = _run(measurements, 0.05)
    verdict = judge(run.results, run.evidence, BOTH)
    assert verdict.outcome == PASS
    assert verdict.blessed
    assert not verdict.HasField("baseline")
    finding = verdict.findings[1]
    assert finding.skipped
    assert finding.outcome == CANNOT_TELL
    assert finding.reason == (
        "Skipped: the limit of 0.02 on the rise of AUC was held against nothing, since there is no "
        "baseline."
    )
    assert finding.reason in verdict.reasons


def test_or_it_is_cannot_tell_by_policy(measurements) -> None:
    run = _run(measurements, 0.05)
    verdict = judge(run.results, run.evidence, STRICT)
    assert verdict.outcome == CANNOT_TELL
    assert verdict.reasons[0].startswith("CANNOT TELL: there is no baseline that the change could")
    strict = thresholds_pb2.PrivacyThresholds()
    strict.CopyFrom(STRICT)
    strict.on_cannot_tell = thresholds_pb2.BLESSED_WITH_WARNING
    assert not judge(run.results, run.evidence, strict).blessed


def test_nothing_but_the_change_lets_a_first_model_pass_and_says_so(measurements) -> None:
    run = _run(measurements, 0.05)
    verdict = judge(run.results, run.evidence, _thresholds(RISE_02))
    assert verdict.outcome == PASS
    assert verdict.blessed
    assert verdict.reasons[0].startswith("Nothing was held against a limit: every MUST_PASS")


def test_but_not_one_that_no_attack_measured(measurements) -> None:
    run = _run(measurements)
    verdict = judge(run.results, run.evidence, _thresholds(RISE_02))
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert verdict.reasons[0].startswith("CANNOT TELL: no attack ran")


# --- baselines that a change cannot be counted from


def test_an_attack_that_the_baseline_lacks(measurements) -> None:
    run, before = _run(measurements, 0.05, 0.05), _run(measurements, 0.05)
    verdict = judge(run.results, run.evidence, BOTH, baseline=_baseline(before))
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.findings[1].interval_too_wide
    assert verdict.reasons[0] == (
        "CANNOT TELL: the change of AUC was not measured: the attack 'b' did not run on the "
        "baseline."
    )


def test_one_that_leaks_blocks_all_the_same(measurements) -> None:
    run, before = _run(measurements, 0.15, 0.05), _run(measurements, 0.05)
    assert judge(run.results, run.evidence, BOTH, baseline=_baseline(before)).outcome == BLOCK


@pytest.mark.parametrize("fault", ["edited", "version", "no counts", "NaN", "one side"])
def test_a_baseline_at_fault_is_cannot_tell(measurements, fault: str) -> None:
    run, before = _run(measurements, 0.05), _run(measurements, 0.05)
    evidence = before.evidence
    match fault:
        case "edited":
            before.results.attacks[0].metrics[0].value.upper = 0.9
            why = "contradicts itself: upper of AUC of 'a': found 0.9"
        case "version":
            before.results.schema_version = 1
            why = "found schema version 1, expected 5"
        case "no counts":
            evidence = dataclasses.replace(evidence, counts={})
            why = "the baseline at /metrics/before has no counts"
        case "NaN":
            before.results.attacks[0].metrics[0].value.upper = math.nan
            why = "in the baseline the results of the attack 'a' are no number"
        case _:
            before = measurements.of(members=900, nonmembers=0, advantages={"a": 0.0})
            evidence = before.evidence
            why = "in the baseline there are no other records to judge the attack 'a' by"
    baseline = Baseline("/metrics/before", before.results, evidence)
    verdict = judge(run.results, run.evidence, BOTH, baseline=baseline)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.findings[1].interval_too_wide
    assert not verdict.findings[1].skipped
    assert why in verdict.reasons[0]


@pytest.mark.parametrize(
    ("then", "outcome", "why"),
    [
        ({"members_known": 0.2, "signals": ["logits", "label"]}, PASS, ""),
        (
            {"members_known": 0.1, "signals": ["logits", "label"]},
            CANNOT_TELL,
            "the attacker 'weak' of the attack 'a@weak' is told 10% of the members and sees "
            "label, logits in the baseline and told 20% of the members and sees label, logits here",
        ),
        ({"members_known": 0.2, "signals": ["label"]}, CANNOT_TELL, "sees label in the baseline"),
        (None, CANNOT_TELL, "found attacks of the attacker weak, which the configuration does"),
    ],
)
def test_an_attacker_of_one_name_has_to_be_the_same(
    measurements, then: dict | None, outcome: int, why: str
) -> None:
    """Else a model that leaks more could hide behind an attacker who is told less."""
    run, before = (
        measurements.of(members=40_000, nonmembers=20_000, advantages={"a": 0.05, "a@weak": 0.05})
        for _ in range(2)
    )
    for one, attacker in (
        (run, {"members_known": 0.2, "signals": ["label", "logits"]}),
        (before, then),
    ):
        one.results.config.attacks[:] = ["a"]
        if attacker is not None:
            one.results.config.attackers.add(name="weak", attacks=["a"], **attacker)
    verdict = judge(run.results, run.evidence, BOTH, baseline=_baseline(before))
    assert (verdict.outcome, verdict.blessed) == (outcome, outcome == PASS)
    assert why in verdict.reasons[0]


def test_attacks_that_were_fitted_on_another_model_only_now(measurements) -> None:
    """A rise could be the attacker's; fitted on another model both times, it is the model's."""
    run, before = _run(measurements, 0.05), _run(measurements, 0.05)
    for fitted, found in ((run, before), (before, run)):
        fitted.results.fitted_on.signals_uri = "/signals/a"
        fitted.results.fitted_on.fit.members = fitted.results.fitted_on.fit.nonmembers = 90
        verdict = judge(run.results, run.evidence, BOTH, baseline=_baseline(before))
        if not found.results.HasField("fitted_on"):
            assert verdict.outcome == CANNOT_TELL
            assert (
                "attacks were fitted on records of the model that is judged in the baseline and "
                "on another model's records (/signals/a) here: a rise could be the attacker's"
            ) in verdict.reasons[0]
        else:
            assert verdict.outcome == PASS


def _sees(run, attack, **inside):
    """The attack "a" of a run is this one, with these parts of the configuration."""
    run.results.config.attacks[:] = [attack]
    run.results.config.MergeFrom(config_pb2.PrivacyConfig(**inside))
    if "white_box" in inside:
        run.results.white_box.not_computed = "no attack on the model's answers ran"


@pytest.mark.parametrize(
    ("attack", "then", "now", "differs"),
    [
        ("gradient_norm", {}, {}, ""),
        ("gradient_norm", {}, {"white_box": {"norms": {"last": 1}}}, "white_box"),
        ("gradient_norm", {}, {"attack_network": {"epochs": 1}}, ""),
        ("white_box_network", {}, {"attack_network": {"epochs": 1}}, "attack_network"),
        ("white_box_network", {}, {"white_box": {"skip": [2]}}, "white_box"),
        ("white_box_network", {}, {"attack_network": {"backend": "jax"}}, ""),
        ("loss_threshold", {}, {"white_box": {"norms": {"last": 1}}}, ""),
    ],
)
def test_what_an_attack_sees_inside_has_to_be_the_same(
    measurements, attack: str, then: dict, now: dict, differs: str
) -> None:
    """Else a model that leaks more could hide behind an attack that is shown less of it."""
    run, before = (
        measurements.of(members=40_000, nonmembers=20_000, advantages={attack: 0.05})
        for _ in range(2)
    )
    _sees(run, attack, **now)
    _sees(before, attack, **then)
    verdict = judge(run.results, run.evidence, BOTH, baseline=_baseline(before))
    assert verdict.outcome == (CANNOT_TELL if differs else PASS)
    if differs:
        assert f"`{differs}` in the configuration" in verdict.reasons[0]
