"""Why a verdict is what it is: the deciding sentences first."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict import policy_words
from tfx_privacy.verdict.controls import that_forbid_a_pass, that_void_everything
from tfx_privacy.verdict.policy import Blessing, must_pass, skipped


def reasons_of(
    verdict: verdict_pb2.PrivacyVerdict,
    results: results_pb2.PrivacyResults,
    unmet: Sequence[str],
    blessing: Blessing,
) -> list[str]:
    """What decides, the other findings, the other controls, then what to know beside them.

    Args:
      verdict: Complete but for its reasons.
      results: What was measured.
      unmet: Why nothing can pass whatever the limits say.
      blessing: What privacy says of the model.
    """
    deciding = _deciding(verdict, unmet)
    reasons = [*deciding, *_others(verdict, unmet, deciding)]
    if verdict.HasField("quality_blessed") and not verdict.quality_blessed:
        # It decides alone where privacy would have blessed; else it comes on top.
        at = len(deciding) if blessing == Blessing.REFUSED else 0
        reasons.insert(at, policy_words.quality_refused())
    reasons.extend(_policy(verdict, blessing))
    reasons.extend(policy_words.skipped(one.name, one.reason) for one in results.skipped_attacks)
    return reasons


def _deciding(verdict: verdict_pb2.PrivacyVerdict, unmet: Sequence[str]) -> list[str]:
    void = that_void_everything(verdict.controls)
    if void:
        return [policy_words.control_voids(control) for control in void]
    if verdict.outcome == verdict_pb2.BLOCK:
        blocking = [one for one in verdict.findings if one.outcome == verdict_pb2.BLOCK]
        return [finding.reason for finding in blocking]
    counting = must_pass(verdict.findings)
    deciding = list(unmet) if verdict.outcome == verdict_pb2.CANNOT_TELL else []
    if not counting:
        deciding.append(_nothing_judged(verdict))
    deciding.extend(one.reason for one in counting if one.outcome == verdict.outcome)
    return deciding


def _others(
    verdict: verdict_pb2.PrivacyVerdict, unmet: Sequence[str], deciding: Sequence[str]
) -> list[str]:
    others = [one.reason for one in verdict.findings if one.reason not in deciding]
    others.extend(reason for reason in unmet if reason not in deciding)
    said = [*that_void_everything(verdict.controls), *that_forbid_a_pass(verdict.controls)]
    others.extend(
        policy_words.control(control) for control in verdict.controls if control not in said
    )
    return others


def _nothing_judged(verdict: verdict_pb2.PrivacyVerdict) -> str:
    if skipped(verdict.findings):
        return policy_words.nothing_but_change()
    return policy_words.nothing_must_pass()


def _policy(verdict: verdict_pb2.PrivacyVerdict, blessing: Blessing) -> list[str]:
    if verdict.blessed_with_warning:
        return [policy_words.blessed_with_warning()]
    if (
        verdict.outcome == verdict_pb2.CANNOT_TELL
        and blessing == Blessing.REFUSED
        and verdict.thresholds.on_cannot_tell == thresholds_pb2.BLESSED_WITH_WARNING
    ):
        return [policy_words.policy_does_not_apply()]
    return []
