"""The digest that makes TFX's cache notice a change of the package's code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tfx_privacy.evaluation import code_version

_ROOMS = (
    "signals",
    "attacks",
    "reference_models",
    "metrics",
    "verdict",
    "reports",
    "evaluation",
    "components",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms that a node runs, in a tree that may be changed."""
    root = Path(code_version.__file__).parent.parent
    for room in (*_ROOMS, "proto"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / room, tmp_path / room, ignore=ignored)
    return tmp_path


def test_equal_sources_have_one_digest(copy: Path) -> None:
    assert code_version.digest_of_sources(copy) == code_version.code_digest()


@pytest.mark.parametrize("room", _ROOMS)
def test_a_change_of_any_room_changes_it(copy: Path, room: str) -> None:
    before = code_version.digest_of_sources(copy)
    with (copy / room / "__init__.py").open("a") as source:
        source.write("# another line\n")
    assert code_version.digest_of_sources(copy) != before


def test_a_change_of_a_template_changes_it(copy: Path) -> None:
    before = code_version.digest_of_sources(copy)
    (copy / "reports" / "page.html.j2").write_text("another page")
    assert code_version.digest_of_sources(copy) != before


def test_what_is_no_source_does_not(copy: Path) -> None:
    before = code_version.digest_of_sources(copy)
    (copy / "signals" / "BUILD").write_text("another rule")
    assert code_version.digest_of_sources(copy) == before


def test_without_sources_there_is_no_digest(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no sources of tfx_privacy"):
        code_version.digest_of_sources(tmp_path)
