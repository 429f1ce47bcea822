"""Every kind of target through PrivacyEvaluator: really trained, overfitted, exported by Keras."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tfx.types import standard_artifacts

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.components.artifacts import PrivacyMetrics, PrivacySignals, RecordRisk
from tfx_privacy.components.privacy_evaluator.executor import Executor
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

_ROWS = 600
_FEATURES = 20
_EPOCHS = 60

_OF_CLASSES = frozenset({"confidence", "entropy", "modified_entropy", "correctness"})
_PER_CLASS = frozenset(
    f"{base}_per_class"
    for base in ("loss_threshold", "confidence", "entropy", "modified_entropy", "margin")
)
_MARGIN = frozenset({"margin"})

# Time is saved where a kind is like another one.
_FEWER = ("standard", "margin", "population")
_HALVED = (config_pb2.NEGATIVE_CONTROL, config_pb2.POSITIVE_CONTROL)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of target: its labels, its last layer, and what is configured.

    Attributes:
      labels: From signal [n, 5] and noise of the same shape to labels, in part noise.
      columns: Of the output.
      activation: Of the output.
      loss: That it is trained with.
      spec: Fields of ModelSpec beside the label.
      task: What is to be found.
      skipped: Attacks that cannot run.
      attacks: Attacks or sets of attacks that are mounted.
      skip_controls: Controls that are left out.
    """

    labels: Callable[[np.ndarray, np.ndarray], np.ndarray]
    columns: int
    activation: str
    loss: str
    spec: dict[str, object]
    task: config_pb2.Task.ValueType
    skipped: frozenset[str] = frozenset()
    attacks: tuple[str, ...] = ("thorough",)
    skip_controls: tuple[config_pb2.Control.ValueType, ...] = ()


