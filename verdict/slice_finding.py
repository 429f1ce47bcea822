"""From what was examined on slices to the findings about them."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict import slice_words
from tfx_privacy.verdict.claim import Claim
from tfx_privacy.verdict.examination import Examination, SmallSlice
from tfx_privacy.verdict.family import Family
from tfx_privacy.verdict.finding import (
    as_counted,
    closest,
    find_claim,
    most_blocking,
    undecided,
)


def find_slices(
    examination: Examination, family: Family, minimum: thresholds_pb2.RecordCounts
) -> list[verdict_pb2.Finding]:
    """The finding about each slice of a threshold, judged ones first."""
    threshold = examination.threshold
    judged = [find_claim(threshold, claim, family) for claim in examination.claims]
    return judged + [_too_small(threshold, small, minimum) for small in examination.too_small]


def sum_up_slices(
    examination: Examination,
    findings: Sequence[verdict_pb2.Finding],
    family: Family,
    minimum: thresholds_pb2.RecordCounts,
) -> verdict_pb2.Finding:
    """The finding about a threshold on slices: of the slice that decides.

    Args:
      examination: The threshold and its claims.
      findings: What `find_slices` made of it.
      family: The claims about slices.
      minimum: Rows of the splits that a slice needs.
    """
    threshold = examination.threshold
    by_claim = dict(zip((claim.name for claim in examination.claims), findings, strict=False))
    blocking = [claim for claim in examination.claims if claim.name in family.blocking]
    if blocking:
        finding = _copy(by_claim[most_blocking(blocking).name])
    elif not examination.claims or _leaves_gaps(examination):
        finding = undecided(threshold)
        finding.attack = examination.problem.attack if examination.problem is not None else ""
    else:
        finding = _copy(by_claim[closest(examination.claims).name])
    finding.slices_judged = len(examination.claims)
    finding.slices_too_small = len(examination.too_small)
    sentences = [_decision(examination, finding, blocking)]
    if examination.claims or examination.too_small:
        sentences.append(slice_words.unjudged(len(examination.too_small), minimum))
    if by_claim:
        smallest = [one.smallest_blocked for one in by_claim.values()]
        sentences.append(slice_words.power(examination.metric, threshold.upper_limit, smallest))
        # The threshold can fire as soon as it can in one slice.
        finding.cannot_fire = all(one.cannot_fire for one in by_claim.values())
    text = " ".join(sentences)
    decides = blocking or not by_claim or examination.lacks_evidence
    finding.reason = text if decides else as_counted(threshold, text)
    return finding


def _leaves_gaps(examination: Examination) -> bool:
    """Whether a slice is unjudged that would have to pass, or one is wrong."""
    must_pass = examination.threshold.role == thresholds_pb2.MUST_PASS
    return examination.problem is not None or (must_pass and len(examination.too_small) > 0)


def _decision(
    examination: Examination, finding: verdict_pb2.Finding, blocking: Sequence[Claim]
) -> str:
    """The sentence that says what was decided."""
    metric, limit = examination.metric, examination.threshold.upper_limit
    judged = len(examination.claims)
    if blocking:
        return finding.reason + slice_words.others_blocking(len(blocking) - 1)
    if examination.problem is not None:
        say = slice_words.not_every_slice if examination.claims else slice_words.no_slice
        sentence = say(metric, limit, examination.problem.why)
        if examination.lacks_evidence:
            return slice_words.cannot_tell(sentence)
        return slice_words.not_judged(examination.threshold, sentence)
    if _leaves_gaps(examination):
        return slice_words.every_slice_must_pass()
    if not examination.claims:
        sentence = slice_words.no_slice(metric, limit, "all are too small")
        return slice_words.not_judged(examination.threshold, sentence)
    worst = closest(examination.claims)
    if finding.outcome == verdict_pb2.PASS:
        return slice_words.passing(worst, judged)
    if examination.threshold.role == thresholds_pb2.MUST_PASS:
        return finding.reason
    return slice_words.not_blocking(worst, judged)


def _too_small(
    threshold: thresholds_pb2.PrivacyThreshold,
    small: SmallSlice,
    minimum: thresholds_pb2.RecordCounts,
) -> verdict_pb2.Finding:
    finding = undecided(threshold)
    finding.too_small = True
    finding.reason = slice_words.too_small(small, minimum)
    finding.slice.extend(
        results_pb2.SliceKey(feature=name, value=value) for name, value in small.key
    )
    return finding


def _copy(finding: verdict_pb2.Finding) -> verdict_pb2.Finding:
    copy = verdict_pb2.Finding()
    copy.CopyFrom(finding)
    return copy
