"""Artifacts as TFX hands them to executors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tfx.types import Artifact


@pytest.fixture
def new_artifact(tmp_path: Path) -> Callable[..., Artifact]:
    """Makes an artifact of a type at a folder of its own, or at a URI."""
    made: list[Artifact] = []

    def make(artifact_type: type[Artifact], uri: str | None = None) -> Artifact:
        artifact = artifact_type()
        if uri is None:
            folder = tmp_path / f"{artifact_type.TYPE_NAME}-{len(made)}"
            folder.mkdir()
            uri = str(folder)
        artifact.uri = uri
        made.append(artifact)
        return artifact

    return make


@pytest.fixture
def trained(target: Path, tmp_path: Path, new_artifact: Callable) -> SimpleNamespace:
    """A Model and an Examples artifact around the `target` fixture's files."""
    from tfx.types import standard_artifacts

    model = new_artifact(standard_artifacts.Model, str(tmp_path / "model"))
    shutil.copytree(target / "model", tmp_path / "model" / "Format-Serving")
    examples = new_artifact(standard_artifacts.Examples, str(tmp_path / "examples"))
    for split, name in (("train", "train.tfrecord"), ("eval", "eval.tfrecord.gz")):
        folder = tmp_path / "examples" / f"Split-{split}"
        folder.mkdir(parents=True)
        shutil.copy(target / name, folder)
    examples.split_names = json.dumps(["train", "eval"])
    return SimpleNamespace(model=model, examples=examples)
