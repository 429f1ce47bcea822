"""What an attack does and sees, from the registry of attacks."""

from __future__ import annotations

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.reference_names import REFERENCE_ATTACKS
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.proto import privacy_results_pb2 as results_pb2


def attack_description(name: str) -> str:
    """One sentence, or two; empty for an attack that this version does not know."""
    attacker = split_name(name)[1]
    attack = _attack(name)
    if attack is None:
        return ""
    return f"{attack.description} By the attacker {attacker}." if attacker else attack.description


def has_white_box_attacks(results: results_pb2.PrivacyResults) -> bool:
    """Whether an attack that looks at gradients or activations is among those that ran."""
    if results.white_box.best_white_box:
        return True
    attacks = (_attack(one.name) for one in results.attacks if not split_name(one.name)[1])
    return any(attack is not None and attack.white_box_seen for attack in attacks)


def has_reference_attacks(results: results_pb2.PrivacyResults) -> bool:
    """Whether an attack that learns from reference models is among those that ran."""
    return any(uses_references(one.name) for one in results.attacks)


def uses_references(name: str) -> bool:
    """Whether an attack learns from reference models, whoever mounts it."""
    attack = _attack(name)
    return split_name(name)[0] in REFERENCE_ATTACKS or (
        attack is not None and attack.sees_references
    )


def looks_inside(name: str) -> bool:
    """Whether an attack looks at gradients or activations."""
    attack = _attack(name)
    return attack is not None and bool(attack.white_box_seen)


def _attack(name: str) -> Attack | None:
    """The attack itself, whoever mounts it; None where this version does not know it."""
    try:
        (attack,) = resolve_attacks([split_name(name)[0]])
    except ValueError:
        return None
    return attack
