from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tfx_privacy.signals.frozen_function import (
    CannotFreezeError,
    FrozenFunction,
    freeze,
    parsed_feature_names,
)
from tfx_privacy.signals.frozen_logits import FoundLogits, NoLogits, find_logits
from tfx_privacy.signals.target_output import Activation

WEIGHTS = np.array([[1.0, 2.0, -1.0], [0.5, -0.25, 3.0]], np.float32)
ROWS = np.array([[1.0, 2.0], [-3.0, 0.5]], np.float32)
Layer = Callable[[tf.Tensor], tf.Tensor]


def frozen(layer: Layer) -> FrozenFunction:
    """A dense layer of WEIGHTS and what follows it."""
    weights = tf.Variable(WEIGHTS)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def function(inputs: tf.Tensor) -> list[tf.Tensor]:
        return [layer(inputs @ weights)]

    return freeze(function.get_concrete_function())


BEHIND = {
    "softmax": (tf.nn.softmax, Activation.SOFTMAX),
    "sigmoid": (tf.nn.sigmoid, Activation.SIGMOID),
    "reshape": (lambda x: tf.reshape(tf.nn.softmax(x), [-1, 3]), Activation.SOFTMAX),
    "cast": (lambda x: tf.cast(tf.nn.softmax(x), tf.float64), Activation.SOFTMAX),
    "squeeze": (lambda x: tf.squeeze(tf.nn.sigmoid(x[:, None]), axis=1), Activation.SIGMOID),
    "all of them": (
        lambda x: tf.identity(tf.cast(tf.reshape(tf.nn.softmax(x), [-1, 1, 3]), tf.float16)),
        Activation.SOFTMAX,
    ),
    "the last of two": (lambda x: tf.nn.softmax(x * tf.nn.sigmoid(x)), Activation.SOFTMAX),
}


@pytest.mark.parametrize("case", BEHIND)
def test_logits_are_what_enters_the_last_activation(case: str) -> None:
    layer, activation = BEHIND[case]
    function = frozen(layer)
    found = find_logits(function.outputs[0])
    assert isinstance(found, FoundLogits)
    assert found.activation is activation
    logits, output = function.fetch([found.tensor, *function.outputs])(tf.constant(ROWS))
    np.testing.assert_allclose(
        found.activation.apply(np.reshape(logits, (2, 3))),
        np.reshape(output, (2, 3)).astype(np.float64),
        atol=1e-3 if output.dtype == tf.float16 else 1e-6,
    )
    if "two" not in case:
        np.testing.assert_allclose(np.reshape(logits, (2, 3)), ROWS @ WEIGHTS, atol=1e-6)


NOT_BEHIND = {
    "attention": (lambda x: tf.nn.softmax(x) @ tf.ones([3, 3]), "MatMul"),
    "a gate": (lambda x: tf.nn.sigmoid(x) * x, "Mul"),
    "a complement": (lambda x: 1 - tf.nn.sigmoid(x), "Sub"),
    "log-probabilities": (tf.nn.log_softmax, "LogSoftmax"),
    "classes": (lambda x: tf.argmax(tf.nn.softmax(x), axis=1), "ArgMax"),
    "other columns": (lambda x: tf.transpose(tf.nn.softmax(x)), "Transpose"),
    "two columns out of one": (
        lambda x: tf.concat([1 - tf.nn.sigmoid(x), tf.nn.sigmoid(x)], axis=1),
        "ConcatV2",
    ),
    "no activation": (lambda x: tf.identity(x, name="scores"), "MatMul 'matmul'"),
}


@pytest.mark.parametrize("case", NOT_BEHIND)
def test_an_activation_with_a_layer_behind_it_has_no_logits(case: str) -> None:
    layer, stopped_at = NOT_BEHIND[case]
    found = find_logits(frozen(layer).outputs[0])
    assert isinstance(found, NoLogits)
    assert f"the first other operation is {stopped_at}" in found.reason


def test_functions_within_functions_are_opened() -> None:
    @tf.function
    def inner(inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(inputs, name="probabilities")

    found = find_logits(frozen(tf.function(lambda x: inner(x))).outputs[0])
    assert isinstance(found, FoundLogits)
    assert found.operation == "probabilities"


def test_lookup_tables_work_in_the_frozen_graph() -> None:
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64)), 1
    )
    weights = tf.Variable([[1.0], [2.0], [4.0]])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def function(words: tf.Tensor) -> list[tf.Tensor]:
        return [tf.nn.sigmoid(tf.gather(weights, table.lookup(words)))]

    result = freeze(function.get_concrete_function())
    found = find_logits(result.outputs[0])
    assert isinstance(found, FoundLogits)
    assert len(result.resources) == 1
    (logits,) = result.fetch([found.tensor])(tf.constant(["b", "a", "unknown", "b"]))
    np.testing.assert_array_equal(logits, [[2], [1], [4], [2]])


def test_a_recurrent_layer_can_be_frozen() -> None:
    import keras

    keras_layer = keras.layers.LSTM(4)
    keras_layer.build((None, 3, 1))
    dense = keras.layers.Dense(2)
    dense.build((None, 4))

    @tf.function(input_signature=[tf.TensorSpec([None, 3, 1], tf.float32)])
    def function(inputs: tf.Tensor) -> list[tf.Tensor]:
        return [tf.nn.softmax(dense(keras_layer(inputs)))]

    result = freeze(function.get_concrete_function())
    found = find_logits(result.outputs[0])
    assert isinstance(found, FoundLogits)
    rows = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3, 1)
    (logits,) = result.fetch([found.tensor])(tf.constant(rows))
    np.testing.assert_allclose(logits, dense(keras_layer(rows)), atol=1e-6)


def test_a_function_that_writes_a_variable_cannot_be_frozen() -> None:
    count = tf.Variable(0)

    def counting(scores: tf.Tensor) -> tf.Tensor:
        count.assign_add(1)
        return tf.nn.softmax(scores)

    with pytest.raises(CannotFreezeError, match="cannot turn its variables into constants"):
        frozen(counting)


def test_the_features_that_a_graph_parses_for_an_output() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def function(serialized: tf.Tensor) -> list[tf.Tensor]:
        spec = {
            "dense": tf.io.FixedLenFeature([1], tf.float32),
            "sparse": tf.io.VarLenFeature(tf.float32),
            "ragged": tf.io.RaggedFeature(tf.float32),
        }
        parsed = tf.io.parse_example(serialized, spec)
        other = tf.io.parse_example(serialized, {"label": tf.io.FixedLenFeature([1], tf.int64)})
        output = (
            parsed["dense"]
            + tf.sparse.reduce_sum(parsed["sparse"])
            + tf.reduce_sum(parsed["ragged"].flat_values)
        )
        return [tf.nn.sigmoid(output), other["label"]]

    result = freeze(function.get_concrete_function())
    assert parsed_feature_names(result.outputs[0]) == ["dense", "ragged", "sparse"]
    assert parsed_feature_names(result.outputs[1]) == ["label"]
    assert parsed_feature_names(frozen(tf.nn.softmax).outputs[0]) == []
