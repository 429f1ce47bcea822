"""Names of attacks by attackers that know less: "network@weak"."""

from __future__ import annotations

_SEPARATOR = "@"


def attack_of(attack: str, attacker: str) -> str:
    """The name of an attack by an attacker; "" is the attacker who knows most."""
    return f"{attack}{_SEPARATOR}{attacker}" if attacker else attack


def split_name(name: str) -> tuple[str, str]:
    """Attack and attacker: ("network", "weak") of "network@weak", ("network", "") of "network"."""
    attack, _, attacker = name.partition(_SEPARATOR)
    return attack, attacker
