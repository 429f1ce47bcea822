"""White-box signals in the table, beside gradients that a user takes of the Keras model itself."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import keras
import numpy as np
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import examples
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.signals.observe import ObserveOptions, observe
from tfx_privacy.signals.table import TableDescription
from tfx_privacy.signals.table_reader import read_bucket, read_description
from tfx_privacy.signals.target_plan import TargetPlan, plan_target
from tfx_privacy.signals.white_box.program import BatchTooLargeError, WhiteBoxProgram
from tfx_privacy.signals.white_box_layout import WhiteBoxLayout

ROWS = 11
BATCH = 4
layers = keras.layers


@dataclasses.dataclass(frozen=True)
class Case:
    """A model on one feature, and its loss as Keras users write it, row by row."""

    model: Callable[[], keras.Model]
    inputs: NDArray[Any]
    labels: NDArray[Any]
    loss: Callable[[Any, Any], Any]
    spec: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _attention() -> keras.Model:
    words = layers.Input((6,), dtype="int64", name="x")
    vectors = layers.Embedding(20, 8, name="words")(words)
    seen = layers.MultiHeadAttention(2, 4, name="attention")(vectors, vectors)
    normal = layers.LayerNormalization(name="norm")(vectors + seen)
    hidden = layers.Dense(16, "relu", name="hidden")(layers.GlobalAveragePooling1D()(normal))
    return keras.Model(words, layers.Dense(4, "softmax", name="answer")(hidden))


def _lstm() -> keras.Model:
    words = layers.Input((6,), dtype="int64", name="x")
    memory = layers.LSTM(5, name="memory")(layers.Embedding(20, 8, name="words")(words))
    return keras.Model(words, layers.Dense(1, "sigmoid", name="answer")(memory))


def _convolution() -> keras.Model:
    pixels = layers.Input((75,), name="x")
    maps = layers.Conv2D(6, 3, name="maps")(layers.Reshape((5, 5, 3))(pixels))
    maps = layers.ReLU()(layers.BatchNormalization(name="normal")(maps))
    return keras.Model(pixels, layers.Dense(3, "sigmoid", name="answer")(layers.Flatten()(maps)))


def _regression() -> keras.Model:
    numbers = layers.Input((3,), name="x")
    hidden = layers.Dense(8, "tanh", name="hidden")(numbers)
    return keras.Model(numbers, layers.Dense(2, name="answer")(hidden))


class Angle(keras.layers.Layer):
    """Uses its weight in a way that has no rule of its own."""

    def build(self, shape: Any) -> None:
        self.other = self.add_weight(shape=shape[1:], initializer="ones", name="other")

    def call(self, x: Any) -> Any:
        return keras.ops.arctan2(x, self.other)


def _unusual() -> keras.Model:
    numbers = layers.Input((3,), name="x")
    return keras.Model(
        numbers, layers.Dense(4, "softmax", name="answer")(Angle(name="angle")(numbers))
    )


def _sigmoid_rate() -> keras.Model:
    numbers = layers.Input((3,), name="x")
    hidden = layers.Dense(8, "tanh", name="hidden")(numbers)
    return keras.Model(numbers, layers.Dense(1, "sigmoid", name="answer")(hidden))


def _normalised(activation: Callable[[Any], Any], width: int) -> keras.Model:
    """Probabilities by a formula, which no search for a Softmax or Sigmoid finds."""
    numbers = layers.Input((3,), name="x")
    hidden = layers.Dense(8, "tanh", name="hidden")(numbers)
    return keras.Model(numbers, activation(layers.Dense(width, name="answer")(hidden)))


def _softmax_by_hand(z: Any) -> Any:
    raised = keras.ops.exp(z)
    return raised / keras.ops.sum(raised, axis=1, keepdims=True)


def _sigmoid_by_hand(z: Any) -> Any:
    return 1 / (1 + keras.ops.exp(-z))


_RANDOM = np.random.default_rng(0)
_WORDS = _RANDOM.integers(0, 20, (ROWS, 6))
_NUMBERS = _RANDOM.normal(size=(ROWS, 3)).astype(np.float32)
_CLASSES = _RANDOM.integers(0, 4, ROWS)
_BITS = _RANDOM.integers(0, 2, ROWS)
_PROBABILITIES = {"output_kind": config_pb2.PROBABILITIES}
_of_class = keras.losses.sparse_categorical_crossentropy


def _of_bit(label: Any, answer: Any) -> Any:
    return keras.losses.binary_crossentropy(label[:, None], answer)


def _of_rate(label: Any, answer: Any) -> Any:
    return tf.reduce_sum((answer - tf.reshape(label, tf.shape(answer))) ** 2, axis=1)


CASES = {
    "attention": Case(_attention, _WORDS, _CLASSES, _of_class),
    "lstm": Case(_lstm, _WORDS, _BITS, _of_bit),
    "unusual": Case(_unusual, _NUMBERS, _CLASSES, _of_class),
    "multi-label": Case(
        _convolution,
        _RANDOM.normal(size=(ROWS, 75)).astype(np.float32),
        _RANDOM.integers(0, 2, (ROWS, 3)),
        lambda label, answer: 3 * keras.losses.binary_crossentropy(label, answer),
        {"task": config_pb2.MULTILABEL},
    ),
    "regression": Case(
        _regression,
        _NUMBERS,
        _RANDOM.normal(size=(ROWS, 2)).astype(np.float32),
        _of_rate,
        {"task": config_pb2.REGRESSION},
    ),
    "a rate": Case(
        _sigmoid_rate,
        _NUMBERS,
        _RANDOM.uniform(size=ROWS).astype(np.float32),
        _of_rate,
        {"output_kind": config_pb2.REGRESSION_VALUE},
    ),
    "softmax by hand": Case(
        functools.partial(_normalised, _softmax_by_hand, 4),
        _NUMBERS,
        _CLASSES,
        _of_class,
        _PROBABILITIES,
    ),
    "sigmoid by hand": Case(
        functools.partial(_normalised, _sigmoid_by_hand, 1),
        _NUMBERS,
        _BITS,
        _of_bit,
        _PROBABILITIES,
    ),
}


@dataclasses.dataclass(frozen=True)
class Served:
    """A model as it lies on disk, its examples, and the norms of their gradients."""

    directory: str
    spec: config_pb2.ModelSpec
    splits: Sequence[ExampleSplit]
    records: Sequence[bytes]
    norms: Mapping[str, NDArray[np.float64]]
    model: keras.Model

    def plan(self, **white_box: Any) -> TargetPlan:
        sizes = {"sketch_rows": 4, "sketch_columns": 4, "activation_width": 32}
        return plan_target(
            self.directory,
            self.spec,
            BATCH,
            self.records[:3],
            white_box=config_pb2.WhiteBoxSpec(**(sizes | white_box)),
            seed=5,
        )


@pytest.fixture(scope="session")
def served(
    tmp_path_factory: pytest.TempPathFactory, serialize: Callable[..., bytes]
) -> Callable[[str], Served]:
    """Serves a case; members and non-members in turn, told apart by a number."""

    @functools.cache
    def serve(name: str) -> Served:
        case = CASES[name]
        keras.utils.set_random_seed(1)
        model = case.model()
        for variable in model.non_trainable_variables:
            if variable.dtype == "float32":
                variable.assign(_RANDOM.uniform(0.5, 1.5, variable.shape))
        folder = tmp_path_factory.mktemp("served")
        model.export(str(folder / "model"), verbose=False)
        rows = zip(case.inputs.tolist(), case.labels.tolist(), range(ROWS), strict=True)
        records = [serialize({"x": x, "label": y, "number": number}) for x, y, number in rows]
        splits = []
        for split, part in (("train", records[::2]), ("eval", records[1::2])):
            with tf.io.TFRecordWriter(str(folder / split)) as writer:
                for record in part:
                    writer.write(record)
            splits.append(ExampleSplit(split, split == "train", (str(folder / split),)))
        return Served(
            directory=str(folder / "model"),
            spec=config_pb2.ModelSpec(label_key="label", **case.spec),
            splits=splits,
            records=records,
            norms=_norms(model, case),
            model=model,
        )

    return serve


def _norms(model: keras.Model, case: Case) -> dict[str, NDArray[np.float64]]:
    """By layer: of a GradientTape over one row after the other, with Keras's own loss."""
    found = []
    for row in range(ROWS):
        here = slice(row, row + 1)
        with tf.GradientTape() as tape:
            loss = case.loss(case.labels[here], model(case.inputs[here], training=False))
        values = [variable.value for variable in model.trainable_variables]
        squares: dict[str, float] = {}
        for variable, gradient in zip(
            model.trainable_variables, tape.gradient(loss, values), strict=True
        ):
            layer = variable.path.rpartition("/")[0]
            square = float(tf.reduce_sum(tf.convert_to_tensor(gradient) ** 2))
            squares[layer] = squares.get(layer, 0.0) + square
        found.append(squares)
    return {layer: np.sqrt([each[layer] for each in found]) for layer in found[0]}


