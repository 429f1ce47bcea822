"""`tfx-privacy layers`: what a user reads, of the model that a configuration is written for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from click.testing import CliRunner, Result

from tfx_privacy.__main__ import main


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["layers", *map(str, arguments)])


def _save(folder: Path, module: tf.Module, **functions: Any) -> Path:
    for name, function in functions.items():
        setattr(module, name, function)
    tf.saved_model.save(module, str(folder), dict(functions))
    return folder


def _serving(answer: Any) -> Any:
    spec = tf.TensorSpec([None, 6], tf.float32, name="x")
    return tf.function(answer, input_signature=[spec])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """encoder/wide (6 x 100), a scale that is not trained, encoder/narrow (100 x 4), answer."""
    module = tf.Module()
    module.wide = tf.Variable(tf.ones([6, 100]), name="encoder/wide/kernel")
    module.offset = tf.Variable(tf.zeros([100]), name="encoder/wide/bias")
    module.fixed = tf.Variable(tf.ones([100]), name="fixed/scale", trainable=False)
    module.narrow = tf.Variable(tf.ones([100, 4]), name="encoder/narrow/kernel")
    module.answer = tf.Variable(tf.ones([4, 3]), name="answer/kernel")

    def hidden(x: tf.Tensor) -> tf.Tensor:
        return (tf.nn.relu(x @ module.wide + module.offset) * module.fixed) @ module.narrow

    both = _serving(lambda x: {"hidden": hidden(x), "y": tf.nn.softmax(hidden(x) @ module.answer)})
    one = _serving(lambda x: {"y": tf.nn.softmax(hidden(x) @ module.answer)})
    return _save(tmp_path / "model", module, serving_default=one, both=both)


def _table(result: Result) -> list[list[str]]:
    lines = result.output.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("---"))
    return [line.split() for line in lines[start + 1 : lines.index("", start)]]


def test_each_layer_with_what_the_defaults_take(model: Path) -> None:
    result = _run("--model", model)
    assert result.exit_code == 0, result.output
    assert _table(result) == [
        ["0", "encoder/wide", "dense", "6x100", "100", "700", "yes", "yes", "100"],
        ["1", "fixed", "scale", "and", "offset", "none", "to", "train", "0", "-", "-", "-"],
        ["2", "encoder/narrow", "dense", "100x4", "400", "yes", "yes", "4"],
        ["3", "answer", "dense", "4x3", "12", "yes", "-", "-"],
    ]
    assert "a sketch of that of 16 x 16 numbers" in " ".join(result.output.split())


def test_a_signature_of_a_batch_size_of_its_own(tmp_path: Path) -> None:
    """As a measurement of it would: that runs the model on so many examples at once."""
    module = tf.Module()
    module.hidden = tf.Variable(tf.ones([6, 100]), name="hidden/kernel")
    module.answer = tf.Variable(tf.ones([100, 3]), name="answer/kernel")
    serve = tf.function(
        lambda x: {"y": tf.nn.softmax(tf.nn.relu(x @ module.hidden) @ module.answer)},
        input_signature=[tf.TensorSpec([8, 6], tf.float32, name="x")],
    )
    result = _run("--model", _save(tmp_path / "eight", module, serving_default=serve))
    assert result.exit_code == 0, result.output
    assert _table(result) == [
        ["0", "hidden", "dense", "6x100", "600", "yes", "yes", "100"],
        ["1", "answer", "dense", "100x3", "300", "yes", "yes", "-"],
    ]


def test_an_output_of_several(model: Path) -> None:
    result = _run("--model", model, "--signature", "both")
    assert result.exit_code == 1
    assert "has 2 outputs: expected the name of one of hidden, y" in result.output

    result = _run("--model", model, "--signature", "both", "--output-name", "hidden")
    assert [row[1] for row in _table(result)] == ["encoder/wide", "fixed", "encoder/narrow"]

    result = _run("--model", model, "--output-name", "z")
    assert result.exit_code == 1
    assert "has no output 'z': expected the name of one of y" in result.output


def test_models_without_anything_to_train(tmp_path: Path) -> None:
    empty = _save(tmp_path / "empty", tf.Module(), serving_default=_serving(lambda x: {"y": x}))
    result = _run("--model", empty)
    assert result.exit_code == 0
    assert "The model has no weights on the way to its output" in result.output

    module = tf.Module()
    module.scale = tf.Variable(tf.ones([6]), name="scale", trainable=False)
    fixed = _save(
        tmp_path / "fixed", module, serving_default=_serving(lambda x: {"y": x * module.scale})
    )
    result = _run("--model", fixed)
    assert result.exit_code == 0
    assert "None of them has weights to train" in result.output


def test_what_is_no_model_or_signature(model: Path, tmp_path: Path) -> None:
    result = _run("--model", tmp_path)
    assert result.exit_code == 1
    assert f"error: no SavedModel in '{tmp_path}': expected a directory" in result.output

    result = _run("--model", model, "--signature", "predict")
    assert result.exit_code == 1
    assert "has no signature 'predict': its signatures are both(x: float32" in result.output

    assert _run("--model", tmp_path / "nowhere").exit_code == 2
    assert _run().exit_code == 2
