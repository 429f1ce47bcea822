"""A target model and its examples, made for benchmarks: 11 features, an MLP 64-64.

The numbers are random; what is measured with them is time and memory.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

FEATURES = tuple(f"x{i}" for i in range(11))
LABEL = "label"
SHARDS = 4
_CHUNK = 10_000


@dataclasses.dataclass(frozen=True)
class GeneratedTarget:
    """Where the pieces lie.

    Attributes:
      model_dir: A SavedModel whose `serving_default` parses examples.
      examples_dir: Has `Split-train` and `Split-eval`, gzipped TFRecords.
      classes: 2 for one sigmoid output, more for a softmax.
    """

    model_dir: Path
    examples_dir: Path
    classes: int


def generate(folder: Path, rows_per_split: int, classes: int, seed: int = 0) -> GeneratedTarget:
    """Writes examples and trains a model for one pass over a part of them."""
    examples_dir = folder / "examples"
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(len(FEATURES), classes))
    for split in ("train", "eval"):
        _write_split(examples_dir / f"Split-{split}", rows_per_split, weights, rng)
    model_dir = folder / "model" / "Format-Serving"
    _export_model(model_dir, classes, weights, rng)
    (folder / "classes.json").write_text(json.dumps(classes))
    return GeneratedTarget(model_dir, examples_dir, classes)


def _rows(
    rows: int, weights: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    noise = rng.gumbel(size=(rows, weights.shape[1]))
    return x, np.argmax(x @ weights + noise, axis=1)


def _write_split(folder: Path, rows: int, weights: np.ndarray, rng: np.random.Generator) -> None:
    import tensorflow as tf

    folder.mkdir(parents=True)
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    for shard in range(SHARDS):
        path = folder / f"data_tfrecord-{shard:05d}-of-{SHARDS:05d}.gz"
        with tf.io.TFRecordWriter(str(path), options) as writer:
            left = rows // SHARDS
            while left:
                x, y = _rows(min(left, _CHUNK), weights, rng)
                left -= len(x)
                for values, label in zip(x.tolist(), y.tolist(), strict=True):
                    writer.write(_example(values, label))


def _example(values: list[float], label: int) -> bytes:
    import tensorflow as tf

    features = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in zip(FEATURES, values, strict=True)
    }
    features[LABEL] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _export_model(
    model_dir: Path, classes: int, weights: np.ndarray, rng: np.random.Generator
) -> None:
    import keras
    import tensorflow as tf

    inputs = keras.Input((len(FEATURES),))
    hidden = inputs
    for _ in range(2):
        hidden = keras.layers.Dense(64, activation="relu")(hidden)
    binary = classes == 2
    outputs = keras.layers.Dense(
        1 if binary else classes, activation="sigmoid" if binary else "softmax"
    )(hidden)
    model = keras.Model(inputs, outputs)
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(3e-3), loss)
    x, y = _rows(20_000, weights, rng)
    model.fit(x, y, batch_size=512, epochs=2, verbose=0)

    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in FEATURES}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, spec)
        return {"outputs": model(tf.concat([parsed[name] for name in FEATURES], axis=1))}

    tf.saved_model.save(model, str(model_dir), signatures={"serving_default": serve})
