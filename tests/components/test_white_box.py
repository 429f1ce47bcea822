"""PrivacyEvaluator with `white_box {}` on a small SavedModel that knows its records by heart."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tfx.types import standard_artifacts

from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacySignals, RecordRisk
from tfx_privacy.components.privacy_evaluator.executor import Executor
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.metrics_directory import REPORT_FILE, read_metrics
from tfx_privacy.evaluation.privacy_meter_files import FOLDER
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.table_reader import read_bucket, read_description
from tfx_privacy.verdict.consistency import check_consistent

_ROWS, _FEATURES, _CLASSES, _UNITS = 400, 20, 5, 64
_EPOCHS = 40
_BLACK_BOX = {"loss_threshold", "logistic_regression"}
_WHITE_BOX = {"gradient_norm", "logistic_regression_norms", "logistic_regression_white_box"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the outputs; its model and examples are beside them."""
    folder = tmp_path_factory.mktemp("white_box")
    x, label = _data()
    _train_and_export(x[:_ROWS], label[:_ROWS], folder / "model" / "Format-Serving")
    for split, rows in (("train", slice(_ROWS)), ("eval", slice(_ROWS, None))):
        path = folder / "examples" / f"Split-{split}" / "data.tfrecord"
        _write_examples(path, x[rows], label[rows])
    config = config_pb2.PrivacyConfig(
        model_spec={"label_key": "label"},
        white_box={},
        attacks=sorted(_BLACK_BOX | _WHITE_BOX),
        skip_controls=[config_pb2.NEGATIVE_CONTROL, config_pb2.POSITIVE_CONTROL],
        privacy_meter_files=True,
    )
    _evaluate(config, folder)
    return folder


@pytest.fixture(scope="module")
def results(measured: Path) -> results_pb2.PrivacyResults:
    return read_metrics(str(measured / "metrics")).results


@pytest.fixture(scope="module")
def signals(measured: Path) -> Signals:
    """All rows of the table."""
    table_dir = str(measured / "signals")
    table = read_description(table_dir)
    columns = ("label", "logits", "loss", "inputs", "white_box")
    return Signals.concatenate(
        [
            rows
            for bucket in range(table.buckets)
            for rows in read_bucket(table_dir, table, bucket, columns)
        ]
    )


def _data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(2 * _ROWS, _FEATURES)).astype(np.float32)
    signal = x @ random.normal(size=(_FEATURES, _CLASSES)) / np.sqrt(_FEATURES)
    return x, (signal + 1.5 * random.normal(size=signal.shape)).argmax(axis=1)


