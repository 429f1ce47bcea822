"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("TFX_PRIVACY_DATA", _ROOT.parent / "shared" / "data"))
    if not (folder / "location30.npz").is_file():
        pytest.skip(
            f"real data not found in {folder}; set TFX_PRIVACY_DATA to the folder that has it"
        )
    return folder
