"""Findings as rows; expected texts are written by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.thresholds_table import threshold_rows

TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)


def _row(reasons=(), role=thresholds_pb2.MUST_PASS, **fields):
    finding = verdict_pb2.Finding(
        threshold=thresholds_pb2.PrivacyThreshold(metric=TPR_1, upper_limit=0.02, role=role),
        attack="loss",
        **fields,
    )
    (row,) = threshold_rows(verdict_pb2.PrivacyVerdict(findings=[finding], reasons=reasons))
    return row


def _value(estimate, lower, upper):
    return results_pb2.MeasuredValue(estimate=estimate, lower=lower, upper=upper, confidence=0.95)


def test_a_row_that_blocks():
    row = _row(outcome=verdict_pb2.BLOCK, value=_value(0.05, 0.031, 0.072), reason="Why.")
    assert (row.measure.title, row.limit, row.attack) == ("TPR at 1% FPR", "2%", "loss")
    assert (row.value.estimate, row.value.interval) == ("5.0%", "3.1% to 7.2%")
    assert (row.outcome, row.style, row.records, row.role) == (
        "BLOCK",
        "block",
        "decided",
        "must pass",
    )
    assert row.reason == "Why."


@pytest.mark.parametrize(
    ("records", "text"), [(11_873, "about 12,000"), (-1, "over 10 times those at hand")]
)
def test_records_that_would_decide(records, text):
    row = _row(
        outcome=verdict_pb2.CANNOT_TELL,
        value=_value(0.015, 0.009, 0.024),
        records_to_decide=records,
    )
    assert (row.outcome, row.records) == ("CANNOT TELL", text)


def test_more_records_do_not_help_where_nothing_was_measured():
    row = _row(outcome=verdict_pb2.CANNOT_TELL, records_to_decide=-1)
    assert row.value is None
    assert row.records == "more would not help"


def test_a_reason_that_the_verdict_gives_is_not_said_twice():
    row = _row(
        reasons=["Why."], outcome=verdict_pb2.PASS, value=_value(0.01, 0, 0.01), reason="Why."
    )
    assert row.reason == ""


def test_a_threshold_that_can_only_block_says_so():
    row = _row(
        role=thresholds_pb2.BLOCK_ONLY, outcome=verdict_pb2.PASS, value=_value(0.01, 0, 0.01)
    )
    assert (row.role, row.must_pass) == ("can only block", False)