def _train_and_export(x: np.ndarray, label: np.ndarray, directory: Path) -> None:
    import keras
    import tensorflow as tf

    initializer = keras.initializers.GlorotUniform(seed=keras.random.SeedGenerator(1))
    model = keras.Sequential(
        [
            keras.layers.Input((_FEATURES,)),
            keras.layers.Dense(
                _UNITS, "relu", kernel_initializer=initializer, name="hidden_of_the_test"
            ),
            keras.layers.Dense(
                _CLASSES, "softmax", kernel_initializer=initializer, name="last_of_the_test"
            ),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x, label, batch_size=100, epochs=_EPOCHS, verbose=0, shuffle=False)
    parsing = {"x": tf.io.FixedLenFeature([_FEATURES], tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        return {"outputs": model(tf.io.parse_example(examples, parsing)["x"])}

    tf.saved_model.save(model, str(directory), signatures={"serving_default": serve})


def _write_examples(path: Path, x: np.ndarray, label: np.ndarray) -> None:
    import tensorflow as tf

    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row, answer in zip(x, label, strict=True):
            example = tf.train.Example()
            example.features.feature["x"].float_list.value.extend(row)
            example.features.feature["label"].int64_list.value.append(answer)
            writer.write(example.SerializeToString())


def _evaluate(config: config_pb2.PrivacyConfig, folder: Path) -> None:
    model, examples = standard_artifacts.Model(), standard_artifacts.Examples()
    model.uri, examples.uri = str(folder / "model"), str(folder / "examples")
    examples.split_names = json.dumps(["train", "eval"])
    outputs = {}
    for key, artifact_type in (
        ("metrics", PrivacyMetrics),
        ("signals", PrivacySignals),
        ("record_risk", RecordRisk),
    ):
        artifact = artifact_type()
        artifact.uri = str(folder / key)
        (folder / key).mkdir()
        outputs[key] = [artifact]
    properties = {"config": message_to_json(resolve_config(config)), "code_version": "a test"}
    context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(folder), unique_id="1")
    Executor(context).Do({"model": [model], "examples": [examples]}, outputs, properties)


def test_the_layers_are_those_of_the_model(results: results_pb2.PrivacyResults) -> None:
    found = results.white_box
    assert not found.not_computed
    hidden, last = found.layers
    assert "hidden_of_the_test" in hidden.name
    assert "last_of_the_test" in last.name
    assert [layer.weights for layer in found.layers] == [
        (_FEATURES + 1) * _UNITS,
        (_UNITS + 1) * _CLASSES,
    ]
    assert [layer.activation_width for layer in found.layers] == [_UNITS, 0]
    assert all(layer.has_norms and layer.has_sketches for layer in found.layers)


def test_norms_are_those_of_the_last_layers_gradient_by_hand(signals: Signals) -> None:
    """Of a softmax layer the gradient is the outer product of (h, 1) and p - onehot."""
    (last,) = (name for name in signals.gradient_norms if "last_of_the_test" in name)
    (hidden,) = signals.activations
    logits = signals.logits.astype(np.float64)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    residual = p - np.eye(_CLASSES)[signals.label]
    # What is kept of a layer is what enters its activation function.
    activation = np.maximum(signals.activations[hidden].astype(np.float64), 0)
    length = np.sqrt((activation**2).sum(axis=1) + 1)
    expected = np.linalg.norm(residual, axis=1) * length
    np.testing.assert_allclose(signals.gradient_norms[last], expected, rtol=1e-4, atol=1e-6)


def test_sketches_are_as_wide_as_configured(signals: Signals) -> None:
    assert {sketch.shape[1] for sketch in signals.gradient_sketches.values()} == {16 * 16}
    assert len(signals) == 2 * _ROWS


def test_white_box_attacks_ran_and_found_the_leak(results: results_pb2.PrivacyResults) -> None:
    auc = {
        attack.name: next(one.value for one in attack.metrics if one.metric.name == "auc")
        for attack in results.attacks
    }
    assert auc.keys() == _BLACK_BOX | _WHITE_BOX
    assert {name for name in _WHITE_BOX if auc[name].lower <= 0.5} == set()


def test_results_say_what_the_parameters_add(results: results_pb2.PrivacyResults) -> None:
    found = results.white_box
    assert found.best_black_box in _BLACK_BOX
    assert found.best_white_box in _WHITE_BOX
    by_name = {attack.name: attack for attack in results.attacks}
    difference = next(one for one in found.differences if one.metric.name == "auc")
    for name, value in (
        (found.best_black_box, difference.black_box),
        (found.best_white_box, difference.white_box),
    ):
        metric = next(one for one in by_name[name].metrics if one.metric.name == "auc")
        assert value.estimate == metric.value.estimate
    expected = difference.white_box.estimate - difference.black_box.estimate
    assert math.isclose(difference.difference.estimate, expected, abs_tol=1e-9)
    assert difference.difference.lower < expected < difference.difference.upper
    whole = found.norms[0]
    assert whole.layer == ""
    assert whole.median_member < whole.median_nonmember
    judge = results.records.judge
    assert (sum(whole.members), sum(whole.nonmembers)) == (judge.members, judge.nonmembers)


def test_gate_and_reader_find_nothing_wrong_with_them(measured: Path) -> None:
    content = read_metrics(str(measured / "metrics"))
    check_consistent(content.results, content.evidence)
    assert "white-box" in (measured / "metrics" / REPORT_FILE).read_text()


def test_privacy_meters_files_have_the_norms_too(measured: Path) -> None:
    folder = measured / "record_risk" / FOLDER
    names = {path.name for path in folder.iterdir()}
    assert {"member_probs.npy", "m_features.npy", "gradient_norms.svg"} <= names
    assert np.load(folder / "m_features.npy").shape[1] == _FEATURES
