"""What the gate found about each threshold, as rows of a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from tfx_privacy.metrics.slicing import SIGNAL_FEATURES
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.measures import (
    Measure,
    MeasuredText,
    change_limit_text,
    change_text,
    measure_of,
    measured_text,
    reckoned_text,
)
from tfx_privacy.reports.names import name_of
from tfx_privacy.reports.numerals import about_text, count_text
from tfx_privacy.verdict.limits import is_on_change, is_on_slices

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
WHOLE_SCOPE = "the whole"
_ROLE_WORDS = {thresholds_pb2.MUST_PASS: "must pass", thresholds_pb2.BLOCK_ONLY: "can only block"}


@dataclasses.dataclass(frozen=True)
class ThresholdRow:
    """One threshold and what was found.

    Attributes:
      measure: The metric that is limited.
      scope: Where it is limited: "the whole", "every slice", "slices by age".
      role: What the threshold can do, in words.
      must_pass: Whether that is the role that blessing needs.
      limit: What is allowed: "at most 0.55", "rise of at most 0.02".
      value: What was measured, or how much it differs from the baseline; None where
        there is neither.
      baseline: The baseline's value, for a change; else empty.
      notes: What else to know of the value: how it was compared, the slices judged.
      attack: The attack that decides.
      outcome: "PASS", "BLOCK", "CANNOT TELL", "NOT BLOCKED", "NOT JUDGED" or
        "SKIPPED".
      style: "pass", "block", "tell" or "skip": colour and sign.
      records: Records that would decide, in words.
      power: What it would have blocked, in words; empty where that is not known.
      cannot_fire: Whether no outcome of so many records could block.
      reason: The finding in one sentence, where the row does not say it all; else empty.
    """

    measure: Measure
    scope: str
    role: str
    must_pass: bool
    limit: str
    value: MeasuredText | None
    baseline: str
    notes: list[str]
    attack: str
    outcome: str
    style: str
    records: str
    power: str
    cannot_fire: bool
    reason: str


def outcome_text(outcome: verdict_pb2.Outcome.ValueType) -> str:
    """An outcome in capitals; one that is not set is no verdict."""
    return OUTCOME_WORDS.get(outcome, "NO VERDICT")


def finding_text(finding: verdict_pb2.Finding) -> str:
    """What came of a threshold: an outcome, or why there is none that counts."""
    if finding.too_small:
        return "too small to judge"
    if finding.skipped:
        return "SKIPPED"
    if _is_not_blocked(finding):
        return "NOT BLOCKED"
    if _is_without_slices(finding):
        return "NOT JUDGED"
    return outcome_text(finding.outcome)


def finding_style(finding: verdict_pb2.Finding) -> str:
    """The name that the style sheet gives what came of a threshold."""
    if finding.too_small or finding.skipped:
        return "skip"
    if _is_not_blocked(finding) or _is_without_slices(finding):
        return "skip"
    return outcome_style(finding.outcome)


def outcome_style(outcome: verdict_pb2.Outcome.ValueType) -> str:
    """The name that the style sheet gives an outcome."""
    return _OUTCOME_STYLES.get(outcome, "tell")


def threshold_rows(verdict: verdict_pb2.PrivacyVerdict) -> list[ThresholdRow]:
    """One row a finding, in the order of the thresholds."""
    return [_row(finding, verdict) for finding in verdict.findings]


def finding_value(finding: verdict_pb2.Finding) -> MeasuredText | None:
    """The value that decides, or its difference from the baseline's; None without one."""
    if not finding.HasField("value"):
        return None
    threshold = finding.threshold
    measure = measure_of(threshold.metric)
    if is_on_change(threshold):
        return change_text(measure, finding.value, threshold.change_limit)
    return measured_text(measure, finding.value, threshold.upper_limit)


def limit_text(threshold: thresholds_pb2.PrivacyThreshold) -> str:
    """What is allowed: "at most 0.55", "rise of at most 2 points"."""
    measure = measure_of(threshold.metric)
    if is_on_change(threshold):
        return f"rise of at most {change_limit_text(measure, threshold.change_limit)}"
    return f"at most {measure.text(threshold.upper_limit)}"


def slice_text(key: Iterable[results_pb2.SliceKey]) -> str:
    """A slice as text: "age = 4, sex = f"."""
    return ", ".join(f"{name_of(part.feature).short} = {name_of(part.value).short}" for part in key)


