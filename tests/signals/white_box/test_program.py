"""What a program answers besides gradients, its batches, and what it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_function import freeze
from tfx_privacy.signals.frozen_logits import FoundLogits, find_logits
from tfx_privacy.signals.white_box.layers import list_layers
from tfx_privacy.signals.white_box.model_copy import ModelDefinition
from tfx_privacy.signals.white_box.program import (
    ACTIVATION,
    LAYER_NORMS,
    NORM,
    SKETCHES,
    BatchTooLargeError,
    Wanted,
    WhiteBoxProgram,
)
from tfx_privacy.signals.white_box.projections import SketchSize, activation_projection
from tfx_privacy.signals.white_box.weights import find_weights

BATCH = 5
ROWS = np.random.default_rng(1).normal(size=(BATCH, 6)).astype(np.float32)
LABELS = np.arange(BATCH) % 4
Build = Callable[..., WhiteBoxProgram]


def two_layers() -> Any:
    inputs = keras.Input((6,))
    hidden = layers.Dense(8, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, layers.Dense(4, name="out")(hidden))


@pytest.fixture(scope="module")
def served(serving: Callable) -> Any:
    return serving(two_layers, ROWS)


def test_activations_are_what_the_layer_computes(served: Any, build: Build) -> None:
    found = build(served, Wanted(activations=served.layers))(served.serialized, LABELS)
    before = ROWS @ np.asarray(served.model.layers[1].kernel) + served.model.layers[1].bias
    assert set(found) == {ACTIVATION + "hidden", ACTIVATION + "out"}
    np.testing.assert_allclose(found[ACTIVATION + "hidden"], before, atol=1e-5)
    np.testing.assert_allclose(found[ACTIVATION + "out"], served.model(ROWS), atol=1e-5)


def test_wide_activations_are_projected(served: Any, build: Build) -> None:
    wanted = Wanted(activations=served.layers, activation_width=5)
    found = build(served, wanted, seed=9)(served.serialized, LABELS)
    before = ROWS @ np.asarray(served.model.layers[1].kernel) + served.model.layers[1].bias
    expected = np.asarray(before) @ activation_projection(9, 0, 8, 5)
    np.testing.assert_allclose(found[ACTIVATION + "hidden"], expected, atol=1e-5)
    assert found[ACTIVATION + "out"].shape == (BATCH, 4)


def test_activations_of_a_recurrent_layer_are_its_last_state(
    serving: Callable, build: Build
) -> None:
    def make() -> Any:
        inputs = keras.Input((6, 1))
        return keras.Model(inputs, layers.Dense(4, name="out")(layers.LSTM(3, name="it")(inputs)))

    served = serving(make, ROWS[:, :, None])
    found = build(served, Wanted(activations=served.layers))(served.serialized, LABELS)
    expected = served.model.get_layer("it")(ROWS[:, :, None])
    np.testing.assert_allclose(found[ACTIVATION + served.layers[0].name], expected, atol=1e-5)


def test_an_example_is_the_same_in_a_batch_that_is_not_full(served: Any, build: Build) -> None:
    wanted = Wanted(norms=served.layers, sketches=served.layers, sketch_size=SketchSize(2, 2))
    program = build(served, wanted)
    whole = program(served.serialized, LABELS)
    part = program(served.serialized[:2], LABELS[:2])
    assert {name: values.shape for name, values in part.items()} == {
        NORM: (2,),
        LAYER_NORMS: (2, 2),
        SKETCHES: (2, 2, 4),
    }
    for name, values in part.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, whole[name][:2])
    for wrong in (0, BATCH + 1):
        with pytest.raises(ValueError, match=f"{wrong} examples: expected 1 to 5"):
            program([b""] * wrong, np.zeros(wrong, np.int64))


def test_norms_of_some_layers_are_taken_together(served: Any, build: Build) -> None:
    both = build(served, Wanted(norms=served.layers))(served.serialized, LABELS)
    last = build(served, Wanted(norms=served.layers[1:]))(served.serialized, LABELS)
    np.testing.assert_allclose(last[NORM], both[LAYER_NORMS][:, 1], rtol=1e-6)
    np.testing.assert_allclose(both[NORM], np.hypot(*both[LAYER_NORMS].T), rtol=1e-6)


def test_two_models_of_one_architecture_share_the_projections(
    serving: Callable, build: Build
) -> None:
    # Equal weights, other names: equal sketches if the projections are.
    first, second = serving(two_layers, ROWS), serving(_renamed, ROWS)
    assert [layer.name for layer in second.layers] == ["one", "two"]
    found, again = (
        build(each, Wanted(sketches=each.layers, sketch_size=SketchSize(3, 3)))(
            each.serialized, LABELS
        )[SKETCHES]
        for each in (first, second)
    )
    np.testing.assert_allclose(found, again, rtol=1e-5, atol=1e-7)


def _renamed() -> Any:
    inputs = keras.Input((6,))
    hidden = layers.Dense(8, activation="relu", name="one")(inputs)
    return keras.Model(inputs, layers.Dense(4, name="two")(hidden))


@pytest.mark.parametrize(
    "how", ["keras3_save_parsing", "keras3_export", "tf_keras_save", "module_parsing"]
)
def test_all_kinds_of_saved_model(how: str, exporter: Any, examples: Any) -> None:
    loaded = tf.saved_model.load(exporter.export(how, 3).directory)
    signature = loaded.signatures["serving_default"]
    arguments = signature.structured_input_signature[1]
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in ("age", "height", "weight")}

    def answer(serialized: tf.Tensor) -> tf.Tensor:
        if len(arguments) == 1:
            given = dict.fromkeys(arguments, serialized)
        else:
            given = tf.io.parse_example(serialized, spec)
            if set(given) != set(arguments):
                given = dict(
                    zip(sorted(arguments), (given[name] for name in sorted(spec)), strict=True)
                )
        (output,) = signature(**given).values()
        return output

    step = tf.function(
        lambda serialized: [answer(serialized)],
        input_signature=[tf.TensorSpec([BATCH], tf.string)],
        autograph=False,
    ).get_concrete_function()
    frozen = freeze(step)
    logits = find_logits(frozen.outputs[0])
    assert isinstance(logits, FoundLogits)
    found = list_layers(frozen, logits.tensor, find_weights(step, frozen))
    program = WhiteBoxProgram.build(
        frozen, logits.tensor, config_pb2.MULTICLASS, Wanted(norms=found), seed=0
    )
    assert program.notes == ()
    labels = np.arange(BATCH) % 3
    norms = program(examples[:BATCH], labels)[NORM]
    for row in range(BATCH):
        with tf.GradientTape() as tape:
            probabilities = answer(tf.constant(examples[row : row + 1]))
            loss = -tf.math.log(probabilities[0, labels[row]])
        gradients = tape.gradient(loss, step.graph.trainable_variables)
        squares = [float(tf.reduce_sum(tf.square(each))) for each in gradients]
        np.testing.assert_allclose(norms[row], np.sqrt(sum(squares)), rtol=1e-4)


def test_a_sketch_larger_than_the_gradient_is_refused(served: Any, build: Build) -> None:
    with pytest.raises(InputError, match=r"16 x 16 = 256 numbers .* 'hidden', which has 56"):
        build(served, Wanted(sketches=served.layers))


class Rounded(layers.Layer):
    """A dense layer whose values are rounded, as quantised ones are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(4, name="dense")

    def build(self, shape: Any) -> None:
        self.dense.build(shape)

    def call(self, inputs: Any) -> Any:
        return keras.ops.round(self.dense(inputs))


