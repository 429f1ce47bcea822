"""What an attack does, from the registry of attacks."""

from __future__ import annotations

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.registry import resolve_attacks


def attack_description(name: str) -> str:
    """One sentence, or two; empty for an attack that this version does not know."""
    base, attacker = split_name(name)
    try:
        (attack,) = resolve_attacks([base])
    except ValueError:
        return ""
    return f"{attack.description} By the attacker {attacker}." if attacker else attack.description
