"""Findings about slices in sentences, for a reader without statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_title
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.claim import Claim
from tfx_privacy.verdict.examination import SmallSlice
from tfx_privacy.verdict.limits import is_bound_from_below
from tfx_privacy.verdict.numerals import limit_text, rows_text, value_texts
from tfx_privacy.verdict.words import slice_text


def too_small(small: SmallSlice, minimum: thresholds_pb2.RecordCounts) -> str:
    """That a slice is too small to judge, which does not make it safe."""
    name = slice_text(small.key)
    if small.members >= minimum.members and small.nonmembers >= minimum.nonmembers:
        return (
            f"Slice {name} is too small to judge: of its "
            f"{rows_text(small.members, small.nonmembers)} fewer than two are left on one side to "
            "judge by."
        )
    return (
        f"Slice {name} is too small to judge ({small.members:,} of at least {minimum.members:,} "
        f"training records, {small.nonmembers:,} of at least {minimum.nonmembers:,} others)."
    )


def passing(worst: Claim, judged: int) -> str:
    """That no judged slice exceeds the limit."""
    limit = limit_text(worst.metric, worst.limit)
    return (
        f"PASS: the attack '{worst.attack}' does not exceed the limit of {limit} on "
        f"{metric_title(worst.metric)} in {_any_of(judged)}; {_worst(worst)}."
    )


def not_blocking(worst: Claim, judged: int) -> str:
    """That no judged slice was shown to exceed the limit, nor to keep it."""
    limit = limit_text(worst.metric, worst.limit)
    title = metric_title(worst.metric)
    return (
        f"NOT BLOCKED: the attack '{worst.attack}' was not shown to exceed the limit of {limit} on "
        f"{title} in {_any_of(judged)}; {_worst(worst)}."
    )


def others_blocking(count: int) -> str:
    """How many slices block beside the one spoken of; "" where none does."""
    if count == 0:
        return ""
    return " 1 other slice blocks as well." if count == 1 else f" {count} others block as well."


def no_slice(metric: Metric, limit: float, why: str) -> str:
    """Why a limit on slices was held against none."""
    return (
        f"the limit of {limit_text(metric, limit)} on {metric_title(metric)} in "
        f"slices was held against none: {why}."
    )


def not_every_slice(metric: Metric, limit: float, why: str) -> str:
    """Why a limit on slices could not be held against all of them."""
    return (
        f"the limit of {limit_text(metric, limit)} on {metric_title(metric)} could "
        f"not be held against every slice: {why}."
    )


def every_slice_must_pass() -> str:
    """Why small slices leave a threshold undecided that every slice must pass."""
    return (
        "CANNOT TELL: this threshold asks that every slice pass, and not every one could be "
        "judged. More records would settle it, or slicing_specs that leave such slices out."
    )


def cannot_tell(sentence: str) -> str:
    """That nothing, or not enough, was judged where it had to be."""
    return f"CANNOT TELL: {sentence}"


def not_judged(threshold: thresholds_pb2.PrivacyThreshold, sentence: str) -> str:
    """That there was nothing to judge: an answer where every slice must pass."""
    must_pass = threshold.role == thresholds_pb2.MUST_PASS
    return cannot_tell(sentence) if must_pass else f"NOT JUDGED: {sentence}"


def unjudged(count: int, minimum: thresholds_pb2.RecordCounts) -> str:
    """How many slices are too small to judge."""
    if count == 0:
        return "No slice was too small to judge."
    slices = "1 slice is" if count == 1 else f"{count} slices are"
    return (
        f"{slices} too small to judge (fewer than {minimum.members:,} training or "
        f"{minimum.nonmembers:,} other records in the splits); of these nothing was shown."
    )


def power(metric: Metric, limit: float, smallest: Sequence[float]) -> str:
    """Which leaks the judged slices would have shown.

    Args:
      metric: What is limited.
      limit: The largest value allowed.
      smallest: For each judged slice, the smallest value that would have blocked with
        80% power; infinite where none would.
    """
    title = metric_title(metric)
    reachable = sorted(value for value in smallest if math.isfinite(value))
    if not reachable:
        return "No judged slice has records enough to block at any value (80% power)."
    least, most = value_texts(metric, (reachable[0], reachable[-1]), limit)
    from_where = least if least == most else f"between {least} and {most}, depending on the slice"
    sentence = f"The smallest {title} that would have been blocked with 80% power is {from_where}"
    blind = len(smallest) - len(reachable)
    if blind:
        sentence += f"; in {blind} of {len(smallest)} slices none would have been"
    return sentence + "."


def _worst(claim: Claim) -> str:
    at = f"in slice {slice_text(claim.slice)}, on {rows_text(claim.members, claim.nonmembers)}"
    if is_bound_from_below(claim.metric):
        (lower,) = value_texts(claim.metric, [claim.interval.lower], claim.limit)
        return f"the largest bound, which is no upper limit, is {lower}, {at}"
    (upper,) = value_texts(claim.metric, [claim.interval.upper], claim.limit)
    return f"the worst upper bound is {upper} (95%), {at}"


def _any_of(judged: int) -> str:
    return "the one slice that was judged" if judged == 1 else f"any of the {judged} slices judged"
