"""Models as users export them, made once a session, and the examples that suit them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

# What a model looks at, each [1]; an example has a label besides.
FEATURES = ("age", "height", "weight")


def serialize(features: Mapping[str, Any]) -> bytes:
    """A tf.Example: bytes, floats or integers by the type of the values; [] is left out."""
    import tensorflow as tf

    example = tf.train.Example()
    for name, values in features.items():
        values = values if isinstance(values, list) else [values]
        if not values:
            continue
        feature = example.features.feature[name]
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return example.SerializeToString()


@dataclasses.dataclass(frozen=True)
class ExportedModel:
    """A SavedModel and what it is to answer.

    Attributes:
      directory: Where it lies.
      logits: From rows [n, 3] to the model's own values before the activation.
    """

    directory: str
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Exporter:
    """Exports models of FEATURES: dense layers, then a softmax, or a sigmoid for one column."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @functools.cache  # noqa: B019
    def export(self, how: str, width: int) -> ExportedModel:
        """One model of each kind and width, made when it is first asked for."""
        directory = str(self._folder / f"{how}_{width}")
        return getattr(self, f"_{how}")(directory, width)

    def _keras3_save_parsing(self, directory: str, width: int) -> ExportedModel:
        import keras
        import tensorflow as tf

        model, logits = _keras_model(keras, width)
        tf.saved_model.save(model, directory, {"serving_default": _parsing(model)})
        return ExportedModel(directory, logits)

    def _keras3_export(self, directory: str, width: int) -> ExportedModel:
        import keras

        model, logits = _keras_model(keras, width)
        model.export(directory, verbose=False)
        return ExportedModel(directory, logits)

    def _tf_keras_save(self, directory: str, width: int) -> ExportedModel:
        import tf_keras

        model, logits = _keras_model(tf_keras, width)
        model.save(directory, save_format="tf")
        return ExportedModel(directory, logits)

    def _tf_keras_save_parsing(self, directory: str, width: int) -> ExportedModel:
        import tf_keras

        model, logits = _keras_model(tf_keras, width)
        signatures = {"serving_default": _parsing(model)}
        model.save(directory, save_format="tf", signatures=signatures)
        return ExportedModel(directory, logits)

    def _module_parsing(self, directory: str, width: int) -> ExportedModel:
        import tensorflow as tf

        module, logits, model = _module(width)
        module.serve = _parsing(model)
        tf.saved_model.save(module, directory, {"serving_default": module.serve})
        return ExportedModel(directory, logits)

    def _module_features(self, directory: str, width: int) -> ExportedModel:
        import tensorflow as tf

        module, logits, model = _module(width)
        specs = [tf.TensorSpec([None, 1], tf.float32, name=name) for name in FEATURES]
        module.serve = tf.function(
            lambda age, height, weight: {
                "outputs": model({"age": age, "height": height, "weight": weight})
            },
            input_signature=specs,
        )
        tf.saved_model.save(module, directory, {"serving_default": module.serve})
        return ExportedModel(directory, logits)


def _keras_model(keras: ModuleType, width: int) -> tuple[Any, Callable[..., Any]]:
    keras.utils.set_random_seed(width)
    inputs = {name: keras.layers.Input((1,), name=name) for name in FEATURES}
    hidden = keras.layers.Concatenate()([inputs[name] for name in FEATURES])
    hidden = keras.layers.Dense(8, activation="relu")(hidden)
    logits = keras.layers.Dense(width)(hidden)
    answer = keras.layers.Activation("softmax" if width > 1 else "sigmoid")(logits)
    before = keras.Model(inputs, logits)

    def logits_of(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        columns = {name: rows[:, i : i + 1] for i, name in enumerate(FEATURES)}
        return np.asarray(before(columns))

    return keras.Model(inputs, answer), logits_of


def _module(width: int) -> tuple[Any, Callable[..., Any], Callable[..., Any]]:
    import tensorflow as tf

    random = np.random.default_rng(width)
    weights = random.normal(size=(3, width)).astype(np.float32)
    module = tf.Module()
    module.weights = tf.Variable(weights)

    def model(features: Mapping[str, Any]) -> Any:
        scores = tf.concat([features[name] for name in FEATURES], axis=1) @ module.weights
        return tf.nn.softmax(scores) if width > 1 else tf.nn.sigmoid(scores)

    return module, lambda rows: rows @ weights, model


def _parsing(model: Callable[..., Any]) -> Any:
    """A signature on serialised examples."""
    import tensorflow as tf

    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in FEATURES}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: Any) -> dict[str, Any]:
        return {"outputs": model(tf.io.parse_example(examples, spec))}

    return serve


@pytest.fixture(scope="session")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    return Exporter(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def rows() -> NDArray[np.float32]:
    """Inputs of 70 examples, [70, 3]."""
    return np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def examples(rows: NDArray[np.float32]) -> Sequence[bytes]:
    """The same as serialised tf.Examples, with a label."""
    return [
        serialize({**dict(zip(FEATURES, map(float, row), strict=True)), "label": index % 2})
        for index, row in enumerate(rows)
    ]


@pytest.fixture(scope="session", name="serialize")
def serialize_fixture() -> Callable[[Mapping[str, Any]], bytes]:
    return serialize
