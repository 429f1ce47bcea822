"""Generates the Python code of proto/*.proto, or says whether what is there is current.

Run by `make protos` and, with --check, by `make lint`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SUFFIXES = ("_pb2.py", "_pb2.pyi")


def generate(root: Path, output: Path) -> dict[str, bytes]:
    """Runs protoc over root's proto/*.proto.

    Args:
      root: the folder that has proto/.
      output: an empty folder to work in; protoc sees the protos in it under the
        path that they have in the package, which their imports use.

    Returns:
      The generated files by name, for instance `privacy_config_pb2.py`.

    Raises:
      RuntimeError: protoc failed; the message holds what it said.
    """
    package = output / "tfx_privacy" / "proto"
    package.mkdir(parents=True)
    for proto in sorted((root / "proto").glob("*.proto")):
        shutil.copy(proto, package)
    protos = [str(path.relative_to(output)) for path in sorted(package.glob("*.proto"))]
    plugin = Path(sysconfig.get_path("scripts")) / "protoc-gen-mypy"
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc", "-I", "."),
        *(f"--plugin=protoc-gen-mypy={plugin}", "--python_out=.", "--mypy_out=quiet:."),
        *protos,
    ]
    done = subprocess.run(command, cwd=output, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"protoc failed on {', '.join(protos)}:\n{done.stderr}")
    return _generated(package)


def stale(root: Path) -> list[str]:
    """What in root's proto/ is not what its protos generate.

    Returns:
      One line a file: missing, different, or left over from a proto that is gone.
    """
    with tempfile.TemporaryDirectory() as scratch:
        expected = generate(root, Path(scratch))
    found = _generated(root / "proto")
    lines = [f"proto/{name} is missing" for name in expected.keys() - found.keys()]
    lines += [f"proto/{name} has no .proto" for name in found.keys() - expected.keys()]
    lines += [
        f"proto/{name} differs from what its .proto generates"
        for name in expected.keys() & found.keys()
        if expected[name] != found[name]
    ]
    return sorted(lines)


def write(root: Path) -> list[Path]:
    """Brings root's proto/ up to date; returns the generated files."""
    with tempfile.TemporaryDirectory() as scratch:
        expected = generate(root, Path(scratch))
    for name in _generated(root / "proto").keys() - expected.keys():
        (root / "proto" / name).unlink()
    paths = [root / "proto" / name for name in sorted(expected)]
    for path in paths:
        path.write_bytes(expected[path.name])
    return paths


def main() -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(description="Generate the code of proto/*.proto.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    if not parser.parse_args().check:
        for path in write(ROOT):
            print(path.relative_to(ROOT))
        return 0
    lines = stale(ROOT)
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        print("run `make protos` and commit what it writes", file=sys.stderr)
        return 1
    print("Generated code is current.")
    return 0


def _generated(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.iterdir() if path.name.endswith(_SUFFIXES)]
    return {path.name: path.read_bytes() for path in paths}


if __name__ == "__main__":
    sys.exit(main())
