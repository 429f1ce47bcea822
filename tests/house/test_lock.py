"""requirements.lock holds what setup.py asks for, each with hashes and without an address."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def lock(root: Path) -> str:
    return (root / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def pins(lock: str) -> dict[str, str]:
    """Version by canonical name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+)", lock, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def requirements(root: Path, name: str) -> list[Requirement]:
    """A tuple of setup.py, read without running it."""
    for node in ast.parse((root / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return [Requirement(text) for text in ast.literal_eval(node.value)]
    raise AssertionError(f"setup.py assigns no {name}")


@pytest.mark.parametrize("name", ["RUNTIME", "DEV"])
def test_lock_satisfies_setup(root: Path, pins: dict[str, str], name: str) -> None:
    asked = requirements(root, name)
    assert len(asked) > 5
    unmet = [
        str(each)
        for each in asked
        if not each.specifier.contains(pins.get(canonicalize_name(each.name), "0"))
        or canonicalize_name(each.name) not in pins
    ]
    assert unmet == [], "run `make lock`"


def test_every_pin_has_a_hash(lock: str, pins: dict[str, str]) -> None:
    code = [line for line in lock.splitlines() if not line.lstrip().startswith("#")]
    entries = re.split(r"\n(?=\S)", "\n".join(code))
    assert len(entries) == len(pins)
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_lock_has_no_address(lock: str) -> None:
    assert "://" not in lock
    assert not re.search(r"^--?[a-z]", lock, flags=re.MULTILINE)
