"""Norms and sketches of every kind of layer beside float64 gradients, one example at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.white_box.program import (
    LAYER_NORMS,
    NORM,
    SKETCHES,
    Wanted,
    WhiteBoxProgram,
)
from tfx_privacy.signals.white_box.projections import SketchProjection, SketchSize

BATCH = 5
# Gradients that are smaller than this share of a model's whole count as zero: a key's bias in
# attention has none, and what is left of it in float32 is rounding.
FLOOR = 1e-4
ALL_BUT_LAST = -1


@dataclasses.dataclass(frozen=True)
class Case:
    """A model.

    Attributes:
      make: Makes it, from inputs to logits.
      inputs: [BATCH, ...].
      rows: For kernels that are sketched as matrices, the rows, by the weight's name, or
        ALL_BUT_LAST of the dimensions; all but that of the logits, whose rows are its first
        dimension, are otherwise sketched as vectors.
      slow: Whether a layer falls back.
    """

    make: Callable[[], Any]
    inputs: NDArray[Any]
    rows: Mapping[str, int]
    slow: bool = False


def floats(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(BATCH, *shape)).astype(np.float32)


def words(length: int, vocabulary: int) -> NDArray[np.int64]:
    """Identifiers, some of which an example repeats."""
    return np.random.default_rng(2).integers(0, vocabulary, (BATCH, length))


def chain(inputs: NDArray[Any], *makers: Callable[[], Any]) -> Callable[[], Any]:
    """A model of layers one after the other, then four logits of all that comes out."""

    def make() -> Any:
        dtype = "int64" if inputs.dtype.kind == "i" else None
        x = start = keras.Input(inputs.shape[1:], dtype=dtype)
        for maker in makers:
            x = maker()(x)
        return keras.Model(start, layers.Dense(4, name="out")(layers.Flatten()(x)))

    return make


def one(inputs: NDArray[Any], maker: Callable[[], Any], rows: int, **more: Any) -> Case:
    """A model of one layer called "it" before the logits."""
    return Case(chain(inputs, maker), inputs, {"it/kernel": rows} if rows else {}, **more)


def conv(inputs: NDArray[Any], *args: Any, kind: Any = layers.Conv2D, **kwargs: Any) -> Case:
    """A convolution of some kind."""
    return one(inputs, lambda: kind(*args, name="it", **kwargs), ALL_BUT_LAST)


def attention() -> Any:
    inputs = keras.Input((6, 4))
    attended = layers.MultiHeadAttention(2, 3, name="attention")(inputs, inputs)
    x = layers.LayerNormalization(name="norm")(layers.Add()([inputs, attended]))
    return keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(x)))


def masked_attention() -> Any:
    inputs = keras.Input((6,), dtype="int64")
    words = layers.Embedding(7, 4, mask_zero=True, name="words")(inputs)
    attended = layers.MultiHeadAttention(2, 3, name="attention")(words, words, use_causal_mask=True)
    return keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(attended)))


def grouped_attention() -> Any:
    inputs = keras.Input((6, 4))
    attended = layers.GroupQueryAttention(3, 4, 2, name="attention")(inputs, inputs)
    return keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(attended)))


def shared(layer: Callable[[], Any], *shape: int) -> Callable[[], Any]:
    def make() -> Any:
        inputs = keras.Input(shape)
        twice = layer()
        x = layers.Flatten()(twice(twice(inputs)))
        return keras.Model(inputs, layers.Dense(4, name="out")(x))

    return make


class Tied(layers.Layer):
    """An embedding whose transpose makes the logits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = layers.Embedding(7, 4, name="table")

    def build(self, shape: Any) -> None:
        self.table.build(shape)

    def call(self, inputs: Any) -> Any:
        mean = keras.ops.mean(self.table(inputs), axis=1)
        return keras.ops.matmul(mean, keras.ops.transpose(self.table.embeddings))


class Positions(layers.Layer):
    """Adds a vector for each position: rows that are looked up without regard to examples."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = layers.Embedding(6, 4, name="table")

    def build(self, shape: Any) -> None:
        self.table.build((6,))

    def call(self, inputs: Any) -> Any:
        return inputs + self.table(keras.ops.arange(6))


class Normalised(layers.Layer):
    """A kernel whose columns are scaled to length one."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 5))

    def call(self, inputs: Any) -> Any:
        lengths = keras.ops.sqrt(keras.ops.sum(self.kernel**2, axis=0, keepdims=True))
        return keras.ops.matmul(inputs, self.kernel / lengths)


