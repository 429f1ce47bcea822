"""PrivacyThresholds checked once, with every default filled in."""

from __future__ import annotations

from tfx_privacy.attacks.attacker_name import attack_of, split_name
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.verdict.limits import resolve_thresholds


def resolve_gate_thresholds(
    thresholds: thresholds_pb2.PrivacyThresholds,
) -> thresholds_pb2.PrivacyThresholds:
    """A copy with every default filled in.

    A set of attacks among those required stands for each of its attacks, by the attacker
    that is named with it: "fast@weak".

    Raises:
      InputError: If a metric or an attack is unknown, or a limit or a policy out of
        its range.
    """
    try:
        resolved = resolve_thresholds(thresholds)
    except ValueError as error:
        raise InputError(f"thresholds: {error}") from error
    try:
        names = [one for given in resolved.required_attacks for one in _named(given)]
    except ValueError as error:
        raise InputError(f"thresholds: required_attacks: {error}") from error
    del resolved.required_attacks[:]
    resolved.required_attacks.extend(dict.fromkeys(names))
    return resolved


def _named(given: str) -> list[str]:
    base, attacker = split_name(given)
    return [attack_of(attack.name, attacker) for attack in resolve_attacks([base])]
