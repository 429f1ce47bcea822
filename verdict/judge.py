"""The verdict: PASS, BLOCK or CANNOT_TELL, from evidence and thresholds."""

from __future__ import annotations

from collections.abc import Iterable

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.baseline import Baseline
from tfx_privacy.verdict.change import examine_change, fault_of
from tfx_privacy.verdict.claim import Claim
from tfx_privacy.verdict.consistency import check_consistent
from tfx_privacy.verdict.controls import judge_controls
from tfx_privacy.verdict.examination import Examination, examine_whole
from tfx_privacy.verdict.family import SLICE_FAMILY_LEVEL, WHOLE_FAMILY_LEVEL, family_of
from tfx_privacy.verdict.finding import find_on_whole
from tfx_privacy.verdict.limits import is_on_change, is_on_slices, resolve_thresholds
from tfx_privacy.verdict.policy import Blessing, blessing_of, outcome_of
from tfx_privacy.verdict.reasons import reasons_of
from tfx_privacy.verdict.requirements import unmet
from tfx_privacy.verdict.slice_finding import find_slices, sum_up_slices
from tfx_privacy.verdict.slices import examine_slices

SCHEMA_VERSION = 2


def judge(
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    thresholds: thresholds_pb2.PrivacyThresholds,
    quality_blessed: bool | None = None,
    baseline: Baseline | None = None,
) -> verdict_pb2.PrivacyVerdict:
    """Judges a measurement of a model.

    Every threshold on the whole is held against every attack that ran, every threshold
    on slices against the attack that was best on FIT, by intervals computed again from
    the counts; a metric need not be among those of the results.

    A threshold BLOCKs where "it is at most the limit" is rejected for some attack or
    slice: by Holm over all claims about the whole, changes among them, at
    WHOLE_FAMILY_LEVEL, and over all claims about slices at SLICE_FAMILY_LEVEL. So a
    false BLOCK happens in at most 5% of verdicts. Else it has PASS where the upper
    bound of every attack or slice, one-sided at 97.5%, is within the limit, without
    correction: all have to pass (an intersection-union test). Else it is CANNOT_TELL,
    and so it is where nothing was measured.

    How outcome and blessing follow from findings, controls and policies is told in
    policy.py. Where the Evaluator refused, nothing is blessed; the outcome stays what
    privacy says. Thresholds that are BLOCK_ONLY without exception give BLOCK or
    CANNOT_TELL: PASS says that a limit was shown to be kept, and they ask for no such
    thing.

    Args:
      results: What was measured.
      evidence: The counts behind it.
      thresholds: The limits; what they leave open is filled in.
      quality_blessed: The Evaluator's blessing of the same model; None where it is
        not asked for.
      baseline: What changes are counted from; None where there is nothing.

    Returns:
      The verdict. Its `package_version` and `metrics_uri` are left to the caller.

    Raises:
      ValueError: If the thresholds are wrong, or results and counts contradict each
        other. A baseline that does is CANNOT_TELL for the thresholds on the change.
    """
    resolved = resolve_thresholds(thresholds)
    check_consistent(results, evidence)
    examinations = _examine_all(results, evidence, resolved, baseline)
    findings, slice_findings = _find_all(examinations, resolved.minimum_slice_records)
    controls = judge_controls(results, evidence, resolved)
    unjudged = [
        finding
        for finding, one in zip(findings, examinations, strict=True)
        if finding.outcome == verdict_pb2.CANNOT_TELL and one.lacks_evidence
    ]
    missing = unmet(results, evidence, resolved, findings, unjudged, controls)
    verdict = verdict_pb2.PrivacyVerdict(
        schema_version=SCHEMA_VERSION,
        outcome=outcome_of(findings, controls, missing),
        findings=findings,
        slice_findings=slice_findings,
        controls=controls,
        thresholds=resolved,
        model_uri=results.model.uri,
        quality_blessed=quality_blessed,
        baseline=_baseline_message(baseline),
    )
    blessing = blessing_of(verdict, missing)
    if quality_blessed is not False:
        verdict.blessed = blessing != Blessing.REFUSED
        verdict.blessed_with_warning = blessing == Blessing.WITH_WARNING
    verdict.reasons.extend(reasons_of(verdict, results, missing, blessing))
    return verdict


def _examine_all(
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    resolved: thresholds_pb2.PrivacyThresholds,
    baseline: Baseline | None,
) -> list[Examination]:
    on_change = any(is_on_change(threshold) for threshold in resolved.thresholds)
    fault = fault_of(baseline) if on_change else None
    minimum = resolved.minimum_slice_records
    examinations = []
    for index, threshold in enumerate(resolved.thresholds):
        if is_on_change(threshold):
            one = examine_change(index, threshold, results, evidence, baseline, fault)
        elif is_on_slices(threshold):
            one = examine_slices(index, threshold, minimum, results, evidence)
        else:
            one = examine_whole(index, threshold, results, evidence)
        examinations.append(one)
    return examinations


def _find_all(
    examinations: list[Examination], minimum: thresholds_pb2.RecordCounts
) -> tuple[list[verdict_pb2.Finding], list[verdict_pb2.Finding]]:
    """The finding about each threshold, and those about slices, judged ones first."""
    on_whole = [one for one in examinations if not is_on_slices(one.threshold)]
    on_slices = [one for one in examinations if is_on_slices(one.threshold)]
    whole_family = family_of(_claims(on_whole), WHOLE_FAMILY_LEVEL)
    slice_family = family_of(_claims(on_slices), SLICE_FAMILY_LEVEL)
    findings: list[verdict_pb2.Finding] = []
    about_slices: list[verdict_pb2.Finding] = []
    for one in examinations:
        if is_on_slices(one.threshold):
            found = find_slices(one, slice_family, minimum)
            about_slices.extend(found)
            findings.append(sum_up_slices(one, found, slice_family, minimum))
        else:
            findings.append(find_on_whole(one, whole_family))
    return findings, sorted(about_slices, key=lambda finding: finding.too_small)


def _claims(examinations: Iterable[Examination]) -> list[Claim]:
    return [claim for one in examinations for claim in one.claims]


def _baseline_message(baseline: Baseline | None) -> verdict_pb2.Baseline | None:
    if baseline is None:
        return None
    return verdict_pb2.Baseline(
        metrics_uri=baseline.metrics_uri,
        model_uri=baseline.results.model.uri,
        shared_records=results_pb2.SideCounts(
            members=baseline.shared_members, nonmembers=baseline.shared_nonmembers
        ),
    )
