"""What decides beside the limits in sentences, for a reader without statistics."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.numerals import rows_text

_CONTROLS = {
    config_pb2.BLIND_BASELINE: "blind baseline",
    config_pb2.NEGATIVE_CONTROL: "negative control",
    config_pb2.POSITIVE_CONTROL: "positive control",
    config_pb2.DUPLICATES: "check of duplicates",
}
_WOULD_SETTLE = {
    config_pb2.BLIND_BASELINE: (
        "What would settle it: training and other records from one population, split by chance "
        "(a hash, not time or place). More records would not."
    ),
    config_pb2.NEGATIVE_CONTROL: (
        "The fault is in the measurement, not in the model; no number here can be trusted until "
        "it is found. More records would not settle it."
    ),
    config_pb2.POSITIVE_CONTROL: (
        "An attack that does not find a leak that is there cannot show that there is none."
    ),
}


def control_voids(control: verdict_pb2.ControlFinding) -> str:
    """That a control shows the measurement to be wrong."""
    return (
        f"CANNOT TELL: the {_CONTROLS[control.control]} failed. {control.reason} "
        f"{_WOULD_SETTLE.get(control.control, '')}"
    ).rstrip()


def control_forbids(control: verdict_pb2.ControlFinding) -> str:
    """That nothing passes without a control."""
    name = _CONTROLS[control.control]
    if control.outcome == verdict_pb2.CONTROL_NOT_RUN:
        return f"CANNOT TELL: the {name} is required and showed nothing. {control.reason}"
    return (
        f"CANNOT TELL: the {name} failed. {control.reason} {_WOULD_SETTLE.get(control.control, '')}"
    ).rstrip()


def control(finding: verdict_pb2.ControlFinding) -> str:
    """What came of a control that does not decide."""
    if finding.outcome == verdict_pb2.CONTROL_NOT_RUN:
        return finding.reason
    passed = "passed" if finding.outcome == verdict_pb2.CONTROL_PASSED else "failed"
    return f"{_CONTROLS[finding.control].capitalize()} {passed}: {finding.reason}"


def attack_missing(attack: str, why: str) -> str:
    """That an attack that has to run did not."""
    because = f"; it {why.rstrip('.')}" if why else ""
    return f"CANNOT TELL: the attack '{attack}' is required and did not run{because}."


def too_few_records(read: results_pb2.SideCounts, least: thresholds_pb2.RecordCounts) -> str:
    """That there are fewer records than the policy asks for."""
    return (
        f"CANNOT TELL: the splits have {rows_text(read.members, read.nonmembers)}; the policy "
        f"asks for at least {least.members:,} and {least.nonmembers:,}."
    )


def no_baseline() -> str:
    """That the policy asks for a baseline, and there is none."""
    return (
        "CANNOT TELL: there is no baseline that the change could be counted from, and the policy "
        "is CANNOT_TELL_CHANGE."
    )


def nothing_must_pass() -> str:
    """Why a gate whose thresholds can only block has nothing to show."""
    return (
        "CANNOT TELL: no threshold has the role MUST_PASS, so there is none that the model could "
        "be shown to keep; those there are can only block, and did not."
    )


def nothing_but_change() -> str:
    """That a gate that limits the change alone shows nothing of a first model."""
    return (
        "Nothing was held against a limit: every MUST_PASS threshold is on the change, and there "
        "is no baseline yet. A threshold with an upper_limit would limit a first model too."
    )


def all_scores_equal() -> str:
    """That the attacks told nothing apart, not even rows of one side."""
    return (
        "CANNOT TELL: every attack gave every record the same score. That is what a broken "
        "measurement looks like; expected scores that differ between records."
    )


def no_attack_ran() -> str:
    """That a first model was not even measured."""
    return "CANNOT TELL: no attack ran, so there would be nothing to count a later change from."


def blessed_with_warning() -> str:
    """That the policy blesses what could not be decided."""
    return (
        "Blessed with a warning: nothing is wrong but that there are too few records to tell, "
        "and the policy is BLESSED_WITH_WARNING."
    )


def policy_does_not_apply() -> str:
    """That the policy does not bless: more records would settle nothing."""
    return (
        "Not blessed: the policy BLESSED_WITH_WARNING holds only where there are MUST_PASS "
        "thresholds, and nothing is wrong but that there are too few records to tell."
    )


def quality_refused() -> str:
    """That the Evaluator did not bless, whatever privacy says."""
    return "Not blessed: the Evaluator did not bless the model's quality."


def skipped(attack: str, reason: str) -> str:
    """That an attack did not run."""
    return f"Not judged: the attack '{attack}' did not run; it {reason.rstrip('.')}."
