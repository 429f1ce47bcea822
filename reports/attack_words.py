"""What an attack does, from the registry of attacks."""

from __future__ import annotations

from tfx_privacy.attacks.registry import resolve_attacks


def attack_description(name: str) -> str:
    """One sentence; empty for an attack that this version does not know."""
    try:
        (attack,) = resolve_attacks([name])
    except ValueError:
        return ""
    return attack.description
