"""Thresholds as the gate takes them."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.thresholds import resolve_gate_thresholds
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals.errors import InputError


def _thresholds(text: str) -> thresholds_pb2.PrivacyThresholds:
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


def test_a_set_of_attacks_stands_for_each_of_them() -> None:
    given = _thresholds('required_attacks: ["fast", "loss_threshold", "network"]')
    resolved = resolve_gate_thresholds(given)
    fast = [attack.name for attack in resolve_attacks(["fast"])]
    assert list(resolved.required_attacks) == [*fast, "network"]
    assert resolve_gate_thresholds(resolved) == resolved
    assert list(given.required_attacks) == ["fast", "loss_threshold", "network"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'required_attacks: "los"',
            "thresholds: required_attacks: found .los., which is no",
        ),
        ("minimum_records { members: -1 }", "thresholds: minimum_records: found -1 members"),
        ('thresholds { metric { name: "acc" } upper_limit: 0.6 }', "thresholds: .*name 'acc'"),
    ],
)
def test_wrong_thresholds_are_wrong_input(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_gate_thresholds(_thresholds(text))
