"""The verdict at the head of the gate's page."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.thresholds_table import outcome_style, outcome_text

_MEANINGS = {
    verdict_pb2.PASS: "The attacks that ran do not exceed the limits.",
    verdict_pb2.BLOCK: "An attack exceeds a limit.",
    verdict_pb2.CANNOT_TELL: (
        "The evidence shows neither that the limits are kept nor that they are exceeded."
    ),
}


@dataclasses.dataclass(frozen=True)
class Banner:
    """What the gate decided.

    Attributes:
      style: "pass", "block" or "tell": colour and sign.
      outcome: "PASS", "BLOCK" or "CANNOT TELL".
      meaning: The outcome in a sentence.
      blessing: Whether the model is blessed, and what that means.
      is_blessed: The same as a fact.
      quality: What was given of the Evaluator's blessing; empty where nothing was.
      reasons: Why, the deciding ones first.
    """

    style: str
    outcome: str
    meaning: str
    blessing: str
    is_blessed: bool
    quality: str
    reasons: list[str]


def banner_of(verdict: verdict_pb2.PrivacyVerdict) -> Banner:
    """The banner for a verdict."""
    return Banner(
        style=outcome_style(verdict.outcome),
        outcome=outcome_text(verdict.outcome),
        meaning=_MEANINGS.get(verdict.outcome, "Nothing was decided."),
        blessing=blessing_text(verdict),
        is_blessed=verdict.blessed,
        quality=quality_text(verdict),
        reasons=list(verdict.reasons),
    )


def blessing_text(verdict: verdict_pb2.PrivacyVerdict) -> str:
    """Whether the model is blessed, in a sentence."""
    if verdict.blessed and verdict.blessed_with_warning:
        return (
            "Blessed with a warning: nothing is wrong but intervals that are too wide, "
            "and the gate's policy blesses such a model."
        )
    if verdict.blessed:
        return "Blessed: the model may be pushed."
    if verdict.outcome == verdict_pb2.PASS and verdict.HasField("quality_blessed"):
        return (
            "Not blessed: the privacy limits are kept, but the Evaluator did not bless the model."
        )
    return "Not blessed: the model is not to be pushed."


def quality_text(verdict: verdict_pb2.PrivacyVerdict) -> str:
    """What the Evaluator said of the model's quality; empty where it was not asked."""
    if not verdict.HasField("quality_blessed"):
        return ""
    said = "blessed" if verdict.quality_blessed else "did not bless"
    return f"The Evaluator {said} the model's quality."