def _classes(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return (signal + 1.5 * noise).argmax(axis=1)


def _two_classes(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return (signal[:, 0] + 1.5 * noise[:, 0] > 0).astype(np.int64)


def _flags(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return (signal + 1.5 * noise > 0.5).astype(np.int64)


def _number(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return 10 + 3 * (signal[:, :1] + noise[:, :1])


def _numbers(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return 3 * (signal[:, :3] + noise[:, :3])


_KINDS = {
    "multi-class": Kind(
        _classes,
        5,
        "softmax",
        "sparse_categorical_crossentropy",
        {},
        config_pb2.MULTICLASS,
        skip_controls=_HALVED,
    ),
    "binary, one logit": Kind(
        _two_classes,
        1,
        "sigmoid",
        "binary_crossentropy",
        {},
        config_pb2.BINARY,
        skip_controls=_HALVED,
    ),
    "binary, two logits": Kind(
        _two_classes,
        2,
        "softmax",
        "sparse_categorical_crossentropy",
        {},
        config_pb2.BINARY,
        attacks=_FEWER,
        skip_controls=_HALVED,
    ),
    "multi-label": Kind(
        _flags,
        5,
        "sigmoid",
        "binary_crossentropy",
        {"task": config_pb2.MULTILABEL},
        config_pb2.MULTILABEL,
        skipped=_OF_CLASSES | _PER_CLASS,
    ),
    "regression": Kind(
        _number,
        1,
        "linear",
        "mean_squared_error",
        {"task": config_pb2.REGRESSION},
        config_pb2.REGRESSION,
        skipped=_OF_CLASSES | _PER_CLASS | _MARGIN,
    ),
    "regression, several": Kind(
        _numbers,
        3,
        "linear",
        "mean_squared_error",
        {"output_kind": config_pb2.REGRESSION_VALUE},
        config_pb2.REGRESSION,
        skipped=_OF_CLASSES | _MARGIN,
        attacks=_FEWER,
        skip_controls=_HALVED,
    ),
}


Measured = Callable[[str], results_pb2.PrivacyResults]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """The results for a kind of target; each is trained and measured once."""

    @functools.cache
    def measure(name: str) -> results_pb2.PrivacyResults:
        kind, folder = _KINDS[name], tmp_path_factory.mktemp("kind")
        x, label = _data(kind)
        _train_and_export(kind, x[:_ROWS], label[:_ROWS], folder / "model" / "Format-Serving")
        for split, rows in (("train", slice(_ROWS)), ("eval", slice(_ROWS, None))):
            path = folder / "examples" / f"Split-{split}" / "data.tfrecord"
            _write_examples(path, x[rows], label[rows])
        return _evaluate(kind, folder)

    return measure


def _data(kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(2 * _ROWS, _FEATURES)).astype(np.float32)
    signal = x @ random.normal(size=(_FEATURES, 5)) / np.sqrt(_FEATURES)
    return x, kind.labels(signal, random.normal(size=signal.shape))


def _train_and_export(kind: Kind, x: np.ndarray, label: np.ndarray, directory: Path) -> None:
    import keras
    import tensorflow as tf

    seed = keras.random.SeedGenerator(1)
    initializer = keras.initializers.GlorotUniform(seed=seed)
    model = keras.Sequential(
        [
            keras.layers.Input((_FEATURES,)),
            keras.layers.Dense(256, activation="relu", kernel_initializer=initializer),
            keras.layers.Dense(kind.columns, kind.activation, kernel_initializer=initializer),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), kind.loss)
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
        for row, answer in zip(x, label.reshape(len(x), -1), strict=True):
            example = tf.train.Example()
            example.features.feature["x"].float_list.value.extend(row)
            feature = example.features.feature["label"]
            values = feature.int64_list if answer.dtype.kind == "i" else feature.float_list
            values.value.extend(answer)
            writer.write(example.SerializeToString())


def _evaluate(kind: Kind, folder: Path) -> results_pb2.PrivacyResults:
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
    config = config_pb2.PrivacyConfig(
        model_spec={"label_key": "label", **kind.spec},
        attacks=kind.attacks,
        metrics=[{"name": "auc"}],
        skip_controls=kind.skip_controls,
    )
    properties = {"config": message_to_json(resolve_config(config)), "code_version": "a test"}
    context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(folder), unique_id="1")
    Executor(context).Do({"model": [model], "examples": [examples]}, outputs, properties)
    return read_metrics(str(folder / "metrics")).results


@pytest.mark.parametrize("name", _KINDS)
def test_the_kind_is_found(measured: Measured, name: str) -> None:
    results = measured(name)
    assert results.model.task == _KINDS[name].task
    assert results.model.output_width == _KINDS[name].columns
    records = results.records.read
    assert (records.members, records.nonmembers) == (_ROWS, _ROWS)


@pytest.mark.parametrize("name", _KINDS)
def test_every_attack_that_can_run_finds_the_leak(measured: Measured, name: str) -> None:
    results = measured(name)
    auc = {attack.name: attack.metrics[0].value for attack in results.attacks}
    assert auc.keys() >= {"loss_threshold", "population", "logistic_regression", "network"}
    assert {attack for attack, value in auc.items() if value.lower <= 0.5} == set()
    # It is the model's: without it, nothing tells the sides apart.
    assert results.controls.blind_baseline.metrics[0].value.lower < 0.5


@pytest.mark.parametrize("name", _KINDS)
def test_attacks_that_cannot_run_are_named_with_the_reason(measured: Measured, name: str) -> None:
    kind, results = _KINDS[name], measured(name)
    reasons = {skipped.name: skipped.reason for skipped in results.skipped_attacks}
    assert reasons.keys() >= kind.skipped
    task = config_pb2.Task.Name(kind.task)
    assert {reasons[attack] for attack in kind.skipped} <= {f"is not defined for the task {task}"}
    ran = [attack.name for attack in results.attacks]
    every = [attack.name for attack in resolve_attacks(kind.attacks)]
    assert sorted([*ran, *reasons]) == sorted(every)


@pytest.mark.parametrize("name", [name for name, kind in _KINDS.items() if not kind.skip_controls])
def test_controls_know_the_kind(measured: Measured, name: str) -> None:
    """Of non-members halved by chance nothing is found, and a planted leak by every attack."""
    controls = measured(name).controls
    every = {attack.name for attack in measured(name).attacks}
    negative = {attack.name: attack.metrics[0].value for attack in controls.negative.attacks}
    assert negative.keys() == every
    assert min(value.lower for value in negative.values()) < 0.5
    planted = max(controls.positive.runs, key=lambda run: run.share)
    found = {attack.name: attack.metrics[0].value for attack in planted.attacks}
    assert found.keys() == every - {"correctness"}
    assert {attack for attack, value in found.items() if value.lower <= 0.5} == set()
