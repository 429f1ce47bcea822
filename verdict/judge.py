"""The verdict: PASS, BLOCK or CANNOT_TELL, from evidence and thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import measured_value
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict import words
from tfx_privacy.verdict.consistency import check_consistent
from tfx_privacy.verdict.examination import (
    CONFIDENCE,
    PASS_ALPHA,
    Examination,
    JudgedAttack,
    examine,
)
from tfx_privacy.verdict.holm import holm_rejected
from tfx_privacy.verdict.limits import resolve_thresholds
from tfx_privacy.verdict.records_to_decide import NOT_DECIDABLE, records_to_decide

SCHEMA_VERSION = 2
# A false BLOCK happens in at most 5% of verdicts: half of that is for claims about
# the whole (metrics and attacks), half for claims about slices.
WHOLE_FAMILY_LEVEL = 0.025


def judge(
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    thresholds: thresholds_pb2.PrivacyThresholds,
    quality_blessed: bool | None = None,
) -> verdict_pb2.PrivacyVerdict:
    """Judges the whole of the JUDGE rows.

    Every threshold is held against every attack that ran, by intervals computed again
    from the counts; a metric need not be among those of the results.

    A threshold BLOCKs where "the metric is at most the limit" is rejected for some
    attack, by Holm over all thresholds and attacks at WHOLE_FAMILY_LEVEL. Else it has
    PASS where the upper bound of every attack, one-sided at 97.5%, is within the
    limit, without correction: all have to pass (an intersection-union test). Else it
    is CANNOT_TELL, and so it is where nothing was measured.

    The verdict is BLOCK if any threshold blocks; PASS if there are MUST_PASS thresholds
    and all of them pass; else CANNOT_TELL. So thresholds that are BLOCK_ONLY without
    exception give BLOCK or CANNOT_TELL: PASS says that a limit was shown to be kept,
    and they ask for no such thing.

    PASS is blessed. CANNOT_TELL is blessed, with a warning, where the policy says so,
    there are MUST_PASS thresholds, and intervals that are too wide are all that is
    wrong with those that are undecided. Where the Evaluator refused, nothing is
    blessed; the outcome stays what privacy says.

    Args:
      results: What was measured.
      evidence: The counts behind it.
      thresholds: The limits; what they leave open is filled in.
      quality_blessed: The Evaluator's blessing of the same model; None where it is
        not asked for.

    Returns:
      The verdict. Its `package_version` and `metrics_uri` are left to the caller.

    Raises:
      ValueError: If the thresholds are wrong, or results and counts contradict each
        other.
    """
    resolved = resolve_thresholds(thresholds)
    check_consistent(results, evidence)
    examinations = [examine(threshold, results, evidence) for threshold in resolved.thresholds]
    p_values = {
        (index, attack.name): attack.p_value
        for index, examination in enumerate(examinations)
        for attack in examination.attacks
    }
    rejected = holm_rejected(p_values, WHOLE_FAMILY_LEVEL)
    # What a single claim needs at worst, for "how many records would decide".
    block_alpha = WHOLE_FAMILY_LEVEL / max(1, len(p_values))
    records = results.records.read.members + results.records.read.nonmembers
    findings = []
    for index, examination in enumerate(examinations):
        blocking = [a for a in examination.attacks if (index, a.name) in rejected]
        findings.append(_find(examination, blocking, records, block_alpha))
    return _combine(findings, resolved, results, quality_blessed)


def _find(
    examination: Examination, blocking: Sequence[JudgedAttack], records: int, block_alpha: float
) -> verdict_pb2.Finding:
    limit = examination.threshold.upper_limit
    if blocking:
        worst = min(blocking, key=lambda attack: (attack.p_value, -attack.interval.lower))
        finding = _finding_of(examination, worst, verdict_pb2.BLOCK)
        finding.reason = words.blocking(examination.metric, limit, *_shown(worst))
        return finding
    if examination.problem is not None:
        return verdict_pb2.Finding(
            threshold=examination.threshold,
            outcome=verdict_pb2.CANNOT_TELL,
            attack=examination.problem_attack,
            p_value=1.0,
            records_to_decide=NOT_DECIDABLE,
            reason=_as_counted(
                examination, words.not_measured(examination.metric, examination.problem)
            ),
        )
    worst = max(examination.attacks, key=lambda attack: attack.interval.upper)
    if worst.interval.upper <= limit:
        finding = _finding_of(examination, worst, verdict_pb2.PASS)
        sentence = words.passing(examination.metric, limit, *_shown(worst))
    else:
        finding = _finding_of(examination, worst, verdict_pb2.CANNOT_TELL)
        finding.interval_too_wide = True
        finding.records_to_decide = records_to_decide(
            worst.interval, limit, records, PASS_ALPHA, block_alpha
        )
        sentence = words.too_wide(
            examination.metric, limit, *_shown(worst), records, finding.records_to_decide
        )
    finding.reason = _as_counted(examination, sentence)
    return finding


def _finding_of(
    examination: Examination, attack: JudgedAttack, outcome: verdict_pb2.Outcome.ValueType
) -> verdict_pb2.Finding:
    return verdict_pb2.Finding(
        threshold=examination.threshold,
        outcome=outcome,
        attack=attack.name,
        value=measured_value(attack.interval, CONFIDENCE, attack.counts),
        p_value=attack.p_value,
    )


def _shown(attack: JudgedAttack) -> tuple[str, Interval, int, int]:
    counts = attack.counts
    return attack.name, attack.interval, counts.n_members, counts.n_nonmembers


def _as_counted(examination: Examination, sentence: str) -> str:
    if examination.threshold.role == thresholds_pb2.BLOCK_ONLY:
        return words.not_counted(sentence)
    return sentence


def _combine(
    findings: Sequence[verdict_pb2.Finding],
    thresholds: thresholds_pb2.PrivacyThresholds,
    results: results_pb2.PrivacyResults,
    quality_blessed: bool | None,
) -> verdict_pb2.PrivacyVerdict:
    must_pass = [f for f in findings if f.threshold.role == thresholds_pb2.MUST_PASS]
    verdict = verdict_pb2.PrivacyVerdict(
        schema_version=SCHEMA_VERSION,
        findings=findings,
        thresholds=thresholds,
        model_uri=results.model.uri,
        quality_blessed=quality_blessed,
    )
    if any(finding.outcome == verdict_pb2.BLOCK for finding in findings):
        verdict.outcome = verdict_pb2.BLOCK
    elif must_pass and all(finding.outcome == verdict_pb2.PASS for finding in must_pass):
        verdict.outcome = verdict_pb2.PASS
    else:
        verdict.outcome = verdict_pb2.CANNOT_TELL
    undecided = [f for f in must_pass if f.outcome == verdict_pb2.CANNOT_TELL]
    by_policy = (
        verdict.outcome == verdict_pb2.CANNOT_TELL
        and thresholds.on_cannot_tell == thresholds_pb2.BLESSED_WITH_WARNING
        # Without MUST_PASS thresholds there is nothing that more records would settle.
        and len(undecided) > 0
        and all(finding.interval_too_wide for finding in undecided)
    )
    privacy_blesses = verdict.outcome == verdict_pb2.PASS or by_policy
    quality_refuses = quality_blessed is False
    verdict.blessed = privacy_blesses and not quality_refuses
    verdict.blessed_with_warning = by_policy and not quality_refuses
    verdict.reasons.extend(
        _reasons(verdict, results, privacy_blesses=privacy_blesses, quality_refuses=quality_refuses)
    )
    return verdict


def _reasons(
    verdict: verdict_pb2.PrivacyVerdict,
    results: results_pb2.PrivacyResults,
    *,
    privacy_blesses: bool,
    quality_refuses: bool,
) -> list[str]:
    """Why, the deciding sentences first, then the others, then what to know beside them."""
    deciding, others = _split_reasons(verdict)
    reasons = [*deciding, *others]
    if quality_refuses:
        # It decides alone where privacy would have blessed; else it comes on top.
        reasons.insert(0 if privacy_blesses else len(deciding), words.quality_refused())
    if verdict.blessed_with_warning:
        reasons.append(words.blessed_with_warning())
    elif (
        verdict.outcome == verdict_pb2.CANNOT_TELL
        and not privacy_blesses
        and verdict.thresholds.on_cannot_tell == thresholds_pb2.BLESSED_WITH_WARNING
    ):
        reasons.append(words.policy_does_not_apply())
    reasons.extend(words.skipped(entry.name, entry.reason) for entry in results.skipped_attacks)
    if results.attacks and not results.records.duplicates_checked:
        reasons.append(words.duplicates_not_checked())
    return reasons


def _split_reasons(verdict: verdict_pb2.PrivacyVerdict) -> tuple[list[str], list[str]]:
    """The sentences that decide about privacy, and those of the other findings."""
    deciding: list[str] = []
    others: list[str] = []
    roles = [finding.threshold.role for finding in verdict.findings]
    if verdict.outcome == verdict_pb2.CANNOT_TELL and thresholds_pb2.MUST_PASS not in roles:
        deciding.append(words.nothing_must_pass())
    for finding in verdict.findings:
        counts = (
            finding.outcome == verdict_pb2.BLOCK
            or finding.threshold.role == thresholds_pb2.MUST_PASS
        )
        same = finding.outcome == verdict.outcome
        (deciding if counts and same else others).append(finding.reason)
    return deciding, others
