"""Findings about one claim in sentences, for a reader without statistics."""

from __future__ import annotations

from tfx_privacy.metrics.counts import SliceKey
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.registry import metric_title
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.verdict.claim import BaselineValue, Claim
from tfx_privacy.verdict.limits import is_bound_from_below
from tfx_privacy.verdict.numerals import (
    bound_text,
    difference_texts,
    in_percent,
    limit_text,
    rise_text,
    round_up,
    rows_text,
    value_texts,
)
from tfx_privacy.verdict.records_to_decide import MOST_TIMES, NOT_DECIDABLE


def blocking(claim: Claim) -> str:
    """Why a threshold blocks."""
    if claim.baseline is not None:
        allowed = rise_text(claim.metric, claim.limit)
        return f"BLOCK: {_rise(claim, claim.baseline)}; a rise of at most {allowed} is allowed."
    if is_bound_from_below(claim.metric):
        return f"BLOCK: {_guarantee(claim)} The limit is {limit_text(claim.metric, claim.limit)}."
    return f"BLOCK: {_reach(claim)}; the limit is {limit_text(claim.metric, claim.limit)}."


def passing(claim: Claim) -> str:
    """That the attacks that ran do not exceed a limit; not that the model is safe."""
    title = metric_title(claim.metric)
    if claim.baseline is not None:
        allowed = rise_text(claim.metric, claim.limit)
        return (
            f"PASS: by none of the attacks that ran has {title} risen by more than {allowed} "
            f"since the baseline: {_rise(claim, claim.baseline)}."
        )
    limit = limit_text(claim.metric, claim.limit)
    if claim.slice:
        return f"PASS: {_reach(claim)}, within the limit of {limit}."
    return (
        f"PASS: the attacks that ran do not exceed the limit of {limit} on {title}: the one that "
        f"comes closest, '{claim.attack}', {_deed(claim)} on {_rows(claim)}."
    )


def too_wide(claim: Claim, needed: int) -> str:
    """Why a threshold is undecided for want of records, and how many would settle it.

    Args:
      claim: The one that comes closest to the limit, or beyond it.
      needed: As `records_to_decide` has it.
    """
    if claim.interval.lower > claim.limit:
        where = "is below this range, but with so many comparisons one such may be chance"
    else:
        where = "lies within this range"
    if claim.baseline is not None:
        found = _rise(claim, claim.baseline)
        limit = f"the rise allowed, {rise_text(claim.metric, claim.limit)},"
    else:
        found = _reach(claim)
        limit = f"the limit of {limit_text(claim.metric, claim.limit)}"
    return f"CANNOT TELL: {found}; {limit} {where}. " + _what_would_settle(claim, needed)


def not_above(claim: Claim) -> str:
    """That a bound from below is not above its limit, and that nothing follows."""
    limit = limit_text(claim.metric, claim.limit)
    return f"NOT BLOCKED: {_guarantee(claim)} The limit is {limit}."


def cannot_fire(metric: Metric, limit: float, largest: float) -> str:
    """That a threshold could not have blocked.

    Args:
      metric: What is limited.
      limit: The largest value allowed.
      largest: The largest lower bound that so many records could show.
    """
    (most,) = value_texts(metric, [largest], limit)
    return (
        f"This threshold cannot fire: the most that so many records could show is "
        f"{metric_title(metric)} {most}, and the limit is {limit_text(metric, limit)}."
    )


def largest_shown(metric: Metric, limit: float, largest: float) -> str:
    """How large a bound from below could have become."""
    (most,) = value_texts(metric, [largest], limit)
    return f"The most that so many records could show is {most}."


def not_measured(metric: Metric, why: str) -> str:
    """Why there is nothing to judge a threshold by."""
    return f"CANNOT TELL: {metric_title(metric)} was not measured: {why}."


def change_not_measured(metric: Metric, why: str) -> str:
    """Why there is nothing to judge a threshold on the change by."""
    return f"CANNOT TELL: the change of {metric_title(metric)} was not measured: {why}."


