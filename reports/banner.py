"""The verdict at the head of the gate's page."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.thresholds_table import outcome_style, outcome_text

_MEANINGS = {
    verdict_pb2.PASS: "The attacks that ran do not exceed the limits.",
    verdict_pb2.BLOCK: "An attack exceeds a limit.",
    verdict_pb2.CANNOT_TELL: (
        "The evidence shows neither that the limits are kept nor that they are exceeded."
    ),
}


# Where one of these fails, no number of the measurement counts.
_DECISIVE = {config_pb2.BLIND_BASELINE, config_pb2.NEGATIVE_CONTROL}


@dataclasses.dataclass(frozen=True)
class Banner:
    """What the gate decided.

    Attributes:
      style: "pass", "block" or "tell": colour and sign.
      outcome: "PASS", "BLOCK" or "CANNOT TELL".
      meaning: The outcome in a sentence.
      blessing: Whether the model is blessed, and what that means.
      is_blessed: The same as a fact.
      quality: What was given of the Evaluator's blessing; empty where nothing was.
      reasons: Why, the deciding ones first; without those that tables below it have.
      findings_count: False where a control failed without which no finding counts.
    """

    style: str
    outcome: str
    meaning: str
    blessing: str
    is_blessed: bool
    quality: str
    reasons: list[str]
    findings_count: bool


def banner_of(verdict: verdict_pb2.PrivacyVerdict) -> Banner:
    """The banner for a verdict."""
    return Banner(
        style=outcome_style(verdict.outcome),
        outcome=outcome_text(verdict.outcome),
        meaning=_meaning(verdict),
        blessing=blessing_text(verdict),
        is_blessed=verdict.blessed,
        quality=quality_text(verdict),
        reasons=[reason for reason in verdict.reasons if not _is_told_below(reason, verdict)],
        findings_count=not _is_distrusted(verdict),
    )


def _meaning(verdict: verdict_pb2.PrivacyVerdict) -> str:
    if _is_distrusted(verdict):
        return "The measurement itself cannot be trusted: a control failed."
    if verdict.outcome == verdict_pb2.PASS and _nothing_had_to_pass(verdict):
        return "Nothing was held against a limit yet: there is no baseline to count a change from."
    return _MEANINGS.get(verdict.outcome, "Nothing was decided.")


def _nothing_had_to_pass(verdict: verdict_pb2.PrivacyVerdict) -> bool:
    """Whether every limit that must pass is on a change, and was skipped."""
    must_pass = [
        finding
        for finding in verdict.findings
        if finding.threshold.role != thresholds_pb2.BLOCK_ONLY
    ]
    return bool(must_pass) and all(finding.skipped for finding in must_pass)


def _is_distrusted(verdict: verdict_pb2.PrivacyVerdict) -> bool:
    return any(
        entry.outcome == verdict_pb2.CONTROL_FAILED and entry.control in _DECISIVE
        for entry in verdict.controls
    )


def _is_told_below(reason: str, verdict: verdict_pb2.PrivacyVerdict) -> bool:
    """Whether a reason is that of a finding or a control that does not decide."""
    if any(reason == finding.reason for finding in verdict.findings):
        return not any(
            reason == finding.reason and _decides(finding, verdict) for finding in verdict.findings
        )
    return any(
        entry.outcome == verdict_pb2.CONTROL_PASSED and entry.reason and entry.reason in reason
        for entry in verdict.controls
    )


def _decides(finding: verdict_pb2.Finding, verdict: verdict_pb2.PrivacyVerdict) -> bool:
    if _is_distrusted(verdict) or finding.outcome != verdict.outcome or finding.skipped:
        return False
    return (
        finding.outcome == verdict_pb2.BLOCK or finding.threshold.role == thresholds_pb2.MUST_PASS
    )


def blessing_text(verdict: verdict_pb2.PrivacyVerdict) -> str:
    """Whether the model is blessed, in a sentence."""
    if verdict.blessed and verdict.blessed_with_warning:
        return (
            "Blessed with a warning: nothing is wrong but intervals that are too wide, "
            "and the gate's policy blesses such a model."
        )
    if verdict.blessed:
        return "Blessed: the model may be pushed."
    if verdict.outcome == verdict_pb2.PASS and verdict.HasField("quality_blessed"):
        return (
            "Not blessed: the privacy limits are kept, but the Evaluator did not bless the model."
        )
    return "Not blessed: the model is not to be pushed."


def quality_text(verdict: verdict_pb2.PrivacyVerdict) -> str:
    """What the Evaluator said of the model's quality; empty where it was not asked."""
    if not verdict.HasField("quality_blessed"):
        return ""
    said = "blessed" if verdict.quality_blessed else "did not bless"
    return f"The Evaluator {said} the model's quality."
