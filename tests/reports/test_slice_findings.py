"""Which findings on slices are shown, in which order; expected texts are written by hand."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.slice_findings import slice_findings

AUC = config_pb2.MetricSpec(name="auc")
THRESHOLD = thresholds_pb2.PrivacyThreshold(
    metric=AUC,
    upper_limit=0.6,
    role=thresholds_pb2.BLOCK_ONLY,
    scope=thresholds_pb2.EVERY_SLICE,
)


def _finding(age, auc, outcome=verdict_pb2.PASS, threshold=THRESHOLD, **fields):
    value = results_pb2.MeasuredValue(
        estimate=auc,
        lower=auc - 0.02,
        upper=auc + 0.02,
        confidence=0.95,
        members=1_610,
        nonmembers=790,
    )
    return verdict_pb2.Finding(
        threshold=threshold,
        outcome=outcome,
        value=value,
        slice=[results_pb2.SliceKey(feature="age", value=age)],
        **fields,
    )


def _small(age):
    return verdict_pb2.Finding(
        threshold=THRESHOLD,
        outcome=verdict_pb2.CANNOT_TELL,
        too_small=True,
        slice=[results_pb2.SliceKey(feature="age", value=age)],
    )


def _shown(*findings, **kwargs):
    return slice_findings(verdict_pb2.PrivacyVerdict(slice_findings=findings), **kwargs)


def test_without_thresholds_on_slices_there_is_nothing_to_show():
    assert _shown() is None


def test_blocked_slices_come_first_and_those_too_small_last():
    shown = _shown(
        _small("1"),
        _finding("2", 0.52),
        _finding("3", 0.56),
        _finding("4", 0.65, verdict_pb2.BLOCK, p_value=1e-4),
        _finding("5", 0.63, verdict_pb2.BLOCK, p_value=1e-9),
    )
    assert [row.text for row in shown.rows] == [f"age = {age}" for age in "54321"]
    assert [row.outcome for row in shown.rows] == [
        "BLOCK",
        "BLOCK",
        "PASS",
        "PASS",
        "too small to judge",
    ]
    assert [row.style for row in shown.rows] == ["block", "block", "pass", "pass", "skip"]


def test_a_row_has_value_records_and_what_would_have_been_blocked():
    row = _shown(_finding("2", 0.52, smallest_blocked=0.6312)).rows[0]
    assert (row.measure.title, row.limit) == ("AUC", "at most 0.6")
    assert row.value.with_interval == "0.520 (0.500 to 0.540)"
    assert (row.members, row.nonmembers, row.smallest_blocked) == ("1,610", "790", "0.631")


def test_an_undecided_slice_is_not_blocked_and_not_called_anything_else():
    row = _shown(_finding("2", 0.59, verdict_pb2.CANNOT_TELL)).rows[0]
    assert (row.outcome, row.style) == ("NOT BLOCKED", "skip")


def test_the_summary_counts_slices_and_names_the_worst():
    shown = _shown(
        _small("1"),
        _finding("2", 0.52),
        _finding("5", 0.63, verdict_pb2.BLOCK, p_value=1e-9),
        _small("6"),
    )
    assert shown.summary == [
        "2 slices judged: 1 above a limit.",
        "2 slices too small to judge: nothing can be said about them, least of all that they are "
        "safe.",
        "The slice that may leak most: age = 5, with AUC 0.630 (0.610 to 0.650), so at most 0.650.",
    ]


def test_a_slice_under_two_limits_is_one_slice():
    stricter = thresholds_pb2.PrivacyThreshold(
        metric=config_pb2.MetricSpec(name="advantage"),
        upper_limit=0.2,
        role=thresholds_pb2.BLOCK_ONLY,
        scope=thresholds_pb2.EVERY_SLICE,
    )
    shown = _shown(_finding("2", 0.52), _finding("2", 0.12, threshold=stricter))
    assert shown.summary[0] == "1 slice judged: none is shown above its limit."


def test_a_slice_bounded_from_below_alone_names_no_worst_one():
    epsilon = thresholds_pb2.PrivacyThreshold(
        metric=config_pb2.MetricSpec(name="epsilon", delta=0.0),
        upper_limit=1.0,
        role=thresholds_pb2.BLOCK_ONLY,
        scope=thresholds_pb2.EVERY_SLICE,
    )
    finding = _finding("2", 0.52, verdict_pb2.CANNOT_TELL, epsilon)
    finding.value.upper = float("inf")
    shown = _shown(finding)
    assert shown.rows[0].value.with_interval == ">= 0.50"
    assert shown.summary == ["1 slice judged: none is shown above its limit."]


def test_of_many_findings_fifty_are_shown_and_the_rest_counted():
    findings = [_finding(str(index), 0.5 + index / 10_000) for index in range(700)]
    shown = _shown(*findings)
    assert (len(shown.rows), shown.not_shown) == (50, 650)
    assert shown.rows[0].text == "age = 699"
    assert len(_shown(*findings, most=10).rows) == 10


def test_long_names_are_shortened():
    row = _shown(_finding("x" * 10_000, 0.52)).rows[0]
    assert row.text == f"age = {'x' * 60}…{'x' * 12}"
