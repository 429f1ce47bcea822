"""What the banner says of each verdict; expected sentences are written by hand."""

from __future__ import annotations

import pytest

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


def test_pass_never_says_safe():
    banner = banner_of(verdict_pb2.PrivacyVerdict(outcome=verdict_pb2.PASS, blessed=True))
    assert banner.meaning == "The attacks that ran do not exceed the limits."
