"""The sdist and the wheel hold the package, whole and nothing else, and import by its name."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

# What an sdist has beside the package: how to build it, and what its reader wants to know.
SDIST_EXTRAS = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "pyproject.toml",
    "setup.py",
}
# What setuptools writes itself.
SDIST_GENERATED = ("PKG-INFO", "setup.cfg", "tfx_privacy.egg-info/")


@dataclass(frozen=True)
class Built:
    """Contents by path of what `python -m build` made: the sdist, and the wheel from it."""

    source: Path
    sdist: dict[str, bytes]
    wheel: dict[str, bytes]
    wheel_path: Path


@pytest.fixture(scope="module")
def built(root: Path, tree: frozenset[str], tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("packaging")
    # Built from a copy: setuptools leaves an egg-info, and reads one that lies about.
    for path in tree:
        target = folder / "tree" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / path).read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", "tree"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist_path,) = (folder / "dist").glob("*.tar.gz")
    (wheel_path,) = (folder / "dist").glob("*.whl")
    with tarfile.open(sdist_path) as archive:
        sdist = {
            member.name.partition("/")[2]: content.read()
            for member in archive.getmembers()
            if (content := archive.extractfile(member)) is not None
        }
    with zipfile.ZipFile(wheel_path) as wheel:
        contents = {name: wheel.read(name) for name in wheel.namelist()}
    return Built(folder / "tree", sdist, contents, wheel_path)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has the wheel installed and nothing else."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", site, built.wheel_path], check=True)
    return site


def run_python(code: str, *args: str | Path, cwd: Path) -> str:
    """What the code prints, run apart from this process, its folder and its variables."""
    return subprocess.run(
        [sys.executable, "-I", "-c", code, *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_sdist_holds_the_package_and_how_to_build_it(
    built: Built, package_files: frozenset[str]
) -> None:
    found = {path for path in built.sdist if not path.startswith(SDIST_GENERATED)}
    assert found == package_files | SDIST_EXTRAS
    differing = [path for path in found if built.sdist[path] != (built.source / path).read_bytes()]
    assert differing == []


def test_wheel_holds_the_package_and_nothing_else(
    built: Built, package_files: frozenset[str]
) -> None:
    found = {path for path in built.wheel if ".dist-info/" not in path}
    assert found == {f"tfx_privacy/{path}" for path in package_files}
    differing = [
        path
        for path in package_files
        if built.wheel[f"tfx_privacy/{path}"] != (built.source / path).read_bytes()
    ]
    assert differing == []


def test_package_files_are_the_code_and_what_it_reads(package_files: frozenset[str]) -> None:
    # Guards the two tests above, which compare with this set.
    assert {
        "__init__.py",
        "__main__.py",
        "version.py",
        "py.typed",
        "proto/privacy_config.proto",
        "proto/privacy_config_pb2.py",
        "proto/privacy_config_pb2.pyi",
        "components/privacy_gate/executor.py",
    } <= package_files
    assert not [path for path in package_files if path.startswith(("tests/", "docs/", "tools/"))]


def test_wheel_imports_as_tfx_privacy(installed: Path) -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import tfx_privacy
from tfx_privacy.metrics import counts
from tfx_privacy.proto import privacy_config_pb2
print(tfx_privacy.__version__, tfx_privacy.PrivacyConfig.DESCRIPTOR.full_name)
for module in (tfx_privacy, counts, privacy_config_pb2):
    print(module.__file__)
"""
    first, *files = run_python(code, installed, cwd=installed.parent).splitlines()
    (info,) = installed.glob("tfx_privacy-*.dist-info")
    version = info.name.removesuffix(".dist-info").removeprefix("tfx_privacy-")
    assert first == f"{version} tfx_privacy.PrivacyConfig"
    assert [Path(file).relative_to(installed).as_posix() for file in files] == [
        "tfx_privacy/__init__.py",
        "tfx_privacy/metrics/counts.py",
        "tfx_privacy/proto/privacy_config_pb2.py",
    ]


def test_editable_install_imports_the_tree(root: Path, tmp_path: Path) -> None:
    # The environment that make sets up has one; run elsewhere, nothing but it can be found.
    code = """
import tfx_privacy
from tfx_privacy.metrics import counts
from tfx_privacy.proto import privacy_config_pb2
for module in (tfx_privacy, counts, privacy_config_pb2):
    print(module.__file__)
"""
    assert run_python(code, cwd=tmp_path).splitlines() == [
        str(root / "__init__.py"),
        str(root / "metrics/counts.py"),
        str(root / "proto/privacy_config_pb2.py"),
    ]


def test_console_script_is_the_command_line(installed: Path) -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from importlib.metadata import distribution
(script,) = distribution("tfx-privacy").entry_points.select(group="console_scripts")
main = script.load()
print(script.name, script.value, callable(main))
print(sys.modules["tfx_privacy.__main__"].__file__)
"""
    first, file = run_python(code, installed, cwd=installed.parent).splitlines()
    assert first == "tfx-privacy tfx_privacy.__main__:main True"
    assert Path(file) == installed / "tfx_privacy" / "__main__.py"
    assert (installed / "bin" / "tfx-privacy").is_file()


def test_metadata_says_what_is_needed(built: Built) -> None:
    (path,) = (path for path in built.wheel if path.endswith(".dist-info/METADATA"))
    lines = built.wheel[path].decode().partition("\n\n")[0].splitlines()
    fields = [tuple(line.split(": ", 1)) for line in lines if ": " in line]
    requirements = [Requirement(value) for key, value in fields if key == "Requires-Dist"]
    always = {str(each) for each in requirements if each.marker is None}
    assert {"tfx[kfp]==1.16.0", "apache-beam[gcp]==2.59.0", "tensorflow==2.16.2"} <= always
    assert {value for key, value in fields if key == "Provides-Extra"} == {"gpu", "dev"}
    (python,) = (SpecifierSet(value) for key, value in fields if key == "Requires-Python")
    assert python == SpecifierSet(">=3.10,<3.11")
    assert any(key.startswith("License") and value == "Apache-2.0" for key, value in fields)
