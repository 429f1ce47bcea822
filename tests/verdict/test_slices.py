"""Thresholds on slices: which are judged, by what, and what follows."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from google.protobuf import text_format

from tfx_privacy.metrics.counts import ScoreCounts
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.judge import judge
from tfx_privacy.verdict.slices import is_for

PASS, BLOCK, CANNOT_TELL = verdict_pb2.PASS, verdict_pb2.BLOCK, verdict_pb2.CANNOT_TELL
LARGE, SMALL, OTHER = (("age", "1"),), (("age", "2"),), (("age", "1"), ("sex", "f"))


def _thresholds(text: str) -> thresholds_pb2.PrivacyThresholds:
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


def test_a_threshold_is_for_slices_by_signals_under_their_names() -> None:
    wrong = (("age", "1"), ("prediction", "wrong"))
    by_signal = config_pb2.SlicingSpec(feature_keys=["age"], signals=["CORRECTNESS"])
    at_wrong = config_pb2.SlicingSpec(feature_keys=["age"], feature_values={"prediction": "wrong"})
    assert is_for([by_signal], wrong)
    assert is_for([at_wrong], wrong)
    assert not is_for([by_signal], LARGE)
    assert not is_for([config_pb2.SlicingSpec(signals=["CLASS"])], wrong)


WHOLE_95 = 'thresholds { metric { name: "auc" } upper_limit: 0.95 }'
SLICES_60 = 'thresholds { metric { name: "auc" } upper_limit: 0.6 scope: EVERY_SLICE }'
MUST_PASS_60 = SLICES_60.replace("EVERY_SLICE", "EVERY_SLICE role: MUST_PASS")
BLOCKING_SLICES = _thresholds(WHOLE_95 + SLICES_60)


def _run(measurements, slices: dict, advantage: float = 0.0):
    whole = measurements.counts(20_000, 10_000, advantage)
    return measurements.of_counts({"a": whole, "b": whole}, slices=slices)


def test_a_leaking_slice_blocks(measurements) -> None:
    # AUC .5 + 2/3 .25 = .667 in one slice.
    run = _run(
        measurements,
        {LARGE: measurements.counts(2000, 1000, 0.25), OTHER: measurements.counts(2000, 1000, 0.0)},
    )
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert verdict.outcome == BLOCK
    finding = verdict.findings[1]
    assert (finding.outcome, finding.attack) == (BLOCK, "a")
    assert [(part.feature, part.value) for part in finding.slice] == list(LARGE)
    assert finding.value.estimate == pytest.approx(0.667, abs=1e-3)
    assert (finding.slices_judged, finding.slices_too_small) == (2, 0)
    assert [one.outcome for one in verdict.slice_findings] == [BLOCK, PASS]
    assert verdict.reasons[0].startswith("BLOCK: in slice age=1 an attacker using 'a' reaches AUC")


def test_slices_are_judged_by_the_attack_selected_on_fit_alone(measurements) -> None:
    run = _run(measurements, {LARGE: measurements.counts(2000, 1000, 0.0)})
    # The other attack finds a leak in the slice; it was not selected.
    leak = measurements.counts(2000, 1000, 0.25)
    run.evidence.counts["b", LARGE] = leak
    del run.results.slices[0].attacks[1]
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert verdict.outcome == PASS
    run.results.best_attack = "b"
    del run.results.best_of_attacks[:]
    assert judge(run.results, run.evidence, BLOCKING_SLICES).outcome == BLOCK


def test_a_small_slice_is_too_small_and_never_safe(measurements) -> None:
    # 133 judged and 66 other rows are 199 and 99 of the splits: one too few a side.
    run = _run(
        measurements,
        {SMALL: measurements.counts(133, 66, 0.25), LARGE: measurements.counts(4000, 2000, 0.0)},
    )
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert verdict.outcome == PASS
    judged, small = verdict.slice_findings
    assert (judged.outcome, judged.too_small) == (PASS, False)
    assert (small.outcome, small.too_small) == (CANNOT_TELL, True)
    assert not small.HasField("value")
    assert small.reason == (
        "Slice age=2 is too small to judge (199 of at least 200 training records, 99 of at least "
        "100 others)."
    )
    finding = verdict.findings[1]
    assert (finding.slices_judged, finding.slices_too_small) == (1, 1)
    assert (
        "1 slice is too small to judge (fewer than 200 training or 100 other records in the "
        "splits); of these nothing was shown." in finding.reason
    )
    assert finding.reason in verdict.reasons


def test_a_slice_of_just_enough_rows_is_judged(measurements) -> None:
    run = _run(measurements, {SMALL: measurements.counts(134, 67, 0.25)})
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert run.evidence.slice_rows[SMALL] == (201, 100)
    assert not verdict.slice_findings[0].too_small


def test_how_small_is_for_the_policy_to_say(measurements) -> None:
    run = _run(measurements, {SMALL: measurements.counts(134, 67, 0.0)})
    policy = _thresholds(WHOLE_95 + SLICES_60 + "minimum_slice_records { members: 202 }")
    assert judge(run.results, run.evidence, policy).slice_findings[0].too_small


def test_a_pass_tells_worst_bound_and_power(measurements) -> None:
    run = _run(
        measurements,
        {LARGE: measurements.counts(2000, 1000, 0.0), OTHER: measurements.counts(8000, 4000, 0.0)},
    )
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    finding = verdict.findings[1]
    large, other = verdict.slice_findings
    assert finding.value.upper == max(large.value.upper, other.value.upper) == large.value.upper
    assert finding.reason.startswith(
        "PASS: the attack 'a' does not exceed the limit of 0.6 on AUC in any of the 2 slices "
        f"judged; the worst upper bound is {large.value.upper:.2f} (95%), in slice age=1, on 2,000 "
        "training and 1,000 other records."
    )
    assert 0.6 < other.smallest_blocked < large.smallest_blocked < 0.7
    assert (
        "The smallest AUC that would have been blocked with 80% power is between "
        f"{other.smallest_blocked:.2f} and {large.smallest_blocked:.2f}, depending on the slice."
        in finding.reason
    )


def test_without_slices_nothing_is_held_against_the_limit(measurements) -> None:
    run = _run(measurements, {})
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert verdict.outcome == PASS
    assert "was held against none: no slice was measured" in verdict.findings[1].reason
    must_pass = _thresholds(WHOLE_95 + MUST_PASS_60)
    assert judge(run.results, run.evidence, must_pass).outcome == CANNOT_TELL


def test_slices_that_were_to_be_measured_and_were_not_forbid_a_pass(measurements) -> None:
    run = _run(measurements, {})
    run.results.config.slicing_specs.add(feature_keys=["age"])
    # The empty spec stands for the whole.
    run.results.config.slicing_specs.add()
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert (verdict.outcome, verdict.blessed) == (CANNOT_TELL, False)
    assert "and PrivacyConfig asks for slices by age" in verdict.reasons[0]
    del run.results.config.slicing_specs[0]
    assert judge(run.results, run.evidence, BLOCKING_SLICES).outcome == PASS


def test_slices_that_are_named_and_were_not_measured_forbid_a_pass(measurements) -> None:
    run = _run(measurements, {LARGE: measurements.counts(2000, 1000, 0.0)})
    misspelt = _thresholds(
        WHOLE_95
        + """thresholds { metric { name: "auc" } upper_limit: 0.6
                          slicing_specs { feature_keys: "agge" } }"""
    )
    verdict = judge(run.results, run.evidence, misspelt)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert "no slice by agge was measured (found slices by: age)" in verdict.reasons[0]


def test_each_slice_that_is_named_has_to_have_been_measured(measurements) -> None:
    """One name of two that was not measured is missed as one alone is."""
    run = _run(measurements, {LARGE: measurements.counts(2000, 1000, 0.0)})
    both = _thresholds(
        WHOLE_95
        + """thresholds { metric { name: "auc" } upper_limit: 0.6
                          slicing_specs { feature_values { key: "age" value: "1" } }
                          slicing_specs { feature_values { key: "age" value: "7" } } }"""
    )
    verdict = judge(run.results, run.evidence, both)
    assert (verdict.outcome, verdict.blessed) == (CANNOT_TELL, False)
    assert "no slice by age=7 was measured" in verdict.reasons[0]


NAMED_60 = SLICES_60.replace(
    "scope: EVERY_SLICE", 'slicing_specs { feature_values { key: "age" value: "1" } }'
)
BY_AGE_60 = SLICES_60.replace("scope: EVERY_SLICE", 'slicing_specs { feature_keys: "age" }')


@pytest.mark.parametrize(
    ("limit", "largest_rows", "outcome"),
    [
        # 200 + 100 rows are the fewest that a slice is judged by.
        (SLICES_60, 300, CANNOT_TELL),
        (SLICES_60, 299, PASS),
        (BY_AGE_60, 300, CANNOT_TELL),
        (BY_AGE_60, 299, PASS),
        # Every slice has to pass, the smallest too.
        (MUST_PASS_60, 2, CANNOT_TELL),
        # The slice that is named was measured: it is none of those left out.
        (NAMED_60, 3000, PASS),
    ],
)
def test_slices_left_out_forbid_a_pass_where_they_may_be_asked_for(
    measurements, limit: str, largest_rows: int, outcome: int
) -> None:
    run = _run(measurements, {LARGE: measurements.counts(2000, 1000, 0.0)})
    assert judge(run.results, run.evidence, _thresholds(WHOLE_95 + limit)).outcome == PASS
    run.results.config.sample_sizes.max_slices = 1
    run.results.slices_left_out.slices = 4
    run.results.slices_left_out.largest_rows = largest_rows
    verdict = judge(run.results, run.evidence, _thresholds(WHOLE_95 + limit))
    assert (verdict.outcome, verdict.blessed) == (outcome, outcome == PASS)
    if outcome == CANNOT_TELL:
        assert "4 slices were left out of the measurement, the largest with" in verdict.reasons[0]


def test_a_slice_that_leaks_blocks_whatever_was_left_out(measurements) -> None:
    run = _run(measurements, {LARGE: measurements.counts(2000, 1000, 0.25)})
    run.results.config.sample_sizes.max_slices = 1
    run.results.slices_left_out.slices = 1
    run.results.slices_left_out.largest_rows = 3000
    assert judge(run.results, run.evidence, BLOCKING_SLICES).outcome == BLOCK


# --- MUST_PASS on slices


def test_every_slice_must_pass(measurements) -> None:
    slices = {
        LARGE: measurements.counts(4000, 2000, 0.0),
        OTHER: measurements.counts(150, 75, 0.06),
    }
    policy = _thresholds(WHOLE_95 + MUST_PASS_60)
    run = _run(measurements, {LARGE: slices[LARGE]})
    assert judge(run.results, run.evidence, policy).outcome == PASS
    run = _run(measurements, slices)
    verdict = judge(run.results, run.evidence, policy)
    assert verdict.outcome == CANNOT_TELL
    finding = verdict.findings[1]
    assert finding.interval_too_wide
    assert [part.value for part in finding.slice] == ["1", "f"]
    # Of the 337 rows of that slice, not of the 45,000 of the splits.
    assert "records of this slice in the splits in place of 337 would settle it" in finding.reason


def test_a_small_slice_that_must_pass_is_no_question_of_width(measurements) -> None:
    policy = _thresholds(WHOLE_95 + MUST_PASS_60 + "on_cannot_tell: BLESSED_WITH_WARNING")
    run = _run(
        measurements,
        {LARGE: measurements.counts(4000, 2000, 0.0), SMALL: measurements.counts(100, 50, 0.0)},
    )
    verdict = judge(run.results, run.evidence, policy)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.findings[1].interval_too_wide
    assert not verdict.blessed
    assert "asks that every slice pass, and not every one could be judged" in verdict.reasons[0]


def test_a_leak_blocks_though_another_slice_is_too_small(measurements) -> None:
    run = _run(
        measurements,
        {LARGE: measurements.counts(4000, 2000, 0.25), SMALL: measurements.counts(100, 50, 0.0)},
    )
    policy = _thresholds(WHOLE_95 + MUST_PASS_60)
    assert judge(run.results, run.evidence, policy).outcome == BLOCK


# --- Holm, in a family of its own


def test_slices_pay_for_each_other_and_not_for_the_whole(measurements) -> None:
    # Alone this slice blocks at a p-value between .025 / 20 and .025.
    just = measurements.counts(500, 250, 0.235)
    alone = _run(measurements, {LARGE: just})
    verdict = judge(alone.results, alone.evidence, BLOCKING_SLICES)
    assert verdict.outcome == BLOCK
    assert 0.025 / 20 < verdict.findings[1].p_value < 0.025
    others = {(("age", str(age)),): measurements.counts(500, 250, 0.0) for age in range(100, 119)}
    among = _run(measurements, {LARGE: just, **others})
    verdict = judge(among.results, among.evidence, BLOCKING_SLICES)
    assert verdict.outcome == PASS
    assert verdict.findings[1].outcome == CANNOT_TELL
    assert "was not shown to exceed the limit of 0.6 on AUC in any of the 20 slices" in (
        verdict.findings[1].reason
    )


# --- which slices


@pytest.mark.parametrize(
    ("spec", "makes"),
    [
        ("", {LARGE, SMALL, OTHER}),
        ('feature_keys: "age"', {LARGE, SMALL}),
        ('feature_keys: ["age", "sex"]', {OTHER}),
        ('feature_values { key: "age" value: "1" }', {LARGE}),
        # Values are compared as numbers where both are, as TFMA does.
        ('feature_values { key: "age" value: "1.0" }', {LARGE}),
        ('feature_keys: "sex" feature_values { key: "age" value: "1" }', {OTHER}),
        ('feature_keys: "height"', set()),
    ],
)
def test_specs_name_slices_as_the_configuration_does(spec: str, makes: set) -> None:
    specs = [text_format.Parse(spec, config_pb2.SlicingSpec())] if spec else []
    assert {key for key in (LARGE, SMALL, OTHER) if is_for(specs, key)} == makes


def test_only_the_slices_named_are_judged(measurements) -> None:
    run = _run(
        measurements,
        {LARGE: measurements.counts(4000, 2000, 0.25), OTHER: measurements.counts(4000, 2000, 0.0)},
    )
    named = SLICES_60.replace(
        "scope: EVERY_SLICE", 'slicing_specs { feature_keys: ["age", "sex"] }'
    )
    verdict = judge(run.results, run.evidence, _thresholds(WHOLE_95 + named))
    assert verdict.outcome == PASS
    assert len(verdict.slice_findings) == 1


# --- what cannot be judged


def test_a_slice_without_counts_or_numbers(measurements) -> None:
    run = _run(measurements, {LARGE: measurements.counts(4000, 2000, 0.0)})
    policy = _thresholds(WHOLE_95 + MUST_PASS_60)
    run.results.slices[0].attacks[0].metrics[0].value.lower = math.nan
    verdict = judge(run.results, run.evidence, policy)
    assert verdict.outcome == CANNOT_TELL
    assert "the results of the attack 'a' are no number" in verdict.reasons[0]
    counts = {key: one for key, one in run.evidence.counts.items() if key != ("a", LARGE)}
    missing = dataclasses.replace(run.evidence, counts=counts)
    verdict = judge(run.results, missing, policy)
    assert "the counts of the attack 'a' are missing" in verdict.reasons[0]


@pytest.mark.parametrize("lost", ["the results are no number", "the counts are missing"])
def test_lost_evidence_of_a_slice_is_never_blessed(measurements, lost: str) -> None:
    # The slice would block, and its threshold is BLOCK_ONLY: nothing else would follow from it.
    run = _run(measurements, {LARGE: measurements.counts(2000, 1000, 0.25)})
    evidence = run.evidence
    assert judge(run.results, evidence, BLOCKING_SLICES).outcome == BLOCK
    if lost == "the counts are missing":
        counts = {key: one for key, one in evidence.counts.items() if key != ("a", LARGE)}
        evidence = dataclasses.replace(evidence, counts=counts)
    else:
        run.results.slices[0].attacks[0].metrics[0].value.lower = math.nan
    policy = _thresholds(WHOLE_95 + SLICES_60 + " on_cannot_tell: BLESSED_WITH_WARNING")
    verdict = judge(run.results, evidence, policy)
    assert verdict.outcome == CANNOT_TELL
    assert not verdict.blessed
    assert verdict.reasons[0].startswith("CANNOT TELL: the limit of 0.6 on AUC in slices was held")
    assert "nothing follows" not in verdict.reasons[0]


def test_one_judged_record_is_too_few_for_a_slice(measurements) -> None:
    one = ScoreCounts(np.full(64, 30), np.eye(1, 64, dtype=np.int64)[0])
    run = _run(measurements, {SMALL: one})
    run.evidence.slice_rows[SMALL] = (2880, 300)
    run.results.slices[0].rows.nonmembers = 300
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert verdict.slice_findings[0].too_small
    assert verdict.outcome == PASS


def test_a_slice_of_one_side_is_too_small_to_judge(measurements) -> None:
    one_side = ScoreCounts(np.full(64, 100), np.zeros(64, np.int64))
    run = _run(measurements, {SMALL: one_side})
    run.evidence.slice_rows[SMALL] = (9600, 300)
    run.results.slices[0].rows.nonmembers = 300
    del run.results.slices[0].attacks[:]
    verdict = judge(run.results, run.evidence, BLOCKING_SLICES)
    assert verdict.slice_findings[0].too_small
    assert "fewer than two are left on one side to judge by" in verdict.slice_findings[0].reason
