"""By what policies a gate decided, and what it held a change against."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.verdict_controls import CONTROL_NAMES
from tfx_privacy.verdict.limits import is_on_change, is_on_slices

_ON_CANNOT_TELL = {
    thresholds_pb2.NOT_BLESSED: "not blessed",
    thresholds_pb2.BLESSED_WITH_WARNING: (
        "blessed with a warning where intervals are too wide and nothing else is wrong"
    ),
}
_ON_NO_BASELINE = {
    thresholds_pb2.SKIP_CHANGE: "limits on the change are skipped",
    thresholds_pb2.CANNOT_TELL_CHANGE: "CANNOT TELL",
}


def policy_facts(verdict: verdict_pb2.PrivacyVerdict) -> list[tuple[str, str]]:
    """Policies, as pairs of what they are about and what they say."""
    thresholds = verdict.thresholds
    facts = [
        ("At CANNOT TELL the model is", _ON_CANNOT_TELL.get(thresholds.on_cannot_tell, "")),
        ("Fewest records of the splits", _records(thresholds.minimum_records)),
        ("Required controls", ", ".join(map(_control_name, thresholds.required_controls))),
        ("Required attacks", ", ".join(thresholds.required_attacks)),
    ]
    if any(is_on_slices(threshold) for threshold in thresholds.thresholds):
        facts.append(("Fewest records of a slice", _records(thresholds.minimum_slice_records)))
    if any(is_on_change(threshold) for threshold in thresholds.thresholds):
        facts.append(("Without a baseline", _ON_NO_BASELINE.get(thresholds.on_no_baseline, "")))
    return [(about, said) for about, said in facts if said]


def baseline_facts(verdict: verdict_pb2.PrivacyVerdict) -> list[tuple[str, str]]:
    """What a change was held against; empty where nothing was limited on the change."""
    limited = any(is_on_change(threshold) for threshold in verdict.thresholds.thresholds)
    if not verdict.HasField("baseline"):
        return [("Baseline", "none was found")] if limited else []
    shared = verdict.baseline.shared_records
    if shared.members or shared.nonmembers:
        compared = (
            f"record by record, on {count_text(shared.members)} members and "
            f"{count_text(shared.nonmembers)} non-members of both"
        )
    else:
        compared = "unpaired: no record could be matched between the two measurements"
    facts = [
        ("Baseline's metrics", verdict.baseline.metrics_uri),
        ("Baseline's model", verdict.baseline.model_uri),
        ("Compared", compared),
    ]
    return [(about, said) for about, said in facts if said]


def _records(counts: thresholds_pb2.RecordCounts) -> str:
    if not counts.members and not counts.nonmembers:
        return ""
    return f"{count_text(counts.members)} members, {count_text(counts.nonmembers)} non-members"


def _control_name(control: config_pb2.Control.ValueType) -> str:
    return CONTROL_NAMES.get(control, "unknown").lower()