def power_text(finding: verdict_pb2.Finding) -> str:
    """What a threshold would have blocked, in words; empty where that is not known."""
    if finding.outcome == verdict_pb2.BLOCK or finding.skipped:
        return ""
    if finding.cannot_fire:
        return "cannot fire: so few records could not exceed this limit, whatever leaks"
    smallest = smallest_blocked_text(finding)
    if smallest == "none":
        return "no leak would have been blocked with 80% power"
    return f"would have blocked {smallest} or more with 80% power" if smallest else ""


def smallest_blocked_text(finding: verdict_pb2.Finding) -> str:
    """The smallest value that would have been blocked; empty where that is not known."""
    smallest = finding.smallest_blocked
    # 0 is what a field has that was not set; of a change nothing is reckoned.
    if smallest == 0 or math.isnan(smallest) or is_on_change(finding.threshold):
        return ""
    if math.isinf(smallest):
        return "none"
    return reckoned_text(measure_of(finding.threshold.metric), smallest)


def _row(finding: verdict_pb2.Finding, verdict: verdict_pb2.PrivacyVerdict) -> ThresholdRow:
    threshold = finding.threshold
    return ThresholdRow(
        measure=measure_of(threshold.metric),
        scope=_scope(threshold),
        role=_ROLE_WORDS.get(threshold.role, "must pass"),
        must_pass=threshold.role != thresholds_pb2.BLOCK_ONLY,
        limit=limit_text(threshold),
        value=finding_value(finding),
        baseline=_baseline(finding),
        notes=_notes(finding, verdict),
        attack=finding.attack or "none",
        outcome=finding_text(finding),
        style=finding_style(finding),
        records=_records(finding),
        power="" if "cannot fire" in finding.reason else power_text(finding),
        cannot_fire=finding.cannot_fire,
        reason=_reason(finding),
    )


def _scope(threshold: thresholds_pb2.PrivacyThreshold) -> str:
    if not is_on_slices(threshold):
        return WHOLE_SCOPE
    if not threshold.slicing_specs:
        return "every slice"
    return f"slices by {'; '.join(map(_spec_text, threshold.slicing_specs))}"


def _spec_text(spec: config_pb2.SlicingSpec) -> str:
    held = [
        f"{feature} = {spec.feature_values[feature]}" for feature in sorted(spec.feature_values)
    ]
    signals = [SIGNAL_FEATURES[signal] for signal in spec.signals]
    return " and ".join([*spec.feature_keys, *signals, *held])


def _baseline(finding: verdict_pb2.Finding) -> str:
    if not finding.HasField("baseline_value"):
        return ""
    return measured_text(measure_of(finding.threshold.metric), finding.baseline_value).with_interval


def _notes(finding: verdict_pb2.Finding, verdict: verdict_pb2.PrivacyVerdict) -> list[str]:
    notes = []
    if finding.HasField("baseline_value"):
        shared = verdict.baseline.shared_records
        together = shared.members + shared.nonmembers
        notes.append(f"paired on {count_text(together)} shared records" if together else "unpaired")
    if finding.slice:
        notes.append(f"in {slice_text(finding.slice)}")
    if finding.HasField("value"):
        members, nonmembers = finding.value.members, finding.value.nonmembers
        notes.append(f"{count_text(members)} members, {count_text(nonmembers)} non-members judged")
    if is_on_slices(finding.threshold):
        judged = f"{count_text(finding.slices_judged)} slices judged"
        notes.append(f"{judged}, {count_text(finding.slices_too_small)} too small to judge")
    return notes


def _is_not_blocked(finding: verdict_pb2.Finding) -> bool:
    """Whether a threshold that can only block did not: nothing is left to be told."""
    return (
        finding.threshold.role == thresholds_pb2.BLOCK_ONLY
        and finding.outcome == verdict_pb2.CANNOT_TELL
        and finding.HasField("value")
    )


def _is_without_slices(finding: verdict_pb2.Finding) -> bool:
    """Whether a threshold that can only block had no slice to be held against."""
    return (
        finding.threshold.role == thresholds_pb2.BLOCK_ONLY
        and is_on_slices(finding.threshold)
        and not finding.slice
        and not finding.HasField("value")
        and not finding.slices_judged
    )


def _reason(finding: verdict_pb2.Finding) -> str:
    if finding.HasField("value") and finding.outcome != verdict_pb2.CANNOT_TELL:
        return ""
    return finding.reason


def _records(finding: verdict_pb2.Finding) -> str:
    if finding.skipped or _is_without_slices(finding):
        return "not judged"
    if finding.outcome != verdict_pb2.CANNOT_TELL or _is_not_blocked(finding):
        return "decided"
    if not finding.HasField("value"):
        return "more would not help"
    if finding.records_to_decide < 0:
        return "over 10 times those at hand"
    return about_text(finding.records_to_decide)