def test_a_layer_that_no_gradient_reaches_is_refused(serving: Callable, build: Build) -> None:
    def make() -> Any:
        inputs = keras.Input((6,))
        x = Rounded(name="rounded")(inputs)
        return keras.Model(inputs, layers.Dense(4, name="out")(x))

    served = serving(make, ROWS)
    with pytest.raises(InputError, match=r"'rounded/dense/kernel': .* none \(Round '.*rounded"):
        build(served, Wanted(norms=served.layers))
    found = build(served, Wanted(norms=served.layers[1:]))(served.serialized, LABELS)
    assert (found[NORM] > 0).all()


def test_a_model_that_is_quantised_cannot_be_differentiated() -> None:
    values = tf.Variable(np.ones((6, 4), np.float32), name="it/kernel")

    @tf.function(input_signature=[tf.TensorSpec([BATCH, 6], tf.float32)], autograph=False)
    def function(inputs: tf.Tensor) -> list[tf.Tensor]:
        quantised = tf.quantization.quantize(inputs @ values, -1.0, 1.0, tf.quint8)
        return [tf.quantization.dequantize(quantised.output, -1.0, 1.0)]

    step = function.get_concrete_function()
    frozen = freeze(step)
    found = list_layers(frozen, frozen.outputs[0], find_weights(step, frozen))
    with pytest.raises(InputError, match=r"'it/kernel': .* \(.*Dequantize 'Dequantize'\)"):
        WhiteBoxProgram.build(
            frozen, frozen.outputs[0], config_pb2.MULTICLASS, Wanted(norms=found), seed=0
        )


