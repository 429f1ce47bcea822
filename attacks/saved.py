"""Fitted attacks as files: numbers in attack.npz, their description in attack.json.

No pickle: what is read is arrays and JSON, whoever wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Raise it whenever an older file would be misread.
_VERSION = 1
_DESCRIPTION = "attack.json"
_ARRAYS = "attack.npz"


def save_attack(directory: Path, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Writes an attack of that name, with what it learned."""
    if arrays:
        np.savez(directory / _ARRAYS, **arrays)
    description = json.dumps({"attack": name, "version": _VERSION})
    (directory / _DESCRIPTION).write_text(description + "\n", encoding="utf-8")


def load_attack(directory: Path, name: str) -> dict[str, NDArray[Any]]:
    """What `save_attack` wrote for an attack of that name; no arrays give {}.

    Raises:
      ValueError: If the directory holds another attack, or another version of it.
    """
    found = json.loads((directory / _DESCRIPTION).read_text(encoding="utf-8"))
    expected = {"attack": name, "version": _VERSION}
    if found != expected:
        raise ValueError(f"{directory / _DESCRIPTION} describes {found}, expected {expected}")
    if not (directory / _ARRAYS).exists():
        return {}
    with np.load(directory / _ARRAYS, allow_pickle=False) as arrays:
        return dict(arrays)
