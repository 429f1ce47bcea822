"""PASS, BLOCK and CANNOT_TELL, each role and policy, on constructed evidence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from google.protobuf import text_format
from scipy import stats

from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.counts import Evidence, ScoreCounts, Thresholds
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.judge import judge
from tfx_privacy.verdict.p_value import p_value_above

PASS, BLOCK, CANNOT_TELL = verdict_pb2.PASS, verdict_pb2.BLOCK, verdict_pb2.CANNOT_TELL
DEFAULTS = thresholds_pb2.PrivacyThresholds()


def _thresholds(text: str) -> thresholds_pb2.PrivacyThresholds:
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


AUC_55 = _thresholds('thresholds { metric { name: "auc" } upper_limit: 0.55 }')
AUC_55_BLOCK_ONLY = _thresholds(
    'thresholds { metric { name: "auc" } upper_limit: 0.55 role: BLOCK_ONLY }'
)
WITH_WARNING = _thresholds("on_cannot_tell: BLESSED_WITH_WARNING")


def _merged(*parts: thresholds_pb2.PrivacyThresholds) -> thresholds_pb2.PrivacyThresholds:
    merged = thresholds_pb2.PrivacyThresholds()
    for part in parts:
        merged.MergeFrom(part)
    return merged


def _outcomes(verdict: verdict_pb2.PrivacyVerdict) -> list[int]:
    return [finding.outcome for finding in verdict.findings]


# --- the three outcomes


def test_pass(measurements) -> None:
    run = measurements.of(members=20_000, nonmembers=10_000, advantages={"a": 0.0, "b": 0.01})
    verdict = judge(run.results, run.evidence, DEFAULTS)
    assert verdict.outcome == PASS
    assert verdict.blessed
    assert not verdict.blessed_with_warning
    *whole, slices = verdict.findings
    assert [finding.outcome for finding in whole] == [PASS, PASS, PASS]
    assert [finding.attack for finding in whole] == ["b", "b", "b"]
    assert all(finding.records_to_decide == 0 for finding in whole)
    assert slices.reason == (
        "NOT JUDGED: the limit of 0.6 on AUC in slices was held against none: no slice was "
        "measured."
    )
    assert len(verdict.thresholds.thresholds) == 4
    assert verdict.model_uri == "/models/1"
    assert verdict.reasons[0].startswith(
        "PASS: the attacks that ran do not exceed the limit of 0.55 on AUC"
    )
    assert not any("safe" in reason for reason in verdict.reasons)


def test_block(measurements) -> None:
    run = measurements.of(members=6667, nonmembers=3333, advantages={"weak": 0.02, "strong": 0.25})
    verdict = judge(run.results, run.evidence, DEFAULTS)
    assert verdict.outcome == BLOCK
    assert not verdict.blessed
    auc = verdict.findings[0]
    assert (auc.outcome, auc.attack) == (BLOCK, "strong")
    # AUC .5 + 2/3 .25 = .667.
    assert auc.value.estimate == pytest.approx(0.6667, abs=1e-3)
    assert auc.value.confidence == 0.95
    assert (auc.value.members, auc.value.nonmembers) == (6667, 3333)
    assert auc.value.lower > 0.55
    assert auc.p_value < 1e-6
    assert auc.reason in verdict.reasons[:2]
    assert auc.reason == (
        "BLOCK: an attacker using 'strong' reaches AUC 0.67 (95% between 0.65 and 0.68) on 6,667 "
        "training and 3,333 other records; the limit is 0.55."
    )


def test_cannot_tell(measurements) -> None:
    run = measurements.of(members=200, nonmembers=100, advantages={"a": 0.0})
    verdict = judge(run.results, run.evidence, AUC_55)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    (finding,) = verdict.findings
    assert finding.outcome == CANNOT_TELL
    assert finding.interval_too_wide
    # N = 450 rows of the splits; ((1.96 + .84) s / .05)^2 with s = (upper - .5) / 1.96.
    s = (finding.value.upper - 0.5) / stats.norm.ppf(0.975)
    expected = 450 * ((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * s / 0.05) ** 2
    assert finding.records_to_decide == pytest.approx(expected, abs=1)
    assert (
        f"{finding.records_to_decide // 100 * 100 + 100:,} records in the splits"
        in (verdict.reasons[0])
    )


def test_the_value_is_that_of_the_counts_whether_or_not_it_was_listed(measurements) -> None:
    run = measurements.of_counts({"a": measurements.counts(2000, 1000, 0.1)}, metrics=[])
    verdict = judge(
        run.results,
        run.evidence,
        _thresholds('thresholds { metric { name: "tpr_at_fpr" fpr: 0.2 } upper_limit: 0.5 }'),
    )
    # f + 4 a f (1 - f) = .2 + .4 .16
    assert verdict.findings[0].value.estimate == pytest.approx(0.264, abs=2e-3)
    assert verdict.outcome == PASS


def test_every_attack_has_to_pass(measurements) -> None:
    run = measurements.of(members=4000, nonmembers=2000, advantages={"a": 0.0, "b": 0.07})
    verdict = judge(run.results, run.evidence, AUC_55)
    assert verdict.outcome == CANNOT_TELL
    assert verdict.findings[0].attack == "b"


def test_one_attack_blocks_though_others_do_not(measurements) -> None:
    advantages = {f"weak_{i}": 0.0 for i in range(5)} | {"strong": 0.2}
    run = measurements.of(members=6667, nonmembers=3333, advantages=advantages)
    assert judge(run.results, run.evidence, AUC_55).outcome == BLOCK


# --- Holm over metrics and attacks


def _just_above(measurements, advantage: float) -> ScoreCounts:
    return measurements.counts(2000, 1000, advantage)


def test_block_is_corrected_for_the_number_of_claims(measurements) -> None:
    # Alone this attack is above the limit at a p-value between .025 / 8 and .025.
    counts = _just_above(measurements, 0.112)
    alone = measurements.of_counts({"a": counts})
    p_value = p_value_above(
        lambda alpha: Auc().measure(counts, Thresholds.all_at(32), alpha).lower, 0.55
    )
    assert 0.025 / 8 < p_value < 0.025
    assert judge(alone.results, alone.evidence, AUC_55).outcome == BLOCK

    among = measurements.of_counts(
        {"a": counts} | {f"b{i}": measurements.counts(2000, 1000, 0.0) for i in range(7)}
    )
    verdict = judge(among.results, among.evidence, AUC_55)
    assert verdict.outcome == CANNOT_TELL
    (finding,) = verdict.findings
    assert finding.attack == "a"
    assert finding.value.lower > 0.55
    assert finding.p_value == pytest.approx(p_value)
    assert finding.interval_too_wide
    assert "with so many comparisons one such may be chance" in finding.reason
    # Further records have to satisfy the corrected level, so more than those at hand.
    assert finding.records_to_decide > 4500


def test_a_clear_claim_makes_room_for_the_next(measurements) -> None:
    # Holm: once the clear one is out, the other is held against .025 alone.
    counts = _just_above(measurements, 0.112)
    run = measurements.of_counts({"clear": measurements.counts(2000, 1000, 0.25), "a": counts})
    verdict = judge(run.results, run.evidence, AUC_55)
    assert verdict.outcome == BLOCK
    assert verdict.findings[0].attack == "clear"


# --- roles


def test_block_only_blocks(measurements) -> None:
    run = measurements.of(members=6667, nonmembers=3333, advantages={"a": 0.25})
    assert judge(run.results, run.evidence, AUC_55_BLOCK_ONLY).outcome == BLOCK


def test_block_only_has_no_say_in_a_pass(measurements) -> None:
    run = measurements.of(members=4000, nonmembers=2000, advantages={"a": 0.0})
    strict = _thresholds(
        """
        thresholds { metric { name: "auc" } upper_limit: 0.55 }
        thresholds { metric { name: "auc" } upper_limit: 0.501 role: BLOCK_ONLY }
        """
    )
    verdict = judge(run.results, run.evidence, strict)
    assert _outcomes(verdict) == [PASS, CANNOT_TELL]
    assert verdict.outcome == PASS
    assert verdict.blessed
    assert "can only block; nothing follows from it" in verdict.findings[1].reason


@pytest.mark.parametrize("members", [40, 40_000])
def test_block_only_alone_shows_nothing(measurements, members: int) -> None:
    run = measurements.of(members=members, nonmembers=members, advantages={"a": 0.0})
    verdict = judge(run.results, run.evidence, AUC_55_BLOCK_ONLY)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert verdict.reasons[0].startswith("CANNOT TELL: no threshold has the role MUST_PASS")
    warned = judge(run.results, run.evidence, _merged(AUC_55_BLOCK_ONLY, WITH_WARNING))
    assert warned.outcome == CANNOT_TELL
    assert not warned.blessed
    assert not warned.blessed_with_warning
    assert any(reason.startswith("Not blessed: the policy") for reason in warned.reasons)


def test_block_only_has_no_say_in_the_policy(measurements) -> None:
    # Of the two only MUST_PASS counts: its interval is too wide, and that is all.
    run = measurements.of(members=200, nonmembers=100, advantages={"a": 0.0})
    both = _thresholds(
        """
        thresholds { metric { name: "auc" } upper_limit: 0.55 }
        thresholds { metric { name: "auc" } upper_limit: 0.9 role: BLOCK_ONLY }
        """
    )
    verdict = judge(run.results, run.evidence, _merged(both, WITH_WARNING))
    assert _outcomes(verdict) == [CANNOT_TELL, PASS]
    assert verdict.blessed_with_warning


def test_block_only_alone_without_evidence_is_never_blessed(measurements) -> None:
    run = measurements.of(members=100, nonmembers=0, advantages={"a": 0.0})
    verdict = judge(run.results, run.evidence, _merged(AUC_55_BLOCK_ONLY, WITH_WARNING))
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed


# --- policies


def test_blessed_with_a_warning_where_intervals_are_too_wide(measurements) -> None:
    run = measurements.of(members=200, nonmembers=100, advantages={"a": 0.0})
    verdict = judge(run.results, run.evidence, _merged(AUC_55, WITH_WARNING))
    assert verdict.outcome == CANNOT_TELL
    assert verdict.blessed
    assert verdict.blessed_with_warning
    assert any(reason.startswith("Blessed with a warning") for reason in verdict.reasons)


def test_the_policy_blesses_no_block(measurements) -> None:
    run = measurements.of(members=6667, nonmembers=3333, advantages={"a": 0.25})
    verdict = judge(run.results, run.evidence, _merged(AUC_55, WITH_WARNING))
    assert verdict.outcome == BLOCK
    assert not verdict.blessed
    assert not verdict.blessed_with_warning


def test_the_policy_says_nothing_of_a_pass(measurements) -> None:
    run = measurements.of(members=20_000, nonmembers=10_000, advantages={"a": 0.0})
    verdict = judge(run.results, run.evidence, _merged(AUC_55, WITH_WARNING))
    assert verdict.blessed
    assert not verdict.blessed_with_warning


# --- the Evaluator's blessing

REFUSED = "Not blessed: the Evaluator did not bless the model's quality."


def test_a_blessing_not_asked_for_is_not_in_the_verdict(measurements) -> None:
    run = measurements.of(members=20_000, nonmembers=10_000, advantages={"a": 0.0})
    assert not judge(run.results, run.evidence, DEFAULTS).HasField("quality_blessed")
    verdict = judge(run.results, run.evidence, DEFAULTS, quality_blessed=True)
    assert verdict.quality_blessed
    assert verdict.blessed
    assert REFUSED not in verdict.reasons


@pytest.mark.parametrize(("members", "outcome"), [(40_000, PASS), (200, CANNOT_TELL)])
def test_quality_refuses_what_privacy_would_bless(measurements, members: int, outcome: int) -> None:
    run = measurements.of(members=members, nonmembers=members // 2, advantages={"a": 0.0})
    thresholds = _merged(AUC_55, WITH_WARNING)
    assert judge(run.results, run.evidence, thresholds, quality_blessed=True).blessed
    verdict = judge(run.results, run.evidence, thresholds, quality_blessed=False)
    assert verdict.outcome == outcome
    assert verdict.HasField("quality_blessed")
    assert not verdict.blessed
    assert not verdict.blessed_with_warning
    assert verdict.reasons[0] == REFUSED
    assert verdict.reasons[1] == verdict.findings[0].reason
    assert not any("policy" in reason for reason in verdict.reasons)


def test_privacy_comes_first_where_both_refuse(measurements) -> None:
    run = measurements.of(members=6667, nonmembers=3333, advantages={"a": 0.25})
    verdict = judge(run.results, run.evidence, DEFAULTS, quality_blessed=False)
    assert verdict.outcome == BLOCK
    assert not verdict.blessed
    assert verdict.reasons[0].startswith("BLOCK")
    assert REFUSED in verdict.reasons


# --- what cannot be judged


def _empty_run() -> tuple[results_pb2.PrivacyResults, Evidence]:
    results = results_pb2.PrivacyResults(schema_version=5)
    results.skipped_attacks.add(name="loss", reason="needs label, which the signals do not have")
    return results, Evidence(edges={}, counts={})


@pytest.fixture(
    params=["no attack", "no members", "no non-members", "counts missing", "NaN in the results"]
)
def unjudgeable(request, measurements) -> tuple[results_pb2.PrivacyResults, Evidence, str]:
    match request.param:
        case "no attack":
            return *_empty_run(), "no attack ran"
        case "no members":
            run = measurements.of(members=0, nonmembers=500, advantages={"a": 0.0})
            why = "there are no training records to judge the attack 'a' by"
        case "no non-members":
            run = measurements.of(members=500, nonmembers=0, advantages={"a": 0.0})
            why = "there are no other records to judge the attack 'a' by"
        case "counts missing":
            run = measurements.of(members=9000, nonmembers=9000, advantages={"b": 0.0, "a": 0.0})
            counts = {k: c for k, c in run.evidence.counts.items() if k[0] == "b"}
            run = dataclasses.replace(
                run, evidence=dataclasses.replace(run.evidence, counts=counts)
            )
            why = "the counts of the attack 'a' are missing"
        case _:
            run = measurements.of(members=9000, nonmembers=9000, advantages={"b": 0.0, "a": 0.0})
            run.results.attacks[1].metrics[0].value.lower = float("nan")
            why = "the results of the attack 'a' are no number"
    return run.results, run.evidence, why


def test_what_cannot_be_judged_is_never_blessed(unjudgeable) -> None:
    results, evidence, why = unjudgeable
    verdict = judge(results, evidence, _merged(AUC_55, WITH_WARNING))
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    (finding,) = verdict.findings
    assert not finding.interval_too_wide
    assert not finding.HasField("value")
    assert finding.p_value == 1.0
    assert finding.reason == f"CANNOT TELL: AUC was not measured: {why}."
    assert any(reason.startswith("Not blessed: the policy") for reason in verdict.reasons)


def test_where_no_attack_ran_that_comes_first() -> None:
    results, evidence = _empty_run()
    verdict = judge(results, evidence, _merged(DEFAULTS, WITH_WARNING))
    assert not verdict.blessed
    assert verdict.reasons[0] == "CANNOT TELL: AUC was not measured: no attack ran."


def test_a_missing_attack_does_not_hide_a_leak(measurements) -> None:
    run = measurements.of(members=6667, nonmembers=3333, advantages={"a": 0.0, "b": 0.25})
    counts = {k: c for k, c in run.evidence.counts.items() if k[0] == "b"}
    evidence = dataclasses.replace(run.evidence, counts=counts)
    assert judge(run.results, evidence, AUC_55).outcome == BLOCK


def test_one_record_a_side_and_equal_scores(measurements) -> None:
    one = ScoreCounts(np.array([0, 1]), np.array([0, 1]))
    equal = ScoreCounts(np.array([0, 500]), np.array([0, 500]))
    for counts in (one, equal):
        run = measurements.of_counts({"a": counts})
        verdict = judge(run.results, run.evidence, DEFAULTS)
        assert verdict.outcome == CANNOT_TELL
        assert not verdict.blessed


def test_one_record_a_side_is_not_merely_too_wide(measurements) -> None:
    one = ScoreCounts(np.array([0, 1]), np.array([1, 0]))
    run = measurements.of_counts({"a": one})
    verdict = judge(run.results, run.evidence, WITH_WARNING)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert "there is one training record to judge the attack 'a' by" in verdict.reasons[0]


def test_scores_that_are_all_equal_are_no_evidence_however_many(measurements) -> None:
    equal = ScoreCounts(np.array([0, 50_000]), np.array([0, 50_000]))
    run = measurements.of_counts({"a": equal})
    for policy in (DEFAULTS, WITH_WARNING):
        verdict = judge(run.results, run.evidence, policy)
        assert verdict.outcome == CANNOT_TELL
        assert not verdict.blessed
        assert verdict.reasons[0].startswith("CANNOT TELL: every attack gave every record the same")
    # One such attack among others is that of a model without a mistake, by "correctness".
    run = measurements.of_counts({"a": equal, "b": measurements.counts(50_000, 50_000, 0.0)})
    assert judge(run.results, run.evidence, DEFAULTS).outcome == PASS


def test_a_limit_that_can_only_block_is_not_blessed_where_its_numbers_are_lost(
    measurements,
) -> None:
    run = measurements.of(members=20_000, nonmembers=10_000, advantages={"a": 0.0})
    policy = _thresholds(
        """
        thresholds { metric { name: "auc" } upper_limit: 0.6 }
        thresholds { metric { name: "epsilon" } upper_limit: 1 }
        """
    )
    assert judge(run.results, run.evidence, policy).outcome == PASS
    (epsilon,) = [one for one in run.results.attacks[0].metrics if one.metric.name == "epsilon"]
    epsilon.value.lower = float("nan")
    verdict = judge(run.results, run.evidence, _merged(policy, WITH_WARNING))
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert verdict.reasons[0].startswith("CANNOT TELL: epsilon was not measured")


def test_edited_results_are_refused(measurements) -> None:
    run = measurements.of(members=6667, nonmembers=3333, advantages={"a": 0.25})
    run.results.attacks[0].metrics[0].value.estimate = 0.5
    with pytest.raises(ValueError, match="must not be edited by hand"):
        judge(run.results, run.evidence, AUC_55)


def test_wrong_thresholds_are_refused(measurements) -> None:
    run = measurements.of(members=100, nonmembers=100, advantages={"a": 0.0})
    wrong = _thresholds('thresholds { metric { name: "auc" } upper_limit: -1 }')
    with pytest.raises(ValueError, match="found upper_limit -1"):
        judge(run.results, run.evidence, wrong)


# --- reasons


def test_deciding_reasons_come_first(measurements) -> None:
    run = measurements.of(members=6667, nonmembers=3333, advantages={"a": 0.05})
    thresholds = _thresholds(
        """
        thresholds { metric { name: "precision" } upper_limit: 0.9 }
        thresholds { metric { name: "auc" } upper_limit: 0.51 }
        """
    )
    verdict = judge(run.results, run.evidence, thresholds)
    assert _outcomes(verdict) == [PASS, BLOCK]
    assert [reason.split(":")[0] for reason in verdict.reasons[:2]] == ["BLOCK", "PASS"]


def test_what_did_not_run_is_said(measurements) -> None:
    run = measurements.of(members=20_000, nonmembers=10_000, advantages={"a": 0.0})
    run.results.skipped_attacks.add(name="entropy", reason="needs logits.")
    run.results.records.duplicates_checked = False
    reasons = list(judge(run.results, run.evidence, DEFAULTS).reasons)
    assert "Not judged: the attack 'entropy' did not run; it needs logits." in reasons
    assert any(reason.startswith("Duplicates were not looked for") for reason in reasons)