def test_a_function_of_the_users_is_named() -> None:
    values = tf.Variable(np.ones((6, 4), np.float32), name="it/kernel")

    @tf.function(input_signature=[tf.TensorSpec([BATCH, 6], tf.float32)], autograph=False)
    def function(inputs: tf.Tensor) -> list[tf.Tensor]:
        own = tf.numpy_function(np.cos, [inputs @ values], tf.float32, name="own")
        return [tf.ensure_shape(own, [BATCH, 4])]

    step = function.get_concrete_function()
    frozen = freeze(step)
    found = list_layers(frozen, frozen.outputs[0], find_weights(step, frozen))
    with pytest.raises(InputError, match=r"'it/kernel': .* \(PyFunc 'own'\)"):
        WhiteBoxProgram.build(
            frozen, frozen.outputs[0], config_pb2.MULTICLASS, Wanted(norms=found), seed=0
        )


def test_quantisation_that_is_only_played_has_gradients() -> None:
    # Training that knows of quantisation: the gradient goes through as if it were not there.
    values = tf.Variable(np.random.default_rng(2).normal(size=(6, 4)).astype("f"), name="it/kernel")

    @tf.function(input_signature=[tf.TensorSpec([BATCH, 6], tf.float32)], autograph=False)
    def function(inputs: tf.Tensor) -> list[tf.Tensor]:
        return [tf.quantization.fake_quant_with_min_max_args(inputs @ values, -50, 50)]

    step = function.get_concrete_function()
    frozen = freeze(step)
    found = list_layers(frozen, frozen.outputs[0], find_weights(step, frozen))
    program = WhiteBoxProgram.build(
        frozen, frozen.outputs[0], config_pb2.MULTICLASS, Wanted(norms=found), seed=0
    )
    errors = tf.nn.softmax(function(ROWS)[0]) - tf.one_hot(LABELS, 4)
    expected = np.linalg.norm(ROWS, axis=1) * np.linalg.norm(errors, axis=1)
    norms = program.run(tf.constant(ROWS), tf.constant(LABELS))[NORM]
    np.testing.assert_allclose(norms, expected, rtol=1e-5)


def test_a_convolution_in_groups_answers_what_the_compiled_one_does(
    serving: Callable, build: Build
) -> None:
    maps = np.random.default_rng(1).normal(size=(BATCH, 6, 6, 4)).astype(np.float32)

    def make() -> Any:
        inputs = keras.Input((6, 6, 4))
        x = layers.Conv2D(6, 3, groups=2, name="grouped")(inputs)
        return keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(x)))

    served = serving(make, maps)
    assert [layer.kind for layer in served.layers] == ["convolution", "dense"]
    (compiled,) = served.frozen.fetch([served.logits])(tf.constant(served.serialized))
    found = build(served, Wanted(activations=served.layers))(served.serialized, LABELS)
    expected = np.asarray(served.exact(maps))
    np.testing.assert_allclose(compiled, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[ACTIVATION + "out"], expected, rtol=1e-5, atol=1e-6)
    last = build(served, Wanted(norms=(served.layer("out"),)))(served.serialized, LABELS)
    both = build(served, Wanted(norms=served.layers))(served.serialized, LABELS)
    np.testing.assert_allclose(last[NORM], both[LAYER_NORMS][:, 1], rtol=1e-6)


def test_only_convolutions_in_groups_are_taken_apart(serving: Callable) -> None:
    def make() -> Any:
        inputs = keras.Input((6, 6, 4))
        x = layers.DepthwiseConv2D(3, name="depthwise")(inputs)
        x = layers.Conv2D(4, 1, name="whole")(x)
        x = layers.Conv2D(6, 3, groups=2, name="grouped")(x)
        return keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(x)))

    served = serving(make, np.zeros((BATCH, 6, 6, 4), np.float32))
    kinds = [layer.kind for layer in served.layers]
    assert kinds == ["depthwise convolution", "convolution", "convolution", "dense"]
    definition = ModelDefinition.of(served.frozen, served.logits)
    nodes = [(node.op, node.name) for node in definition.graph_def.node]
    assert sum(kind == "DepthwiseConv2dNative" for kind, _ in nodes) == 1
    assert sum(kind == "Conv2D" and "/whole" in name for kind, name in nodes) == 1
    assert sum(kind == "Conv2D" and "/grouped" in name for kind, name in nodes) == 2
    assert not definition.functions


