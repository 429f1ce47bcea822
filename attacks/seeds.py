"""Seeds of the parts of a run, all from the one seed of the configuration."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *purpose: str) -> int:
    """A seed in [0, 2^31) for one purpose: independent of those for other purposes.

    31 bits, because that is what every backend's initialisers take.
    """
    digest = hashlib.blake2b("\0".join([str(seed), *purpose]).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1