class Halves(layers.Layer):
    """A bias whose halves are added at two places."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 4))
        self.bias = self.add_weight(name="bias", shape=(8,))

    def call(self, inputs: Any) -> Any:
        hidden = keras.ops.tanh(keras.ops.matmul(inputs, self.kernel) + self.bias[:4])
        return hidden + self.bias[4:]


class TimeFirst(layers.Layer):
    """A dense layer on sequences whose first axis is time: rows are not the examples'."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(3, name="dense")

    def build(self, shape: Any) -> None:
        self.dense.build((shape[1], shape[0], shape[2]))

    def call(self, inputs: Any) -> Any:
        first = keras.ops.transpose(inputs, (1, 0, 2))
        return keras.ops.transpose(self.dense(first), (1, 0, 2))


def tied() -> Any:
    inputs = keras.Input((6,), dtype="int64")
    return keras.Model(inputs, Tied(name="tied")(inputs))


def cell(name: str, width: int, units: int) -> dict[str, int]:
    """The rows of a recurrent cell's kernels."""
    return {f"{name}/kernel": width, f"{name}/recurrent_kernel": units}


def recurrent(layer: Any, kind: str, units: int, inputs: NDArray[np.float32] | None = None) -> Case:
    """A model of one recurrent layer before the logits."""
    given = floats(6, 4) if inputs is None else inputs
    config = layer.get_config()
    return Case(
        chain(given, lambda: type(layer).from_config({**config, "dtype": None})),
        given,
        cell(f"it/{kind}_cell", given.shape[-1], units),
    )


