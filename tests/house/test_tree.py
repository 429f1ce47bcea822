"""Rules that every file of the tree keeps."""

from __future__ import annotations

import re
from pathlib import Path

# Folders of somebody's machine, and registries of packages.
FOREIGN = re.compile(
    r"(?<![\w.>})])/(?:root|home|Users|work)/\w"
    r"|//[\w.-]*(?:pypi|pythonhosted|npmjs|jsdelivr|unpkg|artifactory)\b"
)


def test_pattern_finds_what_it_is_for() -> None:
    assert FOREIGN.search("open('/ro" + "ot/data')")
    assert FOREIGN.search("cd /wo" + "rk/main")
    assert FOREIGN.search("https://py" + "pi.org/simple")
    assert FOREIGN.search("https://files.python" + "hosted.org/packages")
    assert not FOREIGN.search("the network/work/flow of a/home/page")


def test_no_file_names_a_machine_or_a_registry(root: Path, tree: frozenset[str]) -> None:
    found = []
    for path in sorted(tree):
        text = (root / path).read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path}: {match[0]}" for match in FOREIGN.finditer(text)]
    assert found == []


def test_no_room_is_named_like_another_module(rooms: frozenset[str]) -> None:
    # The root is on sys.path when someone runs from it; a regular package there would hide these.
    import importlib.metadata
    import sys

    top_level = {room for room in rooms if "/" not in room} - {"proto"}
    assert top_level >= {"signals", "attacks", "metrics", "verdict"}
    assert top_level.isdisjoint(sys.stdlib_module_names)
    assert top_level.isdisjoint(importlib.metadata.packages_distributions())


def test_protos_stay_a_namespace(tree: frozenset[str]) -> None:
    # An __init__.py would make it hide proto-plus, which is imported as `proto`.
    assert "proto/__init__.py" not in tree
    assert "proto/privacy_config_pb2.py" in tree


def test_tests_are_no_package(tree: frozenset[str]) -> None:
    assert [path for path in tree if path.startswith("tests/") and "__init__" in path] == []
