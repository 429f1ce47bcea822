"""The user's module of benchmarks/references.py: a small CNN on CIFAR-10, for the stock Trainer.

Convolutions of 16, 32 and 32 channels and a hidden layer of 64. Nothing in it knows of reference
models: what it is trained on is what `fn_args.train_files` names, for as many steps as
`fn_args.train_steps` says. Examples have the features `image`, 3,072 bytes in the order of
[32, 32, 3], and `label`, 0 to 9. The module stands alone, as TFX wants it.
"""

from __future__ import annotations

import zlib

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tfx.components.trainer.fn_args_utils import FnArgs

IMAGE_KEY = "image"
LABEL_KEY = "label"
SHAPE = (32, 32, 3)
CLASSES = 10
BATCH = 32
_READ_BATCH = 1_000


def run_fn(fn_args: FnArgs) -> None:
    """Trains a model and exports it to `fn_args.serving_model_dir`; called by Trainer."""
    images, labels = _read(fn_args.train_files)
    # Each training set has a start and an order of its own, and the same one every time.
    seed = zlib.crc32(images.tobytes()) >> 1
    keras.utils.set_random_seed(seed)
    batches = (
        tf.data.Dataset.from_tensor_slices((images, labels))
        .shuffle(len(images), seed=seed)
        .repeat()
        .batch(BATCH)
        .prefetch(2)
    )
    model = _model()
    model.fit(batches, steps_per_epoch=fn_args.train_steps, epochs=1, verbose=0)
    _export(model, fn_args.serving_model_dir)


def _read(patterns: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All images [n, 32, 32, 3] and labels [n], in the order of the files."""
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    compression = "GZIP" if files[0].endswith(".gz") else ""
    records = tf.data.TFRecordDataset(files, compression).batch(_READ_BATCH)
    parsed = list(records.map(_parse).as_numpy_iterator())
    images, labels = zip(*parsed, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _parse(serialised: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    spec = {
        IMAGE_KEY: tf.io.FixedLenFeature([], tf.string),
        LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
    }
    parsed = tf.io.parse_example(serialised, spec)
    return _pixels(parsed[IMAGE_KEY]), parsed[LABEL_KEY]


def _pixels(image: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.io.decode_raw(image, tf.uint8), [-1, *SHAPE])


def _model() -> keras.Model:
    convolution = {"kernel_size": 3, "padding": "same", "activation": "relu"}
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, **convolution),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, **convolution),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, **convolution),
            keras.layers.Flatten(),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(CLASSES),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def _export(model: keras.Model, directory: str) -> None:
    """Writes a SavedModel that takes serialised examples and answers with probabilities."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {IMAGE_KEY: tf.io.FixedLenFeature([], tf.string)}
        pixels = _pixels(tf.io.parse_example(examples, spec)[IMAGE_KEY])
        return {"probabilities": tf.nn.softmax(model(pixels, training=False))}

    tf.saved_model.save(model, directory, signatures={"serving_default": serving_default})
