"""What a policy asks for beside the limits, and the measurement lacks."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.metrics.counts import WHOLE, Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict import policy_words
from tfx_privacy.verdict.controls import that_forbid_a_pass
from tfx_privacy.verdict.policy import must_pass, skipped


def unmet(
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    thresholds: thresholds_pb2.PrivacyThresholds,
    findings: Sequence[verdict_pb2.Finding],
    controls: Sequence[verdict_pb2.ControlFinding],
) -> list[str]:
    """Why nothing can pass whatever the limits say, one sentence each.

    Args:
      results: What was measured.
      evidence: The counts behind it.
      thresholds: Resolved.
      findings: One for each threshold.
      controls: One for each control.
    """
    reasons = [policy_words.control_forbids(control) for control in that_forbid_a_pass(controls)]
    reasons.extend(_missing_attacks(results, evidence, thresholds))
    read, least = results.records.read, thresholds.minimum_records
    if read.members < least.members or read.nonmembers < least.nonmembers:
        reasons.append(policy_words.too_few_records(read, least))
    if thresholds.on_no_baseline == thresholds_pb2.CANNOT_TELL_CHANGE and any(
        finding.skipped for finding in findings
    ):
        reasons.append(policy_words.no_baseline())
    if skipped(findings) and not must_pass(findings) and not results.attacks:
        reasons.append(policy_words.no_attack_ran())
    return reasons


def _missing_attacks(
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    thresholds: thresholds_pb2.PrivacyThresholds,
) -> list[str]:
    listed = {attack.name for attack in results.attacks}
    skipped = {attack.name: attack.reason for attack in results.skipped_attacks}
    return [
        policy_words.attack_missing(attack, skipped.get(attack, ""))
        for attack in thresholds.required_attacks
        if attack not in listed or (attack, WHOLE) not in evidence.counts
    ]
