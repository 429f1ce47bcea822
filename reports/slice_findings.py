"""What the gate found of each slice, blocked ones first."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.measures import Measure, MeasuredText, measure_of
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.thresholds_table import (
    finding_style,
    finding_text,
    finding_value,
    limit_text,
    slice_text,
    smallest_blocked_text,
)

_MOST_ROWS = 50


@dataclasses.dataclass(frozen=True)
class SliceFindingRow:
    """One slice held against one threshold.

    Attributes:
      key: Features and values.
      text: The same as one text.
      measure: The metric that is limited.
      limit: What is allowed.
      value: What was measured; None where nothing was.
      members: Judged members behind it, as text; empty where nothing was measured.
      nonmembers: Judged non-members.
      outcome: "BLOCK", "PASS", "NOT BLOCKED", "CANNOT TELL" or "too small to judge".
      style: "pass", "block", "tell" or "skip".
      smallest_blocked: What would have been blocked; empty where that is not known.
    """

    key: list[tuple[Name, Name]]
    text: str
    measure: Measure
    limit: str
    value: MeasuredText | None
    members: str
    nonmembers: str
    outcome: str
    style: str
    smallest_blocked: str


@dataclasses.dataclass(frozen=True)
class SliceFindings:
    """What is shown of the slices' findings, and how many more there are.

    Attributes:
      summary: How many slices were judged, and what came of them, in sentences.
      rows: Blocked ones first, by the smallest p-value; then the others judged, by the
        largest upper bound; then those too small.
      not_shown: How many more there are.
    """

    summary: list[str]
    rows: list[SliceFindingRow]
    not_shown: int


def slice_findings(
    verdict: verdict_pb2.PrivacyVerdict, most: int = _MOST_ROWS
) -> SliceFindings | None:
    """The slices' findings.

    Args:
      verdict: What was decided.
      most: So many rows are shown at most.

    Returns:
      None where no threshold is for slices.
    """
    found = sorted(verdict.slice_findings, key=_order)
    if not found:
        return None
    rows = [_row(finding) for finding in found[:most]]
    return SliceFindings(_summary(found), rows, len(found) - len(rows))


def _order(finding: verdict_pb2.Finding) -> tuple[int, float, float]:
    if finding.outcome == verdict_pb2.BLOCK:
        return 0, finding.p_value, -finding.value.lower
    if finding.too_small:
        return 3, 0.0, 0.0
    if not finding.HasField("value"):
        return 2, 0.0, 0.0
    upper = finding.value.upper if math.isfinite(finding.value.upper) else finding.value.lower
    return 1, -upper, 0.0


def _summary(found: Sequence[verdict_pb2.Finding]) -> list[str]:
    judged = _slices([finding for finding in found if not finding.too_small])
    small = _slices([finding for finding in found if finding.too_small])
    blocked = _slices([finding for finding in found if finding.outcome == verdict_pb2.BLOCK])
    sentences = [
        f"{_number(judged)} judged: "
        + (f"{count_text(blocked)} above a limit." if blocked else "none is shown above its limit.")
    ]
    if small:
        sentences.append(
            f"{_number(small)} too small to judge: nothing can be said about "
            f"{'it' if small == 1 else 'them'}, least of all that "
            f"{'it is' if small == 1 else 'they are'} safe."
        )
    worst = _worst(found)
    if worst is not None:
        sentences.append(worst)
    return sentences


def _worst(found: Sequence[verdict_pb2.Finding]) -> str | None:
    """The slice whose value may be largest, by the metric that most of this is about."""
    shown = [finding for finding in found if not finding.too_small and finding.HasField("value")]
    if not shown:
        return None
    metric = shown[0].threshold.metric
    same = [
        finding
        for finding in shown
        if finding.threshold.metric == metric and math.isfinite(finding.value.upper)
    ]
    if not same:
        return None
    worst = max(same, key=lambda finding: finding.value.upper)
    value = finding_value(worst)
    assert value is not None, "only findings with a value are compared"
    return (
        f"The slice that may leak most: {slice_text(worst.slice)}, with {measure_of(metric).title} "
        f"{value.with_interval}, so at most {value.upper}."
    )


def _slices(findings: Sequence[verdict_pb2.Finding]) -> int:
    # A slice stands once for each threshold.
    return len({tuple((part.feature, part.value) for part in entry.slice) for entry in findings})


def _number(slices: int) -> str:
    return f"{count_text(slices)} {'slice' if slices == 1 else 'slices'}"


def _row(finding: verdict_pb2.Finding) -> SliceFindingRow:
    value = finding.value if finding.HasField("value") else None
    return SliceFindingRow(
        key=[(name_of(part.feature), name_of(part.value)) for part in finding.slice],
        text=slice_text(finding.slice),
        measure=measure_of(finding.threshold.metric),
        limit=limit_text(finding.threshold),
        value=finding_value(finding),
        members="" if value is None else count_text(value.members),
        nonmembers="" if value is None else count_text(value.nonmembers),
        outcome=finding_text(finding),
        style=finding_style(finding),
        smallest_blocked="" if finding.too_small else smallest_blocked_text(finding),
    )
