"""What the gate found of the controls, as rows of a table."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2

CONTROL_NAMES = {
    config_pb2.BLIND_BASELINE: "Blind baseline",
    config_pb2.NEGATIVE_CONTROL: "Negative control",
    config_pb2.POSITIVE_CONTROL: "Positive control",
    config_pb2.DUPLICATES: "Duplicates",
}
_OUTCOMES = {
    verdict_pb2.CONTROL_PASSED: ("passed", "pass"),
    verdict_pb2.CONTROL_FAILED: ("failed", "block"),
    verdict_pb2.CONTROL_NOT_RUN: ("not run", "tell"),
}


@dataclasses.dataclass(frozen=True)
class ControlRow:
    """One control.

    Attributes:
      name: "Blind baseline".
      role: "required", or empty.
      outcome: "passed", "failed" or "not run".
      style: "pass", "block" or "tell": colour and sign.
      reason: Why.
    """

    name: str
    role: str
    outcome: str
    style: str
    reason: str


def control_rows(verdict: verdict_pb2.PrivacyVerdict) -> list[ControlRow]:
    """One row a control, in the order of the verdict."""
    return [_row(entry) for entry in verdict.controls]


def _row(entry: verdict_pb2.ControlFinding) -> ControlRow:
    outcome, style = _OUTCOMES.get(entry.outcome, ("not known", "tell"))
    return ControlRow(
        name=CONTROL_NAMES.get(entry.control, "Unknown control"),
        role="required" if entry.required else "",
        outcome=outcome,
        style=style,
        reason=entry.reason,
    )
