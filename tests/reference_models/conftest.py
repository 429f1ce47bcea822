"""A pool of small records, and training code that takes no time."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.model_job import ModelJob, TrainingCode
from tfx_privacy.reference_models.reference_config import resolve_reference_config
from tfx_privacy.reference_models.train import train_reference_models
from tfx_privacy.signals import tfrecord
from tfx_privacy.signals.examples import ExampleSplit

# "Trains": writes a model that holds what it was told.
TRAIN = """
import json, pathlib, sys
job = json.load(open(sys.argv[1]))
print("training", job["index"])
folder = pathlib.Path(job["output_dir"], "model")
folder.mkdir()
(folder / "variables").mkdir()
(folder / "variables" / "weights").write_bytes(b"w" * job["index"])
(folder / "saved_model.pb").write_text(json.dumps(job))
"""


def code_of(script: str = TRAIN, digest: str = "code") -> TrainingCode:
    """Training code that runs a script, given the path of the job."""
    return TrainingCode(digest, lambda job, path: [sys.executable, "-c", script, path])


@dataclasses.dataclass
class Run:
    """What `train_reference_models` is called with, some of it to be changed."""

    folder: Path
    splits: Sequence[ExampleSplit]
    sentences: list[str] = dataclasses.field(default_factory=list)

    def __call__(self, output: str = "output", **changes: Any) -> references_pb2.ReferenceModels:
        settings = changes.pop("config", {})
        given: dict[str, Any] = {
            "splits": self.splits,
            "pool": self.splits,
            "config": resolved(**settings),
            "code": code_of(),
            "train_steps": 0,
            "only": None,
            "work_directory": str(self.folder / "work"),
            "output_dir": str(self.folder / output),
            "max_parallel": 1,
            "transform_graph_dir": None,
            "synthesis": None,
            "new_pipeline": beam.Pipeline,
            "listener": self.sentences.append,
        }
        return train_reference_models(**{**given, **changes})

    def resolved(self, **settings: Any) -> references_pb2.ReferenceModelsConfig:
        """A configuration of four models."""
        return resolved(**settings)

    def write_split(
        self, name: str, files: Sequence[Sequence[bytes]], suffix: str = ".gz"
    ) -> ExampleSplit:
        """Writes a split's files."""
        return write_split(self.folder, name, files, suffix)

    def job(self, index: int, output: str = "output") -> ModelJob:
        """What the process was told that trained a model."""
        path = self.folder / output / "models" / f"{index:03d}" / "saved_model.pb"
        return ModelJob(**json.loads(path.read_text()))

    def left_of_runs(self) -> list[str]:
        """Scratch folders of runs."""
        return [path.name for path in (self.folder / "work").glob("*/*run-*")]


def resolved(**settings: Any) -> references_pb2.ReferenceModelsConfig:
    settings = {"models": 4, "model_spec": {"label_key": "label"}, **settings}
    has_graph = settings.get("training_examples") == references_pb2.TRANSFORMED_EXAMPLES
    return resolve_reference_config(
        references_pb2.ReferenceModelsConfig(**settings), has_transform_graph=has_graph
    )


def example(**features: Any) -> bytes:
    """A tf.Example of single values."""
    from tensorflow.core.example import example_pb2

    made = example_pb2.Example()
    for name, value in features.items():
        feature = made.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.append(value)
    return bytes(made.SerializeToString())


def write_split(
    folder: Path, name: str, files: Sequence[Sequence[bytes]], suffix: str = ".gz"
) -> ExampleSplit:
    """Writes a split's files."""
    for number, records in enumerate(files):
        path = folder / name / f"data_tfrecord-{number:05d}-of-{len(files):05d}{suffix}"
        tfrecord.write_records(str(path), records)
    return ExampleSplit(name, name.startswith("train"), (str(folder / name / "data_tfrecord-*"),))


@pytest.fixture
def rows() -> list[bytes]:
    """240 records of 3 classes, of 60 persons."""
    return [
        example(number=float(row), label=row % 3, person=b"%d" % (row // 4), row=row)
        for row in range(240)
    ]


@pytest.fixture
def run(tmp_path: Path, rows: list[bytes]) -> Run:
    """Online, 160 members in two files, 80 non-members in one."""
    train = write_split(tmp_path, "train", [rows[:100], rows[100:160]])
    return Run(tmp_path, [train, write_split(tmp_path, "eval", [rows[160:]])])


@pytest.fixture(scope="session", name="example")
def example_fixture() -> Callable[..., bytes]:
    return example


@pytest.fixture(scope="session", name="code_of")
def code_of_fixture() -> Callable[..., TrainingCode]:
    return code_of