def change_skipped(metric: Metric, limit: float) -> str:
    """That there is no baseline that a change could be counted from."""
    return (
        f"Skipped: the limit of {rise_text(metric, limit)} on the rise of {metric_title(metric)} "
        "was held against nothing, since there is no baseline."
    )


def not_counted(sentence: str) -> str:
    """A finding that decides nothing: a threshold that can only block and did not."""
    return f"{sentence} (This threshold can only block; nothing follows from it.)"


def slice_text(key: SliceKey) -> str:
    """A slice by its features and values."""
    return ", ".join(f"{feature}={value}" for feature, value in key)


def _reach(claim: Claim) -> str:
    """What an attacker does, and where: without full stop."""
    where = f"in slice {slice_text(claim.slice)} " if claim.slice else ""
    return f"{where}an attacker using '{claim.attack}' {_deed(claim)} on {_rows(claim)}"


def _deed(claim: Claim) -> str:
    metric, interval = claim.metric, claim.interval
    estimate, lower, upper = value_texts(
        metric, (interval.estimate, interval.lower, interval.upper), claim.limit
    )
    between = f"(95% between {lower} and {upper})"
    if isinstance(metric, TprAtFpr):
        alarms = f"{100 * metric.fpr:g}%"
        return f"recognises {estimate} of training records at {alarms} false alarms {between}"
    if isinstance(metric, Precision):
        prior = f"{100 * metric.prior:g}%"
        return (
            f"is right about {estimate} of the records that it calls training records, where "
            f"{prior} of all are {between},"
        )
    article = "an " if metric_title(metric) == "advantage" else ""
    of = "of " if article else ""
    return f"reaches {article}{metric_title(metric)} {of}{estimate} {between}"


def _guarantee(claim: Claim) -> str:
    """What a bound from below says of any guarantee: two whole sentences."""
    where = f", in slice {slice_text(claim.slice)}" if claim.slice else ""
    guarantee = "(epsilon, delta) guarantee of this training"
    if claim.interval.lower > 0:
        bound = bound_text(claim.interval.lower, claim.limit)
        shown = f"any {guarantee} would need epsilon >= {bound} (95%)"
    else:
        shown = f"no epsilon above 0 was shown to be needed by an {guarantee} (95%)"
    return (
        f"{shown}. This is no upper limit. Measured was {metric_title(claim.metric)}, by "
        f"'{claim.attack}' on {_rows(claim)}{where}."
    )


def _rise(claim: Claim, baseline: BaselineValue) -> str:
    """What rose, from what to what, by how much: without full stop."""
    metric, rise = claim.metric, claim.interval
    before = baseline.interval.estimate
    old, new = value_texts(metric, (before, before + rise.estimate), 0.0)
    by, lower, upper = difference_texts(
        metric, (rise.estimate, rise.lower, rise.upper), claim.limit
    )
    points = " percentage points" if in_percent(metric) else ""
    verb = "rose" if rise.estimate > 0 else "went"
    return (
        f"{metric_title(metric)} of an attacker using '{claim.attack}' {verb} from {old} to {new}, "
        f"by {by}{points} (95% between {lower} and {upper}, {_pairing(baseline)}), on "
        f"{rows_text(baseline.members, baseline.nonmembers)} in the baseline and {_rows(claim)} now"
    )


def _pairing(baseline: BaselineValue) -> str:
    if not baseline.paired:
        return "unpaired"
    shared = rows_text(baseline.shared_members, baseline.shared_nonmembers)
    return f"paired on {shared} that both measurements judged"


def _rows(claim: Claim) -> str:
    return rows_text(claim.members, claim.nonmembers)


def _what_would_settle(claim: Claim, needed: int) -> str:
    where = "of this slice in the splits" if claim.slice else "in the splits"
    if needed == NOT_DECIDABLE:
        return (
            f"Not decidable near this estimate: not even {MOST_TIMES} times the {claim.rows:,} "
            f"records {where} would settle it."
        )
    return (
        f"Some {round_up(needed):,} records {where} in place of {claim.rows:,} would settle it, "
        "if the estimate is right."
    )