def observed(
    case: Served, plan: TargetPlan, folder: Path, beam_args: Sequence[str] = ()
) -> tuple[TableDescription, Signals]:
    """The table, its rows in the order of `Served.records`."""
    options = ObserveOptions(
        config_pb2.IdentitySpec(), inputs=config_pb2.InputSpec(feature_keys=["number"])
    )
    table = str(folder / "table")
    description = observe(
        lambda: beam.Pipeline(options=PipelineOptions(list(beam_args))),
        plan,
        case.splits,
        options,
        table,
    )
    columns = ("label", "logits", "loss", "inputs", "white_box")
    rows = Signals.concatenate(
        [
            part
            for bucket in range(description.buckets)
            for part in read_bucket(table, description, bucket, columns)
        ]
    )
    numbers = rows.inputs["number"].flatten().to_numpy()
    assert description == read_description(table)
    return description, rows.take(np.argsort(numbers))


def layout_of(description: TableDescription) -> WhiteBoxLayout:
    assert description.white_box is not None
    return description.white_box


@pytest.mark.parametrize("name", CASES)
def test_norms_are_those_of_the_keras_model(
    served: Callable[[str], Served], tmp_path: Path, name: str
) -> None:
    case = served(name)
    description, rows = observed(case, case.plan(), tmp_path)

    layout = layout_of(description)
    # The cell of a recurrent layer is a layer of its own in Keras's paths as well.
    assert set(layout.norm_layers) == set(case.norms)
    assert rows.gradient_norms.keys() == case.norms.keys()
    largest = max(norms.max() for norms in case.norms.values())
    for layer, expected in case.norms.items():
        np.testing.assert_allclose(
            rows.gradient_norms[layer], expected, rtol=2e-4, atol=2e-6 * largest, err_msg=layer
        )
    # E|S|^2 = |G|^2, so that a sketch of another row or layer would hardly be of this size.
    for layer in layout.sketch_layers:
        sketches = rows.gradient_sketches[layer]
        assert sketches.shape == (ROWS, 16)
        ratio = (sketches**2).sum() / (case.norms[layer] ** 2).sum()
        assert 0.1 < ratio < 4
    assert rows.member.tolist() == [True, False] * (ROWS // 2) + [True]


def test_activations_are_what_comes_out_of_a_layer(
    served: Callable[[str], Served], tmp_path: Path
) -> None:
    case = served("regression")
    chosen = {"names": ["hidden", "answer"]}
    _, rows = observed(case, case.plan(activations=chosen, skip=[1, 2]), tmp_path)

    inputs = CASES["regression"].inputs
    hidden = inputs @ case.model.get_layer("hidden").kernel.numpy()
    np.testing.assert_allclose(rows.activations["hidden"], hidden, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rows.activations["answer"], rows.logits, rtol=1e-5)
    assert (rows.gradient_norms, rows.gradient_sketches) == ({}, {})


@pytest.mark.parametrize("width", [1, 10])
@pytest.mark.parametrize(
    "how",
    ["keras3_save_parsing", "keras3_export", "tf_keras_save", "tf_keras_save_parsing"],
)
def test_models_as_users_export_them(
    exporter: Any, how: str, width: int, examples: Sequence[bytes], tmp_path: Path
) -> None:
    """The last layer's gradient is (p - y) (h, 1)^T, by hand."""
    with tf.io.TFRecordWriter(str(tmp_path / "train")) as writer:
        for record in examples:
            writer.write(record)
    with tf.io.TFRecordWriter(str(tmp_path / "eval")) as writer:
        writer.write(examples[0])
    plan = plan_target(
        exporter.export(how, width).directory,
        config_pb2.ModelSpec(label_key="label"),
        32,
        examples[:10],
        white_box=config_pb2.WhiteBoxSpec(sketch_rows=4, sketch_columns=4, activation_width=16),
    )
    splits = [
        ExampleSplit(name, name == "train", (str(tmp_path / name),)) for name in ("train", "eval")
    ]
    options = ObserveOptions(config_pb2.IdentitySpec())
    table = str(tmp_path / "table")
    description = observe(beam.Pipeline, plan, splits, options, table)
    columns = ("label", "logits", "loss", "white_box")
    rows = Signals.concatenate(list(read_bucket(table, description, 0, columns)))

    first, last = layout_of(description).norm_layers
    z = rows.logits.astype(float)
    if width == 1:
        error = 1 / (1 + np.exp(-z)) - rows.label[:, None]
    else:
        error = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) - np.eye(width)[rows.label]
    hidden = np.maximum(rows.activations[first], 0)
    expected = np.sqrt((error**2).sum(axis=1) * ((hidden**2).sum(axis=1) + 1))
    np.testing.assert_allclose(rows.gradient_norms[last], expected, rtol=1e-5)
    assert len(rows) == 71


