"""Small models, served as users do it, and their per-example gradients in float64."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.frozen_function import FrozenFunction, freeze
from tfx_privacy.signals.white_box.layers import Layer, list_layers
from tfx_privacy.signals.white_box.program import Wanted, WhiteBoxProgram
from tfx_privacy.signals.white_box.weights import find_weights

BATCH = 5


@dataclasses.dataclass(frozen=True)
class Served:
    """A Keras model, saved, loaded and frozen.

    Attributes:
      model: The model, from inputs to logits.
      exact: The same in float64.
      frozen: From serialised examples to logits.
      logits: The tensor of the logits.
      layers: What was found.
      inputs: [BATCH, ...], the examples.
      serialized: The same as the frozen function takes them.
      alive: What the graph refers to.
    """

    model: Any
    exact: Any
    frozen: FrozenFunction
    logits: tf.Tensor
    layers: tuple[Layer, ...]
    inputs: NDArray[Any]
    serialized: list[bytes]
    alive: Any

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    def gradients(self, task: int, labels: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """By variable, [BATCH, *shape]: one example at a time, in float64."""
        variables = self.exact.trainable_variables
        found: dict[str, list[NDArray[np.float64]]] = {each.path: [] for each in variables}
        for row in range(len(self.inputs)):
            with tf.GradientTape() as tape:
                # At inference, as it is served: in training some layers change their weights.
                logits = self.exact(tf.constant(self.inputs[row : row + 1]), training=False)
                loss = exact_loss(task, logits, labels[row : row + 1])
            for variable, gradient in zip(
                variables, tape.gradient(loss, [each.value for each in variables]), strict=True
            ):
                found[variable.path].append(np.asarray(tf.convert_to_tensor(gradient)))
        # The copy's layers have the names of the model's.
        return {path: np.stack(values) for path, values in found.items()}


def exact_loss(task: int, logits: tf.Tensor, labels: NDArray[Any]) -> tf.Tensor:
    """The losses as TensorFlow has them, summed."""
    if task == config_pb2.REGRESSION:
        return tf.reduce_sum((logits - labels) ** 2)
    if task == config_pb2.MULTILABEL:
        given = tf.constant(labels, tf.float64)
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(given, logits))
    if logits.shape[1] == 1:
        given = tf.constant(labels[:, None], tf.float64)
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(given, logits))
    given = tf.constant(labels, tf.int64)
    return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(given, logits))


def serve(make: Callable[[], Any], inputs: NDArray[Any], seed: int = 0) -> Served:
    """Builds a model twice, in float32 and in float64, and serves the first.

    Args:
      make: Makes a Keras model from inputs to logits, all layers named.
      inputs: The examples, floats or integers.
      seed: Of its weights.
    """
    rng = np.random.default_rng(seed)
    model = make()
    weights = [
        np.abs(value) + 0.5 if "variance" in variable.path else value
        for variable in model.variables
        for value in [_drawn(rng, variable.shape)]
        if variable.dtype == "float32"
    ]
    floats = [each for each in model.variables if each.dtype == "float32"]
    for variable, value in zip(floats, weights, strict=True):
        variable.assign(value)
    exact = _in_float64(make)
    doubles = [each for each in exact.variables if each.dtype == "float64"]
    for variable, value in zip(doubles, weights, strict=True):
        variable.assign(value)
    directory = tempfile.mkdtemp()
    shape = inputs.shape[1:]
    dtype = tf.float32 if inputs.dtype.kind == "f" else tf.int64
    spec = {"x": tf.io.FixedLenFeature([math.prod(shape)], dtype)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serving(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.io.parse_example(serialized, spec)["x"]
        return {"logits": model(tf.reshape(values, [-1, *shape]))}

    tf.saved_model.save(model, directory, {"serving_default": serving})
    loaded = tf.saved_model.load(directory)
    signature = loaded.signatures["serving_default"]
    step = tf.function(
        lambda serialized: [signature(serialized)["logits"]],
        input_signature=[tf.TensorSpec([len(inputs)], tf.string)],
        autograph=False,
    ).get_concrete_function()
    frozen = freeze(step)
    logits = frozen.outputs[0]
    return Served(
        model=model,
        exact=exact,
        frozen=frozen,
        logits=logits,
        layers=list_layers(frozen, logits, find_weights(step, frozen)),
        inputs=inputs,
        serialized=[serialize(row) for row in inputs],
        alive=(loaded, step),
    )


def _drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Weights that keep activations, and so losses, of the size of one."""
    scale = 1 / math.sqrt(math.prod(shape[:-1])) if len(shape) > 1 else 0.5
    return rng.normal(scale=scale, size=shape).astype(np.float32)


def _in_float64(make: Callable[[], Any]) -> Any:
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("float64")
        return make()
    finally:
        keras.config.set_dtype_policy(before)


def serialize(row: NDArray[Any]) -> bytes:
    values = row.ravel()
    if row.dtype.kind == "f":
        feature = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    else:
        feature = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Example(features=tf.train.Features(feature={"x": feature})).SerializeToString()


@pytest.fixture(scope="session")
def serving() -> Callable[..., Served]:
    """Builds, saves, loads and freezes a model."""
    return serve


@pytest.fixture(scope="session")
def build() -> Callable[[Served, Wanted], WhiteBoxProgram]:
    """A program for classes, of one seed."""

    def built(
        served: Served, wanted: Wanted, task: int = config_pb2.MULTICLASS, seed: int = 3
    ) -> WhiteBoxProgram:
        return WhiteBoxProgram.build(served.frozen, served.logits, task, wanted, seed)

    return built
