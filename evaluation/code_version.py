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
    "reference_models",
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
    return digest_of_sources(_ROOT)


def digest_of_sources(root: Path) -> str:
    """The digest of the rooms below a root, hexadecimal.

    Raises:
      RuntimeError: If there are no sources: of a package without them nobody can
        tell whether its code has changed.
    """
    found = [path for room in _ROOMS for path in sorted((root / room).rglob("*"))]
    sources = [path for path in found if path.suffix in _SUFFIXES]
    if not sources:
        raise RuntimeError(
            f"no sources of tfx_privacy below {root}: expected an installation with its .py files, "
            "not a zip or compiled files alone"
        )
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def code_version() -> str:
    """Version and digest in one string, for a node's properties."""
    return f"{__version__}+{code_digest()}"
