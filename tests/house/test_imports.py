"""What importing brings in, and that the tree is one package under one name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfx_privacy

HEAVY = {"apache_beam", "keras", "kfp", "tensorflow", "tf_keras", "tfx"}
# What metrics and verdict do without: DESIGN allows them NumPy, SciPy and the protos.
BESIDE_NUMPY_AND_SCIPY = HEAVY | {"jinja2", "matplotlib", "pandas", "pyarrow", "sklearn"}
PROTO_NAMES = ("PrivacyConfig", "PrivacyResults", "PrivacyThresholds")

_REPORT = """
import importlib, json, sys, time
start = time.perf_counter()
for name in sys.argv[1:]:
    module, _, attribute = name.partition(":")
    module = importlib.import_module(module)
    if attribute:
        getattr(module, attribute)
seconds = time.perf_counter() - start
print(json.dumps([seconds, list(sys.modules)]))
"""


def import_apart(*names: str) -> tuple[float, set[str]]:
    """Imports modules, or `module:attribute`, in a process of their own.

    Returns:
      The seconds it took, and the modules that are there afterwards.
    """
    printed = subprocess.run(
        [sys.executable, "-c", _REPORT, *names], capture_output=True, text=True, check=True
    ).stdout
    seconds, modules = json.loads(printed)
    return seconds, set(modules)


def modules_of(room: str, package_files: frozenset[str]) -> list[str]:
    """Dotted names of the modules of a room."""
    paths = (Path(path) for path in package_files if re.match(rf"{room}/.*\.py$", path))
    names = (".".join(["tfx_privacy", *path.with_suffix("").parts]) for path in paths)
    return sorted(name.removesuffix(".__init__") for name in names)


def test_importing_the_package_is_quick_and_light() -> None:
    seconds, modules = import_apart("tfx_privacy")
    assert seconds < 1
    assert modules.isdisjoint(HEAVY | {"google.protobuf", "numpy"})


@pytest.mark.parametrize("name", PROTO_NAMES)
def test_protos_are_public_without_tfx(name: str) -> None:
    _, modules = import_apart(f"tfx_privacy:{name}")
    assert "google.protobuf" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("room", ["metrics", "verdict"])
def test_room_needs_numpy_and_scipy_alone(room: str, package_files: frozenset[str]) -> None:
    names = modules_of(room, package_files)
    assert len(names) > 1
    _, modules = import_apart(*names)
    assert modules.isdisjoint(BESIDE_NUMPY_AND_SCIPY)


def test_every_public_name_comes_from_its_home() -> None:
    assert set(tfx_privacy.__all__) == {*tfx_privacy._HOMES, "__version__"}
    for name, home in tfx_privacy._HOMES.items():
        value = getattr(tfx_privacy, name)
        assert value is getattr(sys.modules[home], name)
        assert value.__name__ == name


def test_public_names_are_listed_before_they_are_loaded() -> None:
    code = "import tfx_privacy; print(set(tfx_privacy.__all__) <= set(dir(tfx_privacy)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed == b"True\n"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'tfx_privacy' has no attribute 'PrivacyOracle'"):
        tfx_privacy.PrivacyOracle  # noqa: B018


def test_tree_is_imported_once_under_one_name(root: Path) -> None:
    # pytest takes a folder with an __init__.py for a package of tests: its configuration must keep
    # it from importing the root a second time, under the name of the folder.
    files = {
        name: Path(file)
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None))
    }
    assert files["tfx_privacy"].resolve() == root / "__init__.py"
    others = [
        name
        for name, file in files.items()
        if name.partition(".")[0] != "tfx_privacy"
        and root in file.parents
        and file.relative_to(root).parts[0] not in {".venv", "tests", "tools"}
    ]
    assert others == []
