"""What came of the controls, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable

from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.controls import (
    ControlFinding,
    ControlOutcome,
    judge_blind_baseline,
    judge_duplicates,
    judge_negative,
    judge_positive,
)
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.limits import DEFAULT_LIMITS, whole_limits

# Where one of these fails the numbers mean nothing, those that would block included.
_BEFORE_ANY_LIMIT = (config_pb2.BLIND_BASELINE, config_pb2.NEGATIVE_CONTROL)

_OUTCOMES = {
    ControlOutcome.PASSED: verdict_pb2.CONTROL_PASSED,
    ControlOutcome.FAILED: verdict_pb2.CONTROL_FAILED,
    ControlOutcome.NOT_RUN: verdict_pb2.CONTROL_NOT_RUN,
}


def judge_controls(
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    thresholds: thresholds_pb2.PrivacyThresholds,
) -> list[verdict_pb2.ControlFinding]:
    """Judges every control by the limits that the whole must pass.

    Args:
      results: What was measured.
      evidence: The counts behind it.
      thresholds: Resolved.
    """
    limits = whole_limits(thresholds)
    auc_limit = next(
        limit for metric, limit in (*limits, *DEFAULT_LIMITS) if isinstance(metric, Auc)
    )
    ran = results.controls
    found = {
        config_pb2.BLIND_BASELINE: judge_blind_baseline(ran.blind_baseline, evidence, limits),
        config_pb2.NEGATIVE_CONTROL: judge_negative(ran.negative, evidence, limits),
        config_pb2.POSITIVE_CONTROL: judge_positive(ran.positive, evidence, auc_limit),
        config_pb2.DUPLICATES: judge_duplicates(results.records),
    }
    required = set(thresholds.required_controls)
    return [_finding(control, one, control in required) for control, one in found.items()]


def that_void_everything(
    controls: Iterable[verdict_pb2.ControlFinding],
) -> list[verdict_pb2.ControlFinding]:
    """The failed controls after which no number can be trusted."""
    return [
        one
        for one in controls
        if one.outcome == verdict_pb2.CONTROL_FAILED and one.control in _BEFORE_ANY_LIMIT
    ]


def that_forbid_a_pass(
    controls: Iterable[verdict_pb2.ControlFinding],
) -> list[verdict_pb2.ControlFinding]:
    """The controls, beside those that void everything, without which nothing can pass."""
    return [
        one
        for one in controls
        if (one.outcome == verdict_pb2.CONTROL_FAILED and one.control not in _BEFORE_ANY_LIMIT)
        or (one.outcome == verdict_pb2.CONTROL_NOT_RUN and one.required)
    ]


def _finding(
    control: config_pb2.Control.ValueType, found: ControlFinding, required: bool
) -> verdict_pb2.ControlFinding:
    return verdict_pb2.ControlFinding(
        control=control,
        outcome=_OUTCOMES[found.outcome],
        reason=found.reason,
        required=required,
    )
