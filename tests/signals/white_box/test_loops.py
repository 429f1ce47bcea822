"""Recurrent layers in more ways than one: lengths that differ, weights used inside and outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.frozen_function import freeze
from tfx_privacy.signals.white_box.layers import list_layers
from tfx_privacy.signals.white_box.program import LAYER_NORMS, NORM, Wanted, WhiteBoxProgram
from tfx_privacy.signals.white_box.weights import find_weights

BATCH = 5
SEQUENCES = np.random.default_rng(1).normal(size=(BATCH, 6, 4)).astype(np.float32)
LABELS = np.arange(BATCH) % 4
Build = Callable[..., WhiteBoxProgram]


class Shared(layers.Layer):
    """A matrix that multiplies the inputs, and then the state at each step of a loop."""

    def build(self, shape: Any) -> None:
        self.matrix = self.add_weight(name="matrix", shape=(4, 4))

    def call(self, inputs: Any) -> Any:
        mixed = keras.ops.matmul(inputs, self.matrix)

        def step(values: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            state = keras.ops.tanh(values + keras.ops.matmul(states[0], self.matrix))
            return state, [state]

        first = keras.ops.zeros_like(mixed[:, 0])
        last, _, _ = keras.src.backend.rnn(step, mixed, [first])
        return last


def test_uses_inside_and_outside_of_a_loop_are_added(serving: Callable, build: Build) -> None:
    def make() -> Any:
        inputs = keras.Input((6, 4))
        return keras.Model(inputs, layers.Dense(4, name="out")(Shared(name="it")(inputs)))

    served = serving(make, SEQUENCES)
    expected = served.gradients(config_pb2.MULTICLASS, LABELS)["it/matrix"]
    program = build(served, Wanted(norms=(served.layer("it"),)))
    found = program(served.serialized, LABELS)[NORM]
    np.testing.assert_allclose(found, np.linalg.norm(expected, axis=(1, 2)), rtol=1e-5)
    assert program.notes == ()


def test_a_number_of_steps_that_the_batch_decides() -> None:
    # Sequences are as long as the longest of the batch: the graph does not know how long.
    cell = layers.LSTM(3, name="it")
    out = layers.Dense(4, name="out")
    cell.build((None, None, 4))
    out.build((None, 3))

    @tf.function(input_signature=[tf.TensorSpec([BATCH], tf.string)], autograph=False)
    def answer(serialized: tf.Tensor) -> list[tf.Tensor]:
        numbers = tf.strings.to_number(tf.strings.split(serialized, " ")).to_tensor()
        return [out(cell(tf.reshape(numbers, [BATCH, -1, 4])))]

    texts = [" ".join(f"{value:.6f}" for value in row.ravel()) for row in SEQUENCES]
    lengths = (1, 2, 3, 4, 4)
    serialized = [" ".join(text.split()[: 4 * n]) for text, n in zip(texts, lengths, strict=True)]
    step = answer.get_concrete_function()
    frozen = freeze(step)
    found = list_layers(frozen, frozen.outputs[0], find_weights(step, frozen))
    program = WhiteBoxProgram.build(
        frozen, frozen.outputs[0], config_pb2.MULTICLASS, Wanted(norms=found), seed=0
    )
    norms = program([text.encode() for text in serialized], LABELS)[LAYER_NORMS]
    assert program.notes == ()
    variables = [variable.value for variable in cell.trainable_variables]
    for row in range(BATCH):
        with tf.GradientTape() as tape:
            logits = answer(tf.constant(serialized))[0]
            loss = -tf.nn.log_softmax(logits)[row, LABELS[row]]
        squares = [float(tf.reduce_sum(each**2)) for each in tape.gradient(loss, variables)]
        np.testing.assert_allclose(norms[row, 0], np.sqrt(sum(squares)), rtol=1e-5)
