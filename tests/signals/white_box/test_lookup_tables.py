"""A model that looks words up in a table: what is no variable stays outside its graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.frozen_function import freeze
from tfx_privacy.signals.white_box.layers import list_layers
from tfx_privacy.signals.white_box.program import NORM, Wanted, WhiteBoxProgram
from tfx_privacy.signals.white_box.weights import find_weights

_WORDS = ("cash", "card", "free")
_GIVEN = ("card", "cash", "card", "free")
_LABELS = np.array([0, 1, 1, 0])


class _Model(tf.Module):
    """A linear layer on one-hot words."""

    def __init__(self) -> None:
        super().__init__()
        keys = tf.constant(_WORDS)
        values = tf.range(len(_WORDS), dtype=tf.int64)
        initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
        self.table = tf.lookup.StaticHashTable(initializer, default_value=-1)
        self.kernel = tf.Variable([[1.0, -0.5], [0.25, 2.0], [-1.0, 0.0]], name="kernel")
        self.bias = tf.Variable([0.5, -0.25], name="bias")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serving(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"word": tf.io.FixedLenFeature([], tf.string)}
        word = self.table.lookup(tf.io.parse_example(serialized, spec)["word"])
        return {"logits": tf.one_hot(word, len(_WORDS)) @ self.kernel + self.bias}


def test_norms_by_hand(tmp_path: Path) -> None:
    """The gradient of the kernel is p - onehot in the word's row, that of the bias the same."""
    folder, model = str(tmp_path), _Model()
    tf.saved_model.save(model, folder, {"serving_default": model.serving})
    loaded = tf.saved_model.load(folder)
    step = tf.function(
        lambda serialized: [loaded.signatures["serving_default"](serialized)["logits"]],
        input_signature=[tf.TensorSpec([len(_GIVEN)], tf.string)],
        autograph=False,
    ).get_concrete_function()
    frozen = freeze(step)
    logits = frozen.outputs[0]
    layers = list_layers(frozen, logits, find_weights(step, frozen))
    program = WhiteBoxProgram.build(
        frozen, logits, config_pb2.MULTICLASS, Wanted(norms=tuple(layers)), seed=1
    )

    found = program([_serialized(word) for word in _GIVEN], _LABELS)[NORM]

    rows = [_WORDS.index(word) for word in _GIVEN]
    answers = model.kernel.numpy().astype(np.float64)[rows] + model.bias.numpy()
    p = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
    expected = np.sqrt(2) * np.linalg.norm(p - np.eye(2)[_LABELS], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def _serialized(word: str) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[word.encode()]))
    features = tf.train.Features(feature={"word": feature})
    return tf.train.Example(features=features).SerializeToString()
