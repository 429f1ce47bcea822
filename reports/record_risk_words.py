"""The risk of single records in words: what it is, who stands out, and whether it is true."""

from __future__ import annotations

import math

from tfx_privacy.metrics.reliability import member_share
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.numerals import count_text, percent_text, share_text

_LEAST_SHARE = 0.01
# The mean of |x| where x is normal with mean 0 and variance 1.
_MEAN_DISTANCE = math.sqrt(2 / math.pi)


def risk_text(risk: float) -> str:
    """A risk to two digits of it or of what it lacks to 1: "0.62", "0.058", "0.995"."""
    smaller = min(risk, 1 - risk)
    decimals = 1 - math.floor(math.log10(smaller)) if smaller > 0 else 2
    return f"{risk:.{min(max(decimals, 2), 9)}f}"


def meaning(risk: results_pb2.RecordRiskResults) -> str:
    """What a risk is, and what it is not."""
    prior = share_number(risk.prior)
    return (
        "A record's risk is P(member | score): what an attacker should believe who sees the "
        "model's answer to the record, and who held it a member with probability "
        f"{prior}, the prior, before that. A risk of {prior} says that the answer gives nothing "
        "away. It is a belief about membership at that prior and by this attack: no probability of "
        "harm, and no limit to what a better attack could believe. No record's risk comes from an "
        "attack or a calibration that saw the record."
    )


def finding(risk: results_pb2.RecordRiskResults) -> str:
    """Whether records stand out, and how many."""
    if not risk.most_exposed:
        return "No member has a risk: there is none among the records."
    highest = f"The highest risk of a member is {risk_text(risk.most_exposed[0].risk)}"
    at_prior = f"at a prior of {share_number(risk.prior)}"
    told = _told(risk)
    if told is None:
        return f"{highest}, {at_prior}."
    if told.members.estimate == told.nonmembers.estimate == 0:
        return f"No record stands out. {highest}, {at_prior}."
    shares = (
        f"{_interval(told.members)} have a risk above {share_number(told.risk)}, of non-members "
        f"{_interval(told.nonmembers)}"
    )
    if told.members.lower <= told.nonmembers.upper:
        return (
            f"No record is shown to stand out: of members {shares}, and the intervals overlap. "
            f"{highest}, {at_prior}; it may be the luck of few records."
        )
    return f"Of members {shares}, who would be suspected falsely. {highest}, {at_prior}."


def calibration(risk: results_pb2.RecordRiskResults, judge: results_pb2.SideCounts) -> str:
    """Whether risks mean what they say."""
    bins = len(risk.reliability)
    rows = count_text(judge.members + judge.nonmembers)
    distance = (
        f"On average risk and share are {risk.calibration_error:.2g} apart; chance alone would "
        f"make that about {_by_chance(risk, judge):.2g}."
    )
    wrong = [one for one in risk.reliability if is_off(one, risk, judge)]
    if not wrong:
        groups = f"all {bins} groups" if bins > 1 else "the one group"
        return (
            f"Risks mean what they say, as far as {rows} judged records can tell: in {groups} the "
            f"interval of the share found, corrected for their number, holds the risk said. "
            f"{distance}"
        )
    worst = max(wrong, key=lambda one: abs(one.mean_risk - one.member_share.estimate))
    share = worst.member_share
    return (
        f"Risks do not quite mean what they say: in {len(wrong)} of {bins} groups the risk said "
        "lies outside the interval of the share found, corrected for their number. The farthest: "
        f"{risk_text(worst.mean_risk)} was said, {risk_text(share.estimate)} found "
        f"({risk_text(share.lower)} to {risk_text(share.upper)}). {distance} Take risks as an "
        "order of records and, to within such distances, as probabilities."
    )


def is_off(
    one: results_pb2.ReliabilityBin,
    risk: results_pb2.RecordRiskResults,
    judge: results_pb2.SideCounts,
) -> bool:
    """Whether the risk said lies outside the interval of the share found.

    At the interval's confidence for all groups together (Bonferroni).
    """
    share = one.member_share
    alpha = (1 - share.confidence) / 2 / len(risk.reliability)
    sides = (share.members, judge.members, share.nonmembers, judge.nonmembers)
    interval = member_share(*sides, risk.prior, alpha)
    return not interval.lower <= one.mean_risk <= interval.upper


def ids_note(results: results_pb2.PrivacyResults) -> str:
    """What the ids are, and how to treat them."""
    told = (
        "Ids of members are personal data: who has a record can find its id here. Keep this page "
        "from those who must not know whom the training data is about. The record-risk table "
        "(record_risk-*.parquet) has the risk of every record."
    )
    if results.records.duplicates_checked:
        return told
    return f"{told} These records have no ids of their own: the last 16 digits count rows from 0."


def share_number(risk: float) -> str:
    """A risk that was configured: 0.95."""
    return f"{risk:g}"


def _told(risk: results_pb2.RecordRiskResults) -> results_pb2.RiskAbove | None:
    """The highest risk that a share of members is shown to exceed; else the lowest told."""
    exceeded = [one for one in risk.above if one.members.lower > _LEAST_SHARE]
    if exceeded:
        return exceeded[-1]
    return risk.above[0] if risk.above else None


def _interval(share: results_pb2.MeasuredValue) -> str:
    decimals = 0 if share.upper >= 0.1 else 1 if share.upper >= 0.01 else 2
    low, high = (percent_text(bound, decimals) for bound in (share.lower, share.upper))
    confidence = share_text(round(share.confidence, 9))
    return f"{percent_text(share.estimate, decimals)} ({confidence} interval: {low} to {high})"


def _by_chance(risk: results_pb2.RecordRiskResults, judge: results_pb2.SideCounts) -> float:
    """About the calibration error of risks that are true, by the variance of the shares."""
    total = 0.0
    for one in risk.reliability:
        share = one.member_share
        a, b = share.members / judge.members, share.nonmembers / judge.nonmembers
        variance = sum(
            (1 - part) / count
            for part, count in ((a, share.members), (b, share.nonmembers))
            if count
        )
        deviation = one.mean_risk * (1 - one.mean_risk) * math.sqrt(variance)
        total += (risk.prior * a + (1 - risk.prior) * b) * _MEAN_DISTANCE * deviation
    return total