def test_notes_of_all_workers_are_in_the_table_and_told_once(
    served: Callable[[str], Served],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    case = served("unusual")
    plan = case.plan()
    assert plan.white_box is not None
    (slow,) = plan.white_box.layout.notes
    assert slow.startswith("layer 'angle' is slow")
    _, expected = observed(case, plan, tmp_path / "all")

    computed = WhiteBoxProgram.__call__

    def call(program: WhiteBoxProgram, serialized: Sequence[bytes], labels: Any) -> Any:
        if program.batch_size > 2:
            raise BatchTooLargeError(f"out of memory on a batch of {program.batch_size}")
        return computed(program, serialized, labels)

    monkeypatch.setattr(WhiteBoxProgram, "__call__", call)
    monkeypatch.setattr(examples, "_BATCH_ROWS", 3)
    caplog.clear()
    description, rows = observed(case, plan, tmp_path / "few")

    halved = (
        "memory did not suffice for the white-box signals of 4 examples at once: they were "
        "computed for 2 at a time"
    )
    assert layout_of(description).notes == (slow, halved)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line for line in told if line.startswith("white-box")] == [
        f"white-box signals: {note}" for note in (slow, halved)
    ]
    for layer, norms in expected.gradient_norms.items():
        np.testing.assert_allclose(rows.gradient_norms[layer], norms, rtol=1e-5)


def test_worker_processes_compute_the_same(served: Callable[[str], Served], tmp_path: Path) -> None:
    case = served("attention")
    _, expected = observed(case, case.plan(), tmp_path / "one")
    arguments = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    description, rows = observed(case, case.plan(), tmp_path / "two", arguments)

    assert layout_of(description).notes == ()
    for name in ("gradient_norms", "gradient_sketches", "activations"):
        assert getattr(rows, name).keys() == getattr(expected, name).keys()
        for layer, values in getattr(expected, name).items():
            np.testing.assert_array_equal(getattr(rows, name)[layer], values)


def test_the_black_box_columns_are_the_same_to_the_bit(
    served: Callable[[str], Served], tmp_path: Path
) -> None:
    case = served("multi-label")
    plan = case.plan()
    _, both = observed(case, plan, tmp_path / "both")
    outside = dataclasses.replace(plan, white_box=None)
    description, rows = observed(case, outside, tmp_path / "outside")

    assert description.white_box is None
    np.testing.assert_array_equal(rows.logits, both.logits)
    np.testing.assert_array_equal(rows.loss, both.loss)
