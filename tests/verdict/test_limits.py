"""Thresholds and their defaults."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.limits import resolve_thresholds


def _thresholds(text: str) -> thresholds_pb2.PrivacyThresholds:
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


def test_defaults() -> None:
    assert resolve_thresholds(thresholds_pb2.PrivacyThresholds()) == _thresholds(
        """
        thresholds { metric { name: "auc" } upper_limit: 0.55 role: MUST_PASS }
        thresholds { metric { name: "advantage" } upper_limit: 0.1 role: MUST_PASS }
        thresholds { metric { name: "tpr_at_fpr" fpr: 0.01 } upper_limit: 0.02 role: MUST_PASS }
        on_cannot_tell: NOT_BLESSED
        """
    )


def test_what_is_left_open_is_filled_in() -> None:
    given = _thresholds('thresholds { metric { name: "precision" } upper_limit: 0.6 }')
    assert resolve_thresholds(given) == _thresholds(
        """
        thresholds {
          metric { name: "precision" prior: 0.5 } upper_limit: 0.6 role: MUST_PASS
        }
        on_cannot_tell: NOT_BLESSED
        """
    )
    assert not given.thresholds[0].role


def test_what_is_set_is_kept_and_resolving_again_changes_nothing() -> None:
    given = _thresholds(
        """
        thresholds { metric { name: "auc" } upper_limit: 0.52 role: MUST_PASS }
        thresholds { metric { name: "auc" } upper_limit: 0.6 role: BLOCK_ONLY }
        on_cannot_tell: BLESSED_WITH_WARNING
        """
    )
    assert resolve_thresholds(given) == given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('thresholds { metric { name: "acc" } upper_limit: 0.6 }', "found name 'acc'"),
        ("thresholds { upper_limit: 0.6 }", "found name ''"),
        ('thresholds { metric { name: "auc" } }', "AUC: found no upper_limit, .* above 0.5"),
        ('thresholds { metric { name: "auc" } upper_limit: 0 }', "found upper_limit 0, "),
        ('thresholds { metric { name: "auc" } upper_limit: -0.1 }', "found upper_limit -0.1"),
        ('thresholds { metric { name: "auc" } upper_limit: 0.5 }', "found upper_limit 0.5"),
        ('thresholds { metric { name: "auc" } upper_limit: 1 }', "found upper_limit 1, "),
        ('thresholds { metric { name: "auc" } upper_limit: nan }', "found upper_limit nan"),
        (
            'thresholds { metric { name: "tpr_at_fpr" fpr: 0.1 } upper_limit: 0.1 }',
            "TPR at 10% FPR: found upper_limit 0.1, expected a number above 0.1",
        ),
        (
            'thresholds { metric { name: "precision" prior: 0.1 } upper_limit: 0.05 }',
            "precision at prior 10%: found upper_limit 0.05, expected a number above 0.1",
        ),
        (
            """
            thresholds { metric { name: "auc" } upper_limit: 0.6 }
            thresholds { metric { name: "auc" } upper_limit: 0.7 role: MUST_PASS }
            """,
            "AUC: found two of role MUST_PASS, with upper_limit 0.6 and 0.7",
        ),
    ],
)
def test_wrong_thresholds_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_thresholds(_thresholds(text))
