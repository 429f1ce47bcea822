"""What came of the controls, by the gate's limits or by the default ones."""

from __future__ import annotations

import dataclasses

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
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.limits import DEFAULT_LIMITS

_AUC_LIMIT = next(limit for metric, limit in DEFAULT_LIMITS if metric == Auc())

_OUTCOMES = {
    verdict_pb2.CONTROL_PASSED: ControlOutcome.PASSED,
    verdict_pb2.CONTROL_FAILED: ControlOutcome.FAILED,
    verdict_pb2.CONTROL_NOT_RUN: ControlOutcome.NOT_RUN,
}


@dataclasses.dataclass(frozen=True)
class ControlFindings:
    """What came of each control."""

    blind_baseline: ControlFinding
    negative: ControlFinding
    positive: ControlFinding
    duplicates: ControlFinding


def judge_controls(results: results_pb2.PrivacyResults, evidence: Evidence) -> ControlFindings:
    """The controls held against the limits of a gate without limits of its own."""
    controls = results.controls
    return ControlFindings(
        blind_baseline=judge_blind_baseline(controls.blind_baseline, evidence, DEFAULT_LIMITS),
        negative=judge_negative(controls.negative, evidence, DEFAULT_LIMITS),
        positive=judge_positive(controls.positive, evidence, _AUC_LIMIT),
        duplicates=judge_duplicates(results.records),
    )


def controls_of(
    verdict: verdict_pb2.PrivacyVerdict,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> ControlFindings:
    """The controls as a gate judged them; by the default limits where it did not."""
    found = {entry.control: entry for entry in verdict.controls}
    judged = judge_controls(results, evidence)

    def of(control: config_pb2.Control.ValueType, default: ControlFinding) -> ControlFinding:
        if control not in found:
            return default
        return ControlFinding(
            _OUTCOMES.get(found[control].outcome, ControlOutcome.NOT_RUN), found[control].reason
        )

    return ControlFindings(
        blind_baseline=of(config_pb2.BLIND_BASELINE, judged.blind_baseline),
        negative=of(config_pb2.NEGATIVE_CONTROL, judged.negative),
        positive=of(config_pb2.POSITIVE_CONTROL, judged.positive),
        duplicates=of(config_pb2.DUPLICATES, judged.duplicates),
    )
