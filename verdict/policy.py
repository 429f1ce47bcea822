"""From findings to one outcome, and from that to a blessing."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.controls import that_void_everything


class Blessing(enum.Enum):
    """What privacy says of a model; the Evaluator may still refuse it."""

    BLESSED = "blessed"
    WITH_WARNING = "blessed with a warning"
    REFUSED = "refused"


def outcome_of(
    findings: Sequence[verdict_pb2.Finding],
    controls: Sequence[verdict_pb2.ControlFinding],
    unmet: Sequence[str],
) -> verdict_pb2.Outcome.ValueType:
    """The verdict, by the first of these that holds.

    1. The blind baseline or the negative control failed: CANNOT_TELL, for no number
       can be trusted.
    2. A threshold blocks: BLOCK.
    3. Something that the policy asks for is missing, numbers of a limit that can only
       block are lost, or an attack missed what was planted: CANNOT_TELL.
    4. There are MUST_PASS thresholds, and all pass but those on the change that were
       skipped for want of a baseline: PASS. That holds even if all were skipped, else
       no model could be the first.
    5. CANNOT_TELL.

    Args:
      findings: One for each threshold.
      controls: One for each control.
      unmet: Why nothing can pass whatever the limits say.
    """
    if that_void_everything(controls):
        return verdict_pb2.CANNOT_TELL
    if any(finding.outcome == verdict_pb2.BLOCK for finding in findings):
        return verdict_pb2.BLOCK
    counting = must_pass(findings)
    passed = all(finding.outcome == verdict_pb2.PASS for finding in counting)
    if (counting or skipped(findings)) and passed and not unmet:
        return verdict_pb2.PASS
    return verdict_pb2.CANNOT_TELL


def blessing_of(verdict: verdict_pb2.PrivacyVerdict, unmet: Sequence[str]) -> Blessing:
    """Whether privacy blesses: a PASS, or by policy where intervals are too wide.

    The policy holds where that is all that is wrong: no control failed, nothing that
    is asked for is missing, and there are MUST_PASS thresholds, all of whose undecided
    ones more records would settle.
    """
    if verdict.outcome == verdict_pb2.PASS:
        return Blessing.BLESSED
    undecided = [
        finding
        for finding in must_pass(verdict.findings)
        if finding.outcome == verdict_pb2.CANNOT_TELL
    ]
    by_policy = (
        verdict.outcome == verdict_pb2.CANNOT_TELL
        and verdict.thresholds.on_cannot_tell == thresholds_pb2.BLESSED_WITH_WARNING
        and not that_void_everything(verdict.controls)
        and not unmet
        # Without one there is nothing that more records would settle.
        and len(undecided) > 0
        and all(finding.interval_too_wide for finding in undecided)
    )
    return Blessing.WITH_WARNING if by_policy else Blessing.REFUSED


def skipped(findings: Sequence[verdict_pb2.Finding]) -> list[verdict_pb2.Finding]:
    """The findings that would have to be PASS, skipped for want of a baseline."""
    return [
        finding
        for finding in findings
        if finding.threshold.role == thresholds_pb2.MUST_PASS and finding.skipped
    ]


def must_pass(findings: Sequence[verdict_pb2.Finding]) -> list[verdict_pb2.Finding]:
    """The findings that have to be PASS; not those skipped for want of a baseline."""
    return [
        finding
        for finding in findings
        if finding.threshold.role == thresholds_pb2.MUST_PASS and not finding.skipped
    ]
