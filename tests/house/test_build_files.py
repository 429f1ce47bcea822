"""setup.py and the BUILD files know every room, and whom it imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path


def build_deps(root: Path, folder: str) -> set[str]:
    """Folders that the targets of a folder's BUILD file depend on."""
    text = (root / folder / "BUILD").read_text()
    labels = re.findall(r'"//([\w/]*):?\w*"', text)
    return set(labels) - {"", "visibility"}


def rooms_with_targets(root: Path, rooms: frozenset[str]) -> frozenset[str]:
    """The rooms but those that belong to the target of the room they lie in."""
    return frozenset(room for room in rooms if "/" not in room or (root / room / "BUILD").exists())


def code_of(root: Path, folder: str, rooms: frozenset[str]) -> list[Path]:
    """The files of a folder and of rooms in it that have no target of their own."""
    within = {room for room in rooms - rooms_with_targets(root, rooms) if room.startswith(folder)}
    return [path for each in (folder, *within) for path in (root / each).glob("*.py")]


def imported_rooms(root: Path, folder: str, rooms: frozenset[str]) -> set[str]:
    """Folders of the package that the code of a folder imports, anywhere in it."""
    names = set()
    for path in code_of(root, folder, rooms):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    folders = {
        parent.as_posix()
        for name in names
        if name.startswith("tfx_privacy.")
        for path in [Path(*name.split(".")[1:])]
        for parent in [path, *path.parents]
        if parent.as_posix() in rooms_with_targets(root, rooms)
    }
    # The room that holds one is a parent, not an import: components/privacy_gate is enough.
    nested = {Path(each).parent.as_posix() for each in folders}
    return folders - nested - {folder}


def test_setup_lists_every_room(root: Path, rooms: frozenset[str]) -> None:
    listed = next(
        ast.literal_eval(node.value)
        for node in ast.parse((root / "setup.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS"
    )
    assert {room.replace(".", "/") for room in listed} == rooms
    assert len(listed) == len(rooms)


def test_every_room_has_a_target_of_its_name(root: Path, rooms: frozenset[str]) -> None:
    targets = {
        room: re.findall(r'^    name = "(\w+)"', (root / room / "BUILD").read_text(), re.MULTILINE)
        for room in rooms_with_targets(root, rooms)
    }
    assert [room for room, names in targets.items() if Path(room).name not in names] == []


def test_the_whole_depends_on_every_room(root: Path, rooms: frozenset[str]) -> None:
    assert build_deps(root, ".") == {room for room in rooms if "/" not in room}


def test_deps_are_what_the_rooms_import(root: Path, rooms: frozenset[str]) -> None:
    missing = {
        room: lacking
        for room in sorted(rooms_with_targets(root, rooms))
        if (lacking := imported_rooms(root, room, rooms) - build_deps(root, room))
    }
    assert missing == {}


def test_tests_of_a_room_are_targets(root: Path, tree: frozenset[str]) -> None:
    folders = {Path(path).parent for path in tree if re.match(r"tests/.*/test_\w+\.py$", path)}
    assert Path("tests/house") in folders
    # The house's tests are about files that Bazel does not see.
    builds = [root / folder / "BUILD" for folder in folders - {Path("tests/house")}]
    assert [path for path in builds if "pytest_tests(deps" not in path.read_text()] == []
