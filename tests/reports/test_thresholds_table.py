"""Findings as rows; expected texts are written by hand."""

from __future__ import annotations

import math

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.thresholds_table import threshold_rows

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)


def _limit(metric=TPR_1, upper_limit=0.02, role=thresholds_pb2.MUST_PASS, **fields):
    return thresholds_pb2.PrivacyThreshold(
        metric=metric, upper_limit=upper_limit, role=role, **fields
    )


def _rise(metric, change_limit):
    return thresholds_pb2.PrivacyThreshold(
        metric=metric, change_limit=change_limit, role=thresholds_pb2.MUST_PASS
    )


def _row(threshold=None, baseline=None, **fields):
    finding = verdict_pb2.Finding(threshold=threshold or _limit(), attack="loss", **fields)
    (row,) = threshold_rows(verdict_pb2.PrivacyVerdict(findings=[finding], baseline=baseline))
    return row


def _value(estimate, lower, upper):
    return results_pb2.MeasuredValue(
        estimate=estimate,
        lower=lower,
        upper=upper,
        confidence=0.95,
        members=20_000,
        nonmembers=10_000,
    )


def test_a_row_that_blocks():
    row = _row(
        outcome=verdict_pb2.BLOCK,
        value=_value(0.05, 0.031, 0.072),
        reason="Why.",
        smallest_blocked=0.03,
    )
    assert (row.measure.title, row.limit, row.attack) == ("TPR at 1% FPR", "at most 2%", "loss")
    assert (row.value.estimate, row.value.interval) == ("5.0%", "3.1% to 7.2%")
    assert row.notes == ["20,000 members, 10,000 non-members judged"]
    assert (row.outcome, row.style, row.records) == ("BLOCK", "block", "decided")
    assert (row.scope, row.role, row.must_pass) == ("the whole", "must pass", True)
    # The row says it all: what was measured, on how many records, by which attack.
    assert (row.reason, row.power) == ("", "")


@pytest.mark.parametrize(
    ("records", "text"), [(11_873, "about 12,000"), (-1, "over 10 times those at hand")]
)
def test_records_that_would_decide(records, text):
    row = _row(
        outcome=verdict_pb2.CANNOT_TELL,
        value=_value(0.015, 0.009, 0.024),
        records_to_decide=records,
        reason="Too wide.",
    )
    assert (row.outcome, row.style, row.records) == ("CANNOT TELL", "tell", text)
    assert row.reason == "Too wide."


def test_more_records_do_not_help_where_nothing_was_measured():
    row = _row(outcome=verdict_pb2.CANNOT_TELL, records_to_decide=-1, reason="No attack ran.")
    assert row.value is None
    assert (row.records, row.reason) == ("more would not help", "No attack ran.")


def test_a_threshold_that_can_only_block_says_so():
    threshold = _limit(role=thresholds_pb2.BLOCK_ONLY)
    row = _row(threshold, outcome=verdict_pb2.PASS, value=_value(0.01, 0, 0.01))
    assert (row.role, row.must_pass, row.outcome) == ("can only block", False, "PASS")


def test_what_can_only_block_and_did_not_asks_for_nothing_more():
    threshold = _limit(role=thresholds_pb2.BLOCK_ONLY)
    row = _row(
        threshold,
        outcome=verdict_pb2.CANNOT_TELL,
        value=_value(0.015, 0.009, 0.024),
        records_to_decide=11_873,
    )
    assert (row.outcome, row.style, row.records) == ("NOT BLOCKED", "skip", "decided")


@pytest.mark.parametrize(
    ("threshold", "smallest", "text"),
    [
        (_limit(), 0.0274, "would have blocked 2.7% or more with 80% power"),
        (_limit(AUC, 0.55), 0.5641, "would have blocked 0.564 or more with 80% power"),
        (_limit(), math.inf, "no leak would have been blocked with 80% power"),
        (_limit(), 0.0, ""),
    ],
)
def test_what_would_have_been_blocked(threshold, smallest, text):
    fields = {"value": _value(0.01, 0, 0.01), "smallest_blocked": smallest}
    assert _row(threshold, outcome=verdict_pb2.PASS, **fields).power == text