def test_a_function_that_is_compiled_as_a_whole_is_laid_open(build: Build) -> None:
    kernel = tf.Variable(np.random.default_rng(2).normal(size=(6, 4)).astype("f"), name="it/kernel")
    factor = tf.Variable(2.0, name="it/factor")

    @tf.function(jit_compile=True, autograph=False)
    def product(values: tf.Tensor) -> tf.Tensor:
        return values @ kernel

    @tf.function(jit_compile=True, autograph=False)
    def both(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return values, factor * product(values)

    @tf.function(input_signature=[tf.TensorSpec([BATCH, 6], tf.float32)], autograph=False)
    def function(inputs: tf.Tensor) -> list[tf.Tensor]:
        given, scaled = both(inputs)
        return [scaled + given[:, :4]]

    step = function.get_concrete_function()
    frozen = freeze(step)
    found = list_layers(frozen, frozen.outputs[0], find_weights(step, frozen))
    program = WhiteBoxProgram.build(
        frozen, frozen.outputs[0], config_pb2.MULTICLASS, Wanted(norms=found), seed=0
    )
    assert program.notes == ()
    norms = program.run(tf.constant(ROWS), tf.constant(LABELS))[NORM]
    errors = tf.nn.softmax(2 * ROWS @ kernel.numpy() + ROWS[:, :4]) - tf.one_hot(LABELS, 4)
    of_kernel = 2 * np.linalg.norm(ROWS, axis=1) * np.linalg.norm(errors, axis=1)
    of_factor = np.sum(errors * (ROWS @ kernel.numpy()), axis=1)
    np.testing.assert_allclose(norms, np.hypot(of_kernel, of_factor), rtol=1e-5)


def test_a_function_that_must_stay_compiled_is_refused_by_name(
    serving: Callable, build: Build
) -> None:
    def make() -> Any:
        inputs = keras.Input((4, 6, 6))
        x = layers.Conv2D(6, 3, groups=2, data_format="channels_first", name="first")(inputs)
        return keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(x)))

    served = serving(make, np.zeros((BATCH, 4, 6, 6), np.float32))
    with pytest.raises(
        InputError, match=r"Call '.*first.*' is a function that TensorFlow compiles"
    ):
        build(served, Wanted(norms=served.layers))
    found = build(served, Wanted(norms=(served.layer("out"),)))(served.serialized, LABELS)
    assert (found[NORM] > 0).all()


def test_the_operation_at_which_a_gradient_stops_is_named(serving: Callable, build: Build) -> None:
    # Keras casts what comes out to the type of what came in: here of words, to integers.
    def make() -> Any:
        inputs = keras.Input((6,), dtype="int64")
        table = layers.Embedding(7, 4, name="table")
        x = layers.SpectralNormalization(table, name="normal")(inputs)
        return keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(x)))

    served = serving(make, np.arange(BATCH * 6).reshape(BATCH, 6) % 7)
    with pytest.raises(InputError, match=r"'normal/table/embeddings': .* none \(Cast '[^']*'\)"):
        build(served, Wanted(norms=served.layers))


def test_an_operation_without_a_gradient_is_named() -> None:
    values = tf.Variable(np.ones((6, 4), np.float32), name="it/kernel")

    @tf.function(input_signature=[tf.TensorSpec([BATCH, 6], tf.float32)], autograph=False)
    def function(inputs: tf.Tensor) -> list[tf.Tensor]:
        maps = tf.reshape(inputs @ values, [BATCH, 2, 2, 1])
        areas = tf.raw_ops.ResizeArea(images=maps, size=[1, 3])
        return [tf.reshape(areas, [BATCH, 3])]

    step = function.get_concrete_function()
    frozen = freeze(step)
    found = list_layers(frozen, frozen.outputs[0], find_weights(step, frozen))
    with pytest.raises(InputError, match=r"cannot be differentiated.*ResizeArea"):
        WhiteBoxProgram.build(
            frozen, frozen.outputs[0], config_pb2.MULTICLASS, Wanted(norms=found), seed=0
        )


def test_values_that_are_not_finite_are_refused(served: Any, build: Build) -> None:
    program = build(served, Wanted(norms=served.layers))
    broken = dataclasses.replace(served, inputs=np.full_like(ROWS, np.nan))
    serialized = [_serialized(row) for row in broken.inputs]
    with pytest.raises(InputError, match="NaN or infinity"):
        program(serialized, LABELS)


def _serialized(row: Any) -> bytes:
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=row))
    return tf.train.Example(features=tf.train.Features(feature={"x": feature})).SerializeToString()


def test_out_of_memory_has_an_error_of_its_own(
    served: Any, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = build(served, Wanted(norms=served.layers))

    def exhausted(*_: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(program, "run", exhausted)
    with pytest.raises(BatchTooLargeError, match="out of memory on a batch of 5 examples: OOM"):
        program(served.serialized, LABELS)
