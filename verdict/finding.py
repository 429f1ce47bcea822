"""From what was examined to the finding about one threshold, or about one slice."""

from __future__ import annotations

import math

from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import largest_attainable
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.power import smallest_found
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict import words
from tfx_privacy.verdict.claim import CONFIDENCE, PASS_ALPHA, Claim
from tfx_privacy.verdict.examination import Examination, Problem
from tfx_privacy.verdict.family import Family
from tfx_privacy.verdict.limits import is_bound_from_below, is_on_change
from tfx_privacy.verdict.records_to_decide import NOT_DECIDABLE, records_to_decide

# With which a leak has to be found to count as one that would have blocked.
POWER = 0.8


def find_on_whole(examination: Examination, family: Family) -> verdict_pb2.Finding:
    """The finding about a threshold on the whole: of the attack that decides."""
    threshold, metric = examination.threshold, examination.metric
    if examination.skipped:
        finding = undecided(threshold)
        finding.skipped = True
        finding.reason = words.change_skipped(metric, threshold.change_limit)
        return finding
    blocking = [claim for claim in examination.claims if claim.name in family.blocking]
    if blocking:
        return find_claim(threshold, most_blocking(blocking), family)
    if examination.problem is not None:
        return _not_measured(threshold, metric, examination.problem)
    return find_claim(threshold, closest(examination.claims), family)


def find_claim(
    threshold: thresholds_pb2.PrivacyThreshold, claim: Claim, family: Family
) -> verdict_pb2.Finding:
    """The finding about one claim."""
    finding = _finding_of(threshold, claim)
    largest = math.inf
    if claim.baseline is None:
        largest = largest_attainable(claim.metric, claim.members, claim.nonmembers, family.level)
        finding.smallest_blocked = smallest_found(
            claim.metric, claim.members, claim.nonmembers, claim.limit, family.alpha, POWER
        )
    if claim.name in family.blocking:
        finding.outcome = verdict_pb2.BLOCK
        finding.reason = words.blocking(claim)
        return finding
    finding.cannot_fire = largest <= claim.limit
    if claim.interval.upper <= claim.limit:
        finding.outcome = verdict_pb2.PASS
        sentence = words.passing(claim)
    elif is_bound_from_below(claim.metric):
        finding.outcome = verdict_pb2.CANNOT_TELL
        finding.records_to_decide = NOT_DECIDABLE
        sentence = words.not_above(claim)
    else:
        finding.outcome = verdict_pb2.CANNOT_TELL
        finding.interval_too_wide = True
        finding.records_to_decide = records_to_decide(
            claim.interval, claim.limit, claim.rows, PASS_ALPHA, family.alpha
        )
        sentence = words.too_wide(claim, finding.records_to_decide)
    finding.reason = as_counted(threshold, _with_reach(sentence, claim, largest))
    return finding


def undecided(threshold: thresholds_pb2.PrivacyThreshold) -> verdict_pb2.Finding:
    """A finding by which nothing can be told; its reason is left to the caller."""
    return verdict_pb2.Finding(
        threshold=threshold,
        outcome=verdict_pb2.CANNOT_TELL,
        p_value=1.0,
        records_to_decide=NOT_DECIDABLE,
    )


def most_blocking(claims: list[Claim]) -> Claim:
    """Of claims that block, the surest; of equals the one that leaks most."""
    return min(claims, key=lambda claim: (claim.p_value, -claim.interval.lower))


def closest(claims: tuple[Claim, ...]) -> Claim:
    """Of claims that do not block, the one that may be worst."""
    return max(claims, key=lambda claim: (claim.interval.upper, claim.interval.lower))


def as_counted(threshold: thresholds_pb2.PrivacyThreshold, sentence: str) -> str:
    """A sentence, which says so where the threshold can only block."""
    if threshold.role == thresholds_pb2.BLOCK_ONLY:
        return words.not_counted(sentence)
    return sentence


def _with_reach(sentence: str, claim: Claim, largest: float) -> str:
    """A sentence, with how much could have been shown where that matters."""
    if largest <= claim.limit:
        return f"{sentence} {words.cannot_fire(claim.metric, claim.limit, largest)}"
    if is_bound_from_below(claim.metric):
        return f"{sentence} {words.largest_shown(claim.metric, claim.limit, largest)}"
    return sentence


def _not_measured(
    threshold: thresholds_pb2.PrivacyThreshold, metric: Metric, problem: Problem
) -> verdict_pb2.Finding:
    finding = undecided(threshold)
    finding.attack = problem.attack
    say = words.change_not_measured if is_on_change(threshold) else words.not_measured
    sentence = say(metric, problem.why)
    finding.reason = sentence if problem.something_to_judge else as_counted(threshold, sentence)
    return finding


def _finding_of(threshold: thresholds_pb2.PrivacyThreshold, claim: Claim) -> verdict_pb2.Finding:
    finding = verdict_pb2.Finding(
        threshold=threshold,
        attack=claim.attack,
        value=_value(claim.interval, claim.members, claim.nonmembers),
        p_value=claim.p_value,
        slice=[results_pb2.SliceKey(feature=name, value=value) for name, value in claim.slice],
    )
    if claim.baseline is not None:
        before = claim.baseline
        finding.baseline_value.CopyFrom(_value(before.interval, before.members, before.nonmembers))
    return finding


def _value(interval: Interval, members: int, nonmembers: int) -> results_pb2.MeasuredValue:
    return results_pb2.MeasuredValue(
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        confidence=CONFIDENCE,
        members=members,
        nonmembers=nonmembers,
    )