def test_a_limit_on_epsilon_has_no_interval_and_says_that_it_cannot_fire():
    row = _row(
        _limit(EPSILON, 12.0, thresholds_pb2.BLOCK_ONLY),
        outcome=verdict_pb2.CANNOT_TELL,
        value=_value(0.418, 0.418, math.inf),
        cannot_fire=True,
        smallest_blocked=math.inf,
    )
    assert (row.limit, row.value.with_interval) == ("at most 12", ">= 0.41")
    assert row.cannot_fire
    assert row.power == "cannot fire: so few records could not exceed this limit, whatever leaks"


def test_a_change_has_the_baselines_value_and_how_it_was_compared():
    baseline = verdict_pb2.Baseline(
        shared_records=results_pb2.SideCounts(members=9_000, nonmembers=4_000)
    )
    fields = {
        "outcome": verdict_pb2.BLOCK,
        "value": _value(0.044, 0.034, 0.054),
        "baseline_value": _value(0.497, 0.49, 0.504),
    }
    row = _row(_rise(AUC, 0.02), baseline, **fields)
    assert row.limit == "rise of at most 0.02"
    assert row.value.with_interval == "+0.044 (+0.034 to +0.054)"
    assert row.baseline == "0.497 (0.490 to 0.504)"
    assert row.notes[0] == "paired on 13,000 shared records"
    assert _row(_rise(AUC, 0.02), verdict_pb2.Baseline(), **fields).notes[0] == "unpaired"


def test_a_rise_of_a_rate_is_limited_in_points():
    assert _row(_rise(TPR_1, 0.01)).limit == "rise of at most 1 point"
    assert _row(_rise(TPR_1, 0.02)).limit == "rise of at most 2 points"


def test_a_threshold_without_a_baseline_is_skipped_and_not_undecided():
    row = _row(
        _rise(AUC, 0.02), outcome=verdict_pb2.CANNOT_TELL, skipped=True, reason="No baseline."
    )
    assert (row.outcome, row.style, row.records) == ("SKIPPED", "skip", "not judged")
    assert (row.power, row.reason) == ("", "No baseline.")


def test_a_threshold_on_slices_names_the_one_that_decides_and_counts_the_others():
    row = _row(
        _limit(AUC, 0.6, thresholds_pb2.BLOCK_ONLY, scope=thresholds_pb2.EVERY_SLICE),
        outcome=verdict_pb2.BLOCK,
        value=_value(0.66, 0.64, 0.68),
        slice=[results_pb2.SliceKey(feature="age", value="4")],
        slices_judged=63,
        slices_too_small=1,
    )
    assert row.scope == "every slice"
    assert row.notes == [
        "in age = 4",
        "20,000 members, 10,000 non-members judged",
        "63 slices judged, 1 too small to judge",
    ]


def test_a_threshold_on_some_slices_names_their_features():
    specs = [
        config_pb2.SlicingSpec(feature_keys=["age", "sex"]),
        config_pb2.SlicingSpec(feature_keys=["age"], feature_values={"city": "Rome"}),
    ]
    threshold = _limit(AUC, 0.6, scope=thresholds_pb2.EVERY_SLICE, slicing_specs=specs)
    assert _row(threshold).scope == "slices by age and sex; age and city = Rome"


def test_a_threshold_on_slices_without_any_was_not_judged():
    row = _row(
        _limit(AUC, 0.6, thresholds_pb2.BLOCK_ONLY, scope=thresholds_pb2.EVERY_SLICE),
        outcome=verdict_pb2.CANNOT_TELL,
        reason="No slice was measured.",
    )
    assert (row.outcome, row.style, row.records) == ("NOT JUDGED", "skip", "not judged")
    assert row.reason == "No slice was measured."
