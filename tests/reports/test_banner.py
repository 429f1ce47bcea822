"""What the banner says of each verdict; expected sentences are written by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.banner import banner_of


@pytest.mark.parametrize(
    ("verdict", "outcome", "blessing", "quality"),
    [
        (
            verdict_pb2.PrivacyVerdict(outcome=verdict_pb2.PASS, blessed=True),
            "PASS",
            "Blessed: the model may be pushed.",
            "",
        ),
        (
            verdict_pb2.PrivacyVerdict(outcome=verdict_pb2.BLOCK, quality_blessed=True),
            "BLOCK",
            "Not blessed: the model is not to be pushed.",
            "The Evaluator blessed the model's quality.",
        ),
        (
            verdict_pb2.PrivacyVerdict(outcome=verdict_pb2.PASS, quality_blessed=False),
            "PASS",
            "Not blessed: the privacy limits are kept, but the Evaluator did not bless the model.",
            "The Evaluator did not bless the model's quality.",
        ),
        (
            verdict_pb2.PrivacyVerdict(
                outcome=verdict_pb2.CANNOT_TELL, blessed=True, blessed_with_warning=True
            ),
            "CANNOT TELL",
            "Blessed with a warning: nothing is wrong but intervals that are too wide, and the "
            "gate's policy blesses such a model.",
            "",
        ),
        (
            verdict_pb2.PrivacyVerdict(),
            "NO VERDICT",
            "Not blessed: the model is not to be pushed.",
            "",
        ),
    ],
)
def test_banner(verdict, outcome, blessing, quality):
    banner = banner_of(verdict)
    assert (banner.outcome, banner.blessing, banner.quality) == (outcome, blessing, quality)


def _finding(reason, outcome, role=thresholds_pb2.MUST_PASS):
    return verdict_pb2.Finding(
        threshold=thresholds_pb2.PrivacyThreshold(role=role), outcome=outcome, reason=reason
    )


def test_the_banner_has_the_reasons_that_decide_and_leaves_the_others_to_tables():
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.BLOCK,
        reasons=["AUC is high.", "TPR is low.", "Duplicates checked: none.", "One did not run."],
        findings=[
            _finding("TPR is low.", verdict_pb2.PASS),
            _finding("AUC is high.", verdict_pb2.BLOCK, thresholds_pb2.BLOCK_ONLY),
        ],
    )
    verdict.controls.add(
        control=config_pb2.DUPLICATES, outcome=verdict_pb2.CONTROL_PASSED, reason="none."
    )
    banner = banner_of(verdict)
    assert banner.reasons == ["AUC is high.", "One did not run."]
    assert banner.findings_count


def test_what_can_only_block_does_not_explain_a_pass():
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.PASS,
        reasons=["AUC is low.", "No slice leaks."],
        findings=[
            _finding("AUC is low.", verdict_pb2.PASS),
            _finding("No slice leaks.", verdict_pb2.PASS, thresholds_pb2.BLOCK_ONLY),
        ],
    )
    assert banner_of(verdict).reasons == ["AUC is low."]


@pytest.mark.parametrize(
    ("control", "is_distrusted"),
    [
        (config_pb2.BLIND_BASELINE, True),
        (config_pb2.NEGATIVE_CONTROL, True),
        (config_pb2.POSITIVE_CONTROL, False),
    ],
)
def test_where_a_control_failed_no_finding_counts(control, is_distrusted):
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.CANNOT_TELL,
        reasons=["The control failed.", "AUC is high."],
        findings=[_finding("AUC is high.", verdict_pb2.BLOCK)],
    )
    verdict.controls.add(control=control, outcome=verdict_pb2.CONTROL_FAILED, reason="It failed.")
    banner = banner_of(verdict)
    assert banner.findings_count != is_distrusted
    assert banner.reasons[0] == "The control failed."
    distrust = "The measurement itself cannot be trusted: a control failed."
    assert (banner.meaning == distrust) == is_distrusted
    assert ("AUC is high." in banner.reasons) is False


def test_pass_never_says_safe():
    banner = banner_of(verdict_pb2.PrivacyVerdict(outcome=verdict_pb2.PASS, blessed=True))
    assert banner.meaning == "The attacks that ran do not exceed the limits."


def test_a_pass_with_nothing_held_against_a_limit_says_so():
    skipped = _finding("Skipped.", verdict_pb2.PASS)
    skipped.skipped = True
    verdict = verdict_pb2.PrivacyVerdict(outcome=verdict_pb2.PASS, findings=[skipped])
    assert banner_of(verdict).meaning == (
        "Nothing was held against a limit yet: there is no baseline to count a change from."
    )
    verdict.findings.append(_finding("AUC is low.", verdict_pb2.PASS))
    assert banner_of(verdict).meaning == "The attacks that ran do not exceed the limits."