ROWS, SEQUENCES, MAPS = floats(6), floats(6, 4), floats(8, 8, 3)
WORDS = words(6, 7)
CASES = {
    "dense": one(ROWS, lambda: layers.Dense(7, activation="relu", name="it"), 6),
    "dense by position": one(SEQUENCES, lambda: layers.Dense(7, name="it"), 4),
    "dense by position, a large kernel": one(
        floats(2, 20), lambda: layers.Dense(9, activation="swish", name="it"), 20
    ),
    "einsum, as a product": one(
        SEQUENCES,
        lambda: layers.EinsumDense("abc,cd->abd", output_shape=(6, 5), bias_axes="d", name="it"),
        4,
    ),
    "einsum, over positions": one(
        SEQUENCES,
        lambda: layers.EinsumDense("abc,bd->acd", output_shape=(4, 5), bias_axes="d", name="it"),
        6,
    ),
    "einsum, a kernel for each position": one(
        SEQUENCES,
        lambda: layers.EinsumDense("abc,bcd->abd", output_shape=(6, 5), bias_axes="bd", name="it"),
        0,
    ),
    "attention": Case(
        attention,
        SEQUENCES,
        {
            **{f"attention/{part}/kernel": 4 for part in ("query", "key", "value")},
            "attention/attention_output/kernel": 6,
        },
    ),
    "attention, causal, with a mask": Case(
        masked_attention,
        WORDS,
        {
            "words/embeddings": 7,
            **{f"attention/{part}/kernel": 4 for part in ("query", "key", "value")},
            "attention/attention_output/kernel": 6,
        },
    ),
    "attention of grouped queries": Case(
        grouped_attention,
        SEQUENCES,
        {
            **{f"attention/{part}/kernel": 4 for part in ("query", "key", "value")},
            "attention/attention_output/kernel": 12,
        },
    ),
    "convolution": conv(MAPS, 4, 3, activation="relu"),
    "convolution, strides, same": conv(MAPS, 4, (3, 2), strides=2, padding="same"),
    "convolution, an even kernel, same": conv(MAPS, 4, 4, padding="same", activation="gelu"),
    "convolution, strides of two kinds": conv(MAPS, 4, (2, 3), strides=(1, 2)),
    "convolution of a small map": conv(floats(2, 2, 9), 16, 2, padding="same"),
    "convolution, dilated": conv(MAPS, 4, 3, dilation_rate=2),
    "convolution, dilated, same": conv(MAPS, 4, 3, dilation_rate=(2, 3), padding="same"),
    "convolution, transposed": conv(MAPS, 4, 3, strides=2, kind=layers.Conv2DTranspose),
    "convolution, transposed, same": conv(
        MAPS, 4, 3, strides=2, padding="same", kind=layers.Conv2DTranspose
    ),
    "convolution of sequences": conv(SEQUENCES, 5, 3, kind=layers.Conv1D),
    "convolution of sequences, causal, dilated": conv(
        SEQUENCES, 5, 3, padding="causal", dilation_rate=2, kind=layers.Conv1D
    ),
    "convolution of sequences, transposed": conv(
        SEQUENCES, 5, 3, strides=2, kind=layers.Conv1DTranspose
    ),
    "convolution in groups": conv(floats(6, 6, 4), 6, 3, groups=2, activation="relu"),
    "convolution in groups, strides, same": conv(
        floats(7, 8, 6), 6, (3, 2), groups=3, strides=2, padding="same"
    ),
    "convolution in groups, dilated": conv(floats(7, 8, 4), 6, 3, groups=2, dilation_rate=2),
    "convolution in groups, dilated, same": conv(
        floats(7, 8, 4), 6, 3, groups=2, dilation_rate=(2, 3), padding="same", use_bias=False
    ),
    "convolution in groups of one channel": conv(floats(6, 6, 4), 8, 3, groups=4),
    "convolution in groups of a small map": conv(floats(2, 2, 8), 32, 2, groups=2, padding="same"),
    "convolution in groups, of sequences": conv(
        SEQUENCES, 6, 3, groups=2, padding="causal", kind=layers.Conv1D
    ),
    "convolution in groups, of volumes": one(
        floats(4, 4, 4, 2), lambda: layers.Conv3D(4, 2, groups=2, name="it"), 0, slow=True
    ),
    "convolutions in groups, behind one another": Case(
        chain(
            floats(6, 6, 4),
            lambda: layers.Conv2D(8, 3, groups=4, activation="relu", name="first"),
            lambda: layers.BatchNormalization(name="norm"),
            lambda: layers.Conv2D(4, 2, groups=2, name="second"),
        ),
        floats(6, 6, 4),
        {"first/kernel": ALL_BUT_LAST, "second/kernel": ALL_BUT_LAST},
    ),
    "shared convolution in groups": Case(
        shared(
            lambda: layers.Conv2D(4, 3, groups=2, padding="same", activation="tanh", name="it"),
            5,
            5,
            4,
        ),
        floats(5, 5, 4),
        {},
    ),
    "depthwise": one(
        MAPS,
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same", name="it"),
        0,
    ),
    "depthwise, dilated": one(
        MAPS, lambda: layers.DepthwiseConv2D(3, dilation_rate=2, name="it"), 0
    ),
    "separable": Case(
        chain(MAPS, lambda: layers.SeparableConv2D(4, 3, name="it")),
        MAPS,
        {"it/pointwise_kernel": 3},
    ),
    "convolution of volumes": one(
        floats(4, 4, 4, 2), lambda: layers.Conv3D(5, 3, name="it"), 0, slow=True
    ),
    "separable, of sequences": Case(
        chain(SEQUENCES, lambda: layers.SeparableConv1D(5, 3, padding="same", name="it")),
        SEQUENCES,
        {"it/pointwise_kernel": 4},
    ),
    "depthwise, of sequences": one(
        SEQUENCES, lambda: layers.DepthwiseConv1D(3, depth_multiplier=2, name="it"), 0
    ),
    "dense with a normalised kernel": one(ROWS, lambda: Normalised(name="it"), 0),
    "dense, halves of a bias": one(ROWS, lambda: Halves(name="it"), 6),
    "embedding": Case(
        chain(WORDS, lambda: layers.Embedding(7, 4, name="it")),
        WORDS,
        {"it/embeddings": 7},
    ),
    "embedding of many": Case(
        chain(words(30, 7), lambda: layers.Embedding(7, 4, name="it")),
        words(30, 7),
        {"it/embeddings": 7},
    ),
    "embedding bag": Case(
        chain(
            words(30, 7),
            lambda: layers.Embedding(7, 4, name="it"),
            lambda: layers.GlobalAveragePooling1D(),
        ),
        words(30, 7),
        {"it/embeddings": 7},
    ),
    "embedding of positions": Case(
        chain(WORDS, lambda: layers.Embedding(7, 4, name="it"), lambda: Positions(name="at")),
        WORDS,
        {"it/embeddings": 7},
    ),
    "batch normalisation": one(MAPS, lambda: layers.BatchNormalization(name="it"), 0),
    "batch normalisation of rows": one(ROWS, lambda: layers.BatchNormalization(name="it"), 0),
    "layer normalisation": one(
        SEQUENCES, lambda: layers.LayerNormalization(axis=(1, 2), name="it"), 0
    ),
    "layer normalisation over the last": one(
        SEQUENCES, lambda: layers.LayerNormalization(name="it"), 0
    ),
    "root mean square normalisation": one(
        floats(3, 8), lambda: layers.RMSNormalization(name="it"), 0
    ),
    "group normalisation of maps": one(
        floats(4, 4, 4), lambda: layers.GroupNormalization(2, name="it"), 0
    ),
    "spectral normalisation": Case(
        chain(ROWS, lambda: layers.SpectralNormalization(layers.Dense(7, name="it"), name="of")),
        ROWS,
        {"of/it/kernel": 6},
    ),
    "spectral normalisation of a convolution": Case(
        chain(
            MAPS, lambda: layers.SpectralNormalization(layers.Conv2D(4, 3, name="it"), name="of")
        ),
        MAPS,
        {"of/it/kernel": ALL_BUT_LAST},
    ),
    "parametric rectifier": one(MAPS, lambda: layers.PReLU(name="it"), 0),
    "parametric rectifier, of channels": one(
        floats(4, 4, 8), lambda: layers.PReLU(shared_axes=[1, 2], name="it"), 0
    ),
    "group normalisation": one(SEQUENCES, lambda: layers.GroupNormalization(2, name="it"), 0),
    "shared dense": Case(
        shared(lambda: layers.Dense(6, activation="tanh", name="it"), 6),
        ROWS,
        {"it/kernel": 6},
    ),
    "shared convolution": Case(
        shared(lambda: layers.Conv2D(3, 3, padding="same", activation="tanh", name="it"), 8, 8, 3),
        MAPS,
        {},
    ),
    "shared convolution of many channels": Case(
        shared(lambda: layers.Conv2D(9, 3, padding="same", activation="tanh", name="it"), 4, 4, 9),
        floats(4, 4, 9),
        {},
    ),
    "tied embedding": Case(tied, WORDS, {}),
    "LSTM": recurrent(layers.LSTM(5, name="it"), "lstm", 5),
    "LSTM over masked words": Case(
        chain(
            WORDS,
            lambda: layers.Embedding(7, 4, mask_zero=True, name="words"),
            lambda: layers.LSTM(5, name="it"),
        ),
        WORDS,
        {"words/embeddings": 7, **cell("it/lstm_cell", 4, 5)},
    ),
    "LSTM, twice": Case(
        chain(
            SEQUENCES,
            lambda: layers.LSTM(5, return_sequences=True, name="first"),
            lambda: layers.LSTM(3, name="second"),
        ),
        SEQUENCES,
        cell("first/lstm_cell", 4, 5) | cell("second/lstm_cell", 5, 3),
    ),
    "LSTM, of many steps": recurrent(layers.LSTM(3, name="it"), "lstm", 3, floats(40, 2)),
    "LSTM, both ways": Case(
        chain(SEQUENCES, lambda: layers.Bidirectional(layers.LSTM(5, name="lstm"), name="it")),
        SEQUENCES,
        cell("it/forward_lstm/lstm_cell", 4, 5) | cell("it/backward_lstm/lstm_cell", 4, 5),
    ),
    "GRU": recurrent(layers.GRU(5, return_sequences=True, name="it"), "gru", 5),
    # Slices of its recurrent kernel are used apart, so that it is projected as a vector.
    "GRU, reset before": Case(
        chain(SEQUENCES, lambda: layers.GRU(5, reset_after=False, name="it")),
        SEQUENCES,
        {"it/gru_cell/kernel": 4},
    ),
    "simple recurrent": recurrent(layers.SimpleRNN(5, name="it"), "simple_rnn", 5),
    "convolutional LSTM": one(
        floats(3, 6, 2), lambda: layers.ConvLSTM1D(3, 2, padding="same", name="it"), 0, slow=True
    ),
    "time first": one(SEQUENCES, lambda: TimeFirst(name="it"), 0, slow=True),
}
Build = Callable[..., WhiteBoxProgram]


