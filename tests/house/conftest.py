"""What the tests of the house look at: the files of the tree, as a clone would have them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tree(root: Path) -> frozenset[str]:
    """Paths, relative to the root, of the files that git has or does not ignore."""
    if not shutil.which("git") or not (root / ".git").exists():
        pytest.skip(f"{root} is no git checkout, which tells the project's files from others")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return frozenset(path for path in listed if path and (root / path).is_file())


@pytest.fixture(scope="session")
def rooms(tree: frozenset[str]) -> frozenset[str]:
    """Folders of the package, relative to the root, in it that of the protos."""
    folders = {Path(path).parent.as_posix() for path in tree if Path(path).name == "__init__.py"}
    return frozenset({*folders, "proto"} - {"."})


@pytest.fixture(scope="session")
def package_files(tree: frozenset[str], rooms: frozenset[str]) -> frozenset[str]:
    """Files, relative to the root, that an installed package has."""
    at_root = {path for path in tree if "/" not in path and path.endswith(".py")}
    in_rooms = {
        path
        for path in tree
        if Path(path).name != "BUILD"
        and any(parent.as_posix() in rooms for parent in Path(path).parents)
    }
    return frozenset((at_root | in_rooms | {"py.typed"}) - {"setup.py"})
