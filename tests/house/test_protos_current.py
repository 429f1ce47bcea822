"""The generated code in proto/ is what its protos generate, and staleness is noticed."""

from __future__ import annotations

import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def generator(root: Path) -> ModuleType:
    """tools/generate_protos.py, which is no part of the package."""
    spec = spec_from_file_location("generate_protos", root / "tools" / "generate_protos.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "generate_protos" not in sys.modules
    return module


@pytest.fixture
def protos(root: Path, tmp_path: Path) -> Path:
    """A copy of proto/ to spoil."""
    shutil.copytree(root / "proto", tmp_path / "proto")
    return tmp_path / "proto"


def test_generated_code_is_current(generator: ModuleType, root: Path) -> None:
    assert generator.stale(root) == []


def test_stale_code_is_named(generator: ModuleType, protos: Path) -> None:
    proto = protos / "privacy_config.proto"
    proto.write_text(proto.read_text() + "\nmessage Added {}\n")
    (protos / "privacy_results_pb2.pyi").unlink()
    (protos / "gone_pb2.py").touch()
    assert generator.stale(protos.parent) == [
        "proto/gone_pb2.py has no .proto",
        "proto/privacy_config_pb2.py differs from what its .proto generates",
        "proto/privacy_config_pb2.pyi differs from what its .proto generates",
        "proto/privacy_results_pb2.pyi is missing",
    ]


def test_writing_brings_it_up_to_date(generator: ModuleType, protos: Path) -> None:
    proto = protos / "privacy_config.proto"
    proto.write_text(proto.read_text() + "\nmessage Added {}\n")
    (protos / "gone_pb2.py").touch()
    written = {path.name for path in generator.write(protos.parent)}
    assert written == {path.name for path in protos.iterdir() if "_pb2." in path.name}
    assert "Added" in (protos / "privacy_config_pb2.pyi").read_text()
    assert generator.stale(protos.parent) == []


def test_broken_proto_is_an_error_that_quotes_protoc(generator: ModuleType, protos: Path) -> None:
    (protos / "privacy_config.proto").write_text('syntax = "proto3";\nmessage {}\n')
    with pytest.raises(RuntimeError, match=r"privacy_config\.proto:2:9: Expected message name"):
        generator.stale(protos.parent)
