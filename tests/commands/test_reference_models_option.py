"""`--reference-models` as a user types it, and mistakes that are easily made."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tfx_privacy.__main__ import main
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.proto import reference_models_pb2 as references_pb2

# What stands for a training: the target's own model, whatever the records.
_COPY = """
import json, shutil, sys
with open(sys.argv[2]) as stream:
    job = json.load(stream)
shutil.copytree(sys.argv[1], job["output_dir"] + "/model")
"""
_CONFIG = {
    "model_spec": {"label_key": "label"},
    "attacks": ["loss_threshold", "rmia_offline"],
    "skip_controls": ["POSITIVE_CONTROL"],
}


@pytest.fixture(scope="module")
def folder(target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside the target's files `config.json`, and `references`, trained on a third split."""
    import apache_beam as beam
    import tensorflow as tf

    from tfx_privacy.reference_models.model_job import TrainingCode
    from tfx_privacy.reference_models.reference_config import resolve_reference_config
    from tfx_privacy.reference_models.train import train_reference_models
    from tfx_privacy.signals.examples import ExampleSplit

    folder = tmp_path_factory.mktemp("with_references")
    for path in target.iterdir():
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, folder / path.name)
    with tf.io.TFRecordWriter(str(folder / "shadow.tfrecord")) as writer:
        for row in range(200):
            example = tf.train.Example()
            example.features.feature["a"].float_list.value.append(row / 100)
            example.features.feature["b"].float_list.value.append(1 - row / 100)
            example.features.feature["label"].int64_list.value.append(row % 3)
            example.features.feature["name"].bytes_list.value.append(b"red")
            example.features.feature["city"].bytes_list.value.append(b"Zug")
            example.features.feature["key"].int64_list.value.append(10_000 + row)
            writer.write(example.SerializeToString())
    train, evaluation, shadow = (
        ExampleSplit(name, name == "train", (str(folder / file),))
        for name, file in (
            ("train", "train.tfrecord"),
            ("eval", "eval.tfrecord.gz"),
            ("shadow", "shadow.tfrecord"),
        )
    )
    train_reference_models(
        splits=[train, evaluation],
        pool=[shadow],
        config=resolve_reference_config(
            references_pb2.ReferenceModelsConfig(
                models=2, model_spec={"label_key": "label"}, offline={"splits": ["shadow"]}
            ),
            has_transform_graph=False,
        ),
        code=TrainingCode(
            "a copy",
            lambda _, job: [sys.executable, "-c", _COPY, str(folder / "model"), job],
        ),
        train_steps=0,
        only=None,
        work_directory=str(folder / "work"),
        output_dir=str(folder / "references"),
        max_parallel=1,
        transform_graph_dir=None,
        synthesis=None,
        new_pipeline=beam.Pipeline,
    )
    (folder / "config.json").write_text(json.dumps(_CONFIG))
    return folder


def _evaluate(folder: Path, *more: str | Path) -> Result:
    arguments = (
        *("evaluate", "--model", folder / "model", "--config", folder / "config.json"),
        *("--examples", f"train={folder / 'train.tfrecord'}"),
        *("--examples", f"eval={folder / 'eval.tfrecord.gz'}", *more),
    )
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _error(result: Result) -> str:
    assert result.exit_code == 1, result.output
    return " ".join(result.output.split())


def test_models_trained_on_a_split_of_their_own(folder: Path, tmp_path: Path) -> None:
    result = _evaluate(
        folder,
        *("--examples", f"shadow={folder / 'shadow.tfrecord'}"),
        *("--reference-models", folder / "references", "--output", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.output
    results = read_metrics(str(tmp_path / "out")).results
    assert results.references.uri == str(folder / "references")
    assert not results.references.online
    assert [model.inside + model.outside for model in results.references.losses] == [200, 200]
    assert {attack.name for attack in results.attacks} == {"loss_threshold", "rmia_offline"}


def test_the_split_has_to_be_given(folder: Path, tmp_path: Path) -> None:
    result = _evaluate(
        folder, "--reference-models", folder / "references", "--output", tmp_path / "out"
    )
    expected = "trained on the split 'shadow'; --examples gives ['eval', 'train']"
    assert expected in _error(result)


def test_a_split_of_nobody(folder: Path, tmp_path: Path) -> None:
    """Without the reference models nothing reads their split."""
    result = _evaluate(
        folder,
        *("--examples", f"shadow={folder / 'shadow.tfrecord'}", "--output", tmp_path / "out"),
    )
    assert "--examples gives the split 'shadow', which is neither in" in _error(result)


def test_a_folder_without_reference_models(folder: Path, tmp_path: Path) -> None:
    result = _evaluate(folder, "--reference-models", folder / "work", "--output", tmp_path / "out")
    assert "holds no reference models" in _error(result)
