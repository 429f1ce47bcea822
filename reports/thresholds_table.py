"""What the gate found about each threshold, as rows of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.measures import Measure, MeasuredText, measure_of, measured_text
from tfx_privacy.reports.numerals import about_text

OUTCOME_WORDS = {
    verdict_pb2.PASS: "PASS",
    verdict_pb2.BLOCK: "BLOCK",
    verdict_pb2.CANNOT_TELL: "CANNOT TELL",
}
_OUTCOME_STYLES = {
    verdict_pb2.PASS: "pass",
    verdict_pb2.BLOCK: "block",
    verdict_pb2.CANNOT_TELL: "tell",
}
_ROLE_WORDS = {thresholds_pb2.MUST_PASS: "must pass", thresholds_pb2.BLOCK_ONLY: "can only block"}


@dataclasses.dataclass(frozen=True)
class ThresholdRow:
    """One threshold and what was found.

    Attributes:
      measure: The metric that is limited.
      role: What the threshold can do, in words.
      must_pass: Whether that is the role that blessing needs.
      limit: The largest value allowed.
      value: What was measured; None where the metric was not.
      attack: The attack that decides.
      outcome: "PASS", "BLOCK" or "CANNOT TELL".
      style: "pass", "block" or "tell": colour and sign.
      records: Records that would decide, in words.
      reason: The finding in one sentence; empty where the verdict's reasons have it.
    """

    measure: Measure
    role: str
    must_pass: bool
    limit: str
    value: MeasuredText | None
    attack: str
    outcome: str
    style: str
    records: str
    reason: str


def outcome_text(outcome: verdict_pb2.Outcome.ValueType) -> str:
    """An outcome in capitals; one that is not set is no verdict."""
    return OUTCOME_WORDS.get(outcome, "NO VERDICT")


def outcome_style(outcome: verdict_pb2.Outcome.ValueType) -> str:
    """The name that the style sheet gives an outcome."""
    return _OUTCOME_STYLES.get(outcome, "tell")


def threshold_rows(verdict: verdict_pb2.PrivacyVerdict) -> list[ThresholdRow]:
    """One row a finding, in the order of the thresholds."""
    return [_row(finding, verdict.reasons) for finding in verdict.findings]


def _row(finding: verdict_pb2.Finding, reasons: Sequence[str]) -> ThresholdRow:
    threshold, value = finding.threshold, finding.value
    measure = measure_of(threshold.metric)
    is_measured = finding.HasField("value")
    return ThresholdRow(
        measure=measure,
        role=_ROLE_WORDS.get(threshold.role, "must pass"),
        must_pass=threshold.role != thresholds_pb2.BLOCK_ONLY,
        limit=measure.text(threshold.upper_limit),
        value=measured_text(measure, value, threshold.upper_limit) if is_measured else None,
        attack=finding.attack or "none",
        outcome=outcome_text(finding.outcome),
        style=outcome_style(finding.outcome),
        records=_records(finding),
        reason="" if finding.reason in reasons else finding.reason,
    )


def _records(finding: verdict_pb2.Finding) -> str:
    if finding.outcome != verdict_pb2.CANNOT_TELL:
        return "decided"
    if not finding.HasField("value"):
        return "more would not help"
    if finding.records_to_decide < 0:
        return "over 10 times those at hand"
    return about_text(finding.records_to_decide)
