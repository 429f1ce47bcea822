"""What a policy asks for beside the limits, and the measurement lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts
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
    unjudged: Sequence[verdict_pb2.Finding],
    controls: Sequence[verdict_pb2.ControlFinding],
) -> list[str]:
    """Why nothing can pass whatever the limits say, one sentence each.

    Args:
      results: What was measured.
      evidence: The counts behind it.
      thresholds: Resolved.
      findings: One for each threshold.
      unjudged: Those for which evidence was missing. A limit that can only block, and
        was held against nothing because numbers are missing, forbids a PASS as well:
        else a leak would be blessed where its evidence is lost.
      controls: One for each control.
    """
    reasons = [policy_words.control_forbids(control) for control in that_forbid_a_pass(controls)]
    reasons.extend(
        finding.reason
        for finding in unjudged
        if finding.threshold.role == thresholds_pb2.BLOCK_ONLY
    )
    reasons.extend(_missing_attacks(results, evidence, thresholds))
    if results.attacks and all(
        _tells_nothing_apart(evidence.counts.get((attack.name, WHOLE)))
        for attack in results.attacks
    ):
        reasons.append(policy_words.all_scores_equal())
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


def _tells_nothing_apart(counts: ScoreCounts | None) -> bool:
    """Whether all rows are in one bin: no evidence that there is nothing to find."""
    return counts is not None and np.count_nonzero(counts.members + counts.nonmembers) == 1


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
