"""Which code measured: the package's version and a digest of its sources."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from tfx_privacy.version import __version__

_ROOT = Path(__file__).resolve().parent.parent
# The rooms whose code decides what a node of a pipeline emits.
_ROOMS = (
    "proto",
    "signals",
    "attacks",
    "metrics",
    "verdict",
    "reports",
    "evaluation",
    "components",
)
_SUFFIXES = (".py", ".j2", ".css")


@functools.lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of the sources of every room that a node runs, hexadecimal.

    TFX's cache looks at inputs and properties and at no code; a node that has
    this among its properties runs again where the code has changed.
    """
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((_ROOT / room).rglob("*")):
            if path.suffix in _SUFFIXES:
                digest.update(path.relative_to(_ROOT).as_posix().encode())
                digest.update(b"\0")
                digest.update(path.read_bytes())
                digest.update(b"\0")
    return digest.hexdigest()[:32]


def code_version() -> str:
    """Version and digest in one string, for a node's properties."""
    return f"{__version__}+{code_digest()}"