@pytest.mark.parametrize("name", CASES)
def test_norms_and_sketches_of_each_kind(name: str, serving: Callable, build: Build) -> None:
    case = CASES[name]
    served = serving(case.make, case.inputs)
    labels = np.arange(BATCH) % 4
    expected = served.gradients(config_pb2.MULTICLASS, labels)
    size = SketchSize(2, 3)
    chosen = tuple(layer for layer in served.layers if layer.weights)
    assert {w.name for layer in chosen for w in layer.weights} == set(expected)

    program = build(served, Wanted(norms=chosen, sketches=chosen, sketch_size=size))
    found = program(served.serialized, labels)

    squares = {key: (value.reshape(BATCH, -1) ** 2).sum(1) for key, value in expected.items()}
    whole = np.sqrt(sum(squares.values()))
    np.testing.assert_allclose(found[NORM], whole, rtol=1e-5)
    for position, layer in enumerate(chosen):
        norm = np.sqrt(sum(squares[weight.name] for weight in layer.weights))
        floor = np.maximum(norm, FLOOR * whole)
        assert (np.abs(found[LAYER_NORMS][:, position] - norm) / floor).max() <= 1e-5, layer.name
        sketch = exact_sketch(expected, layer, size, case.rows)
        length = np.maximum(np.linalg.norm(sketch, axis=1), FLOOR * whole)
        error = np.linalg.norm(found[SKETCHES][:, position] - sketch, axis=1)
        assert (error / length).max() <= 1e-5, layer.name
    assert bool([note for note in program.notes if "is slow" in note]) == case.slow


