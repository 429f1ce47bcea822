"""The user's module of the taxi pipeline: features for Transform, training for Trainer.

Will the passenger tip more than a fifth of the fare? A small binary classifier in
Keras 3 with one sigmoid output, exported with the signatures that TFX templates
export: `serving_default` and `transform_features`, both on serialised raw
tf.Examples.

TFX packs this file into a wheel and imports it from there: it stands alone.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from absl import logging
from numpy.typing import NDArray
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx_bsl.public.tfxio import TensorFlowDatasetOptions

LABEL_KEY = "big_tipper"
_TIPS_KEY = "tips"
_FARE_KEY = "fare"

# Skewed amounts: logarithm, then z-score.
_AMOUNT_KEYS = ("fare", "trip_miles", "trip_seconds")
# Places and times at full resolution: z-score.
_NUMBER_KEYS = (
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "trip_start_timestamp",
)
# Words, by a vocabulary that Transform makes; all others share one index.
_WORD_KEYS = ("payment_type", "company")
# Small integers that are their own index, with the number of indices. Zero, which
# no community area has, stands for a missing one.
_INDEX_SIZES = {
    "trip_start_hour": 24,
    "trip_start_day": 8,
    "trip_start_month": 13,
    "pickup_community_area": 78,
    "dropoff_community_area": 78,
}


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """What two runs of the pipeline may differ in; Trainer's `custom_config`.

    Attributes:
      hidden_units: Width of each hidden layer.
      epochs: How often the model sees every member.
      dropout: Share of hidden units left out at each step, in [0, 1).
      learning_rate: Of Adam.
      batch_size: Rows a step.
      seed: Of initial weights, dropout and the order of rows.
    """

    hidden_units: tuple[int, ...]
    epochs: int
    dropout: float = 0.0
    learning_rate: float = 5e-3
    batch_size: int = 256
    seed: int = 1


def _transformed(key: str) -> str:
    return f"{key}_xf"


def preprocessing_fn(inputs: dict[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
    """Turns raw columns into features and the label, each [batch, 1]; called by Transform."""
    outputs = {}
    for key in _AMOUNT_KEYS:
        amount = tf.cast(_dense(inputs[key]), tf.float32)
        outputs[_transformed(key)] = tft.scale_to_z_score(tf.math.log1p(tf.maximum(amount, 0.0)))
    for key in _NUMBER_KEYS:
        # Where there is none the score is 0: the mean.
        outputs[_transformed(key)] = _dense(tft.scale_to_z_score(inputs[key]))
    for key in _WORD_KEYS:
        outputs[_transformed(key)] = tft.compute_and_apply_vocabulary(
            _dense(inputs[key]), num_oov_buckets=1, vocab_filename=key
        )
    for key, size in _INDEX_SIZES.items():
        outputs[_transformed(key)] = tf.clip_by_value(_dense(inputs[key]), 0, size - 1)
    tips, fare = _dense(inputs[_TIPS_KEY]), _dense(inputs[_FARE_KEY])
    outputs[LABEL_KEY] = tf.cast(tips > 0.2 * fare, tf.int64)
    return outputs


def run_fn(fn_args: FnArgs) -> None:
    """Trains a model and exports it to `fn_args.serving_model_dir`; called by Trainer."""
    hyperparameters = Hyperparameters(**fn_args.custom_config)
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    keras.utils.set_random_seed(hyperparameters.seed)

    rows = {
        "train": _read_rows(fn_args.train_files, fn_args, transform_output),
        "eval": _read_rows(fn_args.eval_files, fn_args, transform_output),
    }
    model = _build_model(hyperparameters, transform_output)
    model.fit(
        *rows["train"],
        batch_size=hyperparameters.batch_size,
        epochs=hyperparameters.epochs,
        verbose=0,
    )
    for split, (features, label) in rows.items():
        quality = model.evaluate(features, label, batch_size=1024, verbose=0, return_dict=True)
        logging.info("%s: %s", split, quality)
    _export(model, transform_output, fn_args.serving_model_dir)


def _dense(values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """The values as [batch, 1], with 0 or '' where there are none."""
    if not isinstance(values, tf.SparseTensor):
        return values
    shape = [values.dense_shape[0], 1]
    return tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape))


def _read_rows(
    files: list[str], fn_args: FnArgs, transform_output: tft.TFTransformOutput
) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.int64]]:
    """All rows of a split in memory, features and label.

    ExampleGen writes rows in an order of chance. They are sorted, so that with a
    seed the same data give the same model.
    """
    options = TensorFlowDatasetOptions(batch_size=1024, num_epochs=1, shuffle=False)
    schema = transform_output.transformed_metadata.schema
    dataset = fn_args.data_accessor.tf_dataset_factory(files, options, schema)
    batches = list(dataset.as_numpy_iterator())
    columns = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    order = np.lexsort([columns[key][:, 0] for key in sorted(columns)])
    rows = {key: column[order] for key, column in columns.items()}
    label = rows.pop(LABEL_KEY)
    return rows, label


def _build_model(
    hyperparameters: Hyperparameters, transform_output: tft.TFTransformOutput
) -> keras.Model:
    """A multi-layer perceptron on numbers and one-hot categories."""
    category_sizes = dict(_INDEX_SIZES)
    for key in _WORD_KEYS:
        category_sizes[key] = transform_output.vocabulary_size_by_name(key) + 1
    numbers = {
        _transformed(key): keras.Input((1,), name=_transformed(key))
        for key in _AMOUNT_KEYS + _NUMBER_KEYS
    }
    categories = {
        _transformed(key): keras.Input((1,), name=_transformed(key), dtype="int64")
        for key in category_sizes
    }
    one_hot = [
        keras.layers.CategoryEncoding(size, output_mode="one_hot")(categories[_transformed(key)])
        for key, size in category_sizes.items()
    ]
    hidden = keras.layers.Concatenate()([*numbers.values(), *one_hot])
    for units in hyperparameters.hidden_units:
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
        hidden = keras.layers.Dropout(hyperparameters.dropout)(hidden)
    output = keras.layers.Dense(1, activation="sigmoid")(hidden)

    model = keras.Model(numbers | categories, output)
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters.learning_rate),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _export(model: keras.Model, transform_output: tft.TFTransformOutput, directory: str) -> None:
    """Writes a SavedModel whose signatures take serialised raw tf.Examples."""
    # Kept on the model, so that SavedModel tracks the layer's resources.
    model.transform_layer = transform_output.transform_features_layer()
    raw_spec = transform_output.raw_feature_spec()
    # Who asks for a prediction does not know the tip.
    serving_spec = {key: spec for key, spec in raw_spec.items() if key != _TIPS_KEY}
    serialised = tf.TensorSpec([None], tf.string, name="examples")

    @tf.function(input_signature=[serialised])
    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.io.parse_example(examples, serving_spec)
        return {"outputs": model(model.transform_layer(raw), training=False)}

    @tf.function(input_signature=[serialised])
    def transform_features(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.io.parse_example(examples, raw_spec)
        return model.transform_layer(raw)

    tf.saved_model.save(
        model,
        directory,
        signatures={
            "serving_default": serving_default,
            "transform_features": transform_features,
        },
    )