def exact_sketch(
    gradients: Mapping[str, NDArray[np.float64]],
    layer: Any,
    size: SketchSize,
    rows_of: Mapping[str, int],
) -> NDArray[np.float64]:
    """P^T G Q of formed gradients, added over a layer's weights, [BATCH, rows * columns]."""
    total = np.zeros((BATCH, size.size))
    for position, weight in enumerate(layer.weights):
        gradient = gradients[weight.name]
        projection = SketchProjection(3, layer.index, position, size)
        rows = rows_of.get(weight.name, ALL_BUT_LAST if weight.name == "out/kernel" else 0)
        if rows:
            last = gradient.shape[-1] if rows == ALL_BUT_LAST else gradient[0].size // rows
            matrices = gradient.reshape(BATCH, -1, last)
            left = projection.left(matrices.shape[1]).astype(np.float64)
            right = projection.right(matrices.shape[2]).astype(np.float64)
            total += (left.T @ matrices @ right).reshape(BATCH, -1)
        else:
            flat = gradient.reshape(BATCH, -1)
            total += flat @ projection.of_vector(flat.shape[1]).astype(np.float64)
    return total


TASKS = {
    "softmax": (config_pb2.MULTICLASS, 4, np.arange(BATCH) % 4),
    "sigmoid": (config_pb2.BINARY, 1, np.arange(BATCH) % 2),
    "multi-label": (
        config_pb2.MULTILABEL,
        3,
        np.random.default_rng(3).integers(0, 2, (BATCH, 3)).astype(np.float32),
    ),
    "regression": (config_pb2.REGRESSION, 2, floats(2)),
}


@pytest.mark.parametrize("name", TASKS)
def test_losses_of_each_task(name: str, serving: Callable, build: Build) -> None:
    task, width, labels = TASKS[name]

    def make() -> Any:
        inputs = keras.Input((6,))
        hidden = layers.Dense(5, activation="tanh", name="hidden")(inputs)
        return keras.Model(inputs, layers.Dense(width, name="out")(hidden))

    served = serving(make, ROWS)
    expected = served.gradients(task, labels)
    found = build(served, Wanted(norms=served.layers), task)(served.serialized, labels)
    norm = np.sqrt(sum((value.reshape(BATCH, -1) ** 2).sum(1) for value in expected.values()))
    np.testing.assert_allclose(found[NORM], norm, rtol=1e-5)


def test_gradients_of_losses_that_are_nearly_zero_keep_their_digits(
    serving: Callable, build: Build
) -> None:
    # softmax(z) - 1 of a class that is all but certain is rounding in float32.
    def make() -> Any:
        inputs = keras.Input((6,))
        return keras.Model(inputs, layers.Dense(4, name="out")(inputs))

    served = serving(make, ROWS)
    served = dataclasses.replace(served, inputs=30 * ROWS)
    logits = np.asarray(served.exact(served.inputs))
    labels = logits.argmax(axis=1)
    expected = served.gradients(config_pb2.MULTICLASS, labels)
    # Of the size of float32's rounding error at 1.
    assert min(np.abs(value).max() for value in expected["out/bias"]) < 6e-8
    again = serving(make, 30 * ROWS)
    found = build(again, Wanted(norms=again.layers))(again.serialized, labels)
    norm = np.sqrt(sum((value.reshape(BATCH, -1) ** 2).sum(1) for value in expected.values()))
    # What is left is the rounding of logits, of a size of 30, by which the loss is an exponential.
    np.testing.assert_allclose(found[NORM], norm, rtol=1e-4)
