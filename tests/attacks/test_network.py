from __future__ import annotations

import random

import numpy as np
import pytest

from tfx_privacy.attacks import network
from tfx_privacy.attacks.network import Network
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@pytest.fixture
def global_random_state():
    """Puts back the global generators of Python and NumPy after the test."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    yield
    random.setstate(python)
    np.random.set_state(legacy)  # noqa: NPY002


def draws_of_every_global_generator(between):
    """What each global generator gives after seeding all, with something done in between."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(11)
    first = tf.random.uniform((3,)).numpy().tolist()
    between()
    return (
        first,
        tf.random.uniform((3,)).numpy().tolist(),
        # Keras's initialisers without a seed take theirs from Python's generator.
        random.random(),
        np.random.random(3).tolist(),  # noqa: NPY002
    )


@pytest.mark.usefixtures("global_random_state")
def test_leaves_every_global_generator_as_it_was(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=100)

    undisturbed = draws_of_every_global_generator(lambda: None)
    disturbed = draws_of_every_global_generator(lambda: Network(epochs=2).fit(signals, seed=1))

    assert disturbed == undisturbed


@pytest.mark.usefixtures("global_random_state")
def test_does_not_depend_on_global_seeds(leaky):
    import keras

    signals = leaky(config_pb2.MULTICLASS, rows=100)
    scores = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        scores.append(Network(epochs=3).fit(signals, seed=1).score(signals))

    np.testing.assert_array_equal(*scores)


def test_leaves_the_names_of_the_users_layers_alone(leaky):
    import keras

    def names():
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
        return inputs.name, model.name, model.layers[-1].name

    def numbers(found):
        return [int(name.rsplit("_", 1)[1]) for name in found]

    names()
    before = numbers(names())
    Network(epochs=1).fit(leaky(config_pb2.MULTICLASS, rows=100), seed=1)
    after = numbers(names())

    # Naming goes on from where it was, as it does with nothing in between.
    steps = [later - earlier for earlier, later in zip(before, after, strict=True)]
    names_apart = numbers(names())
    assert steps == [later - earlier for earlier, later in zip(after, names_apart, strict=True)]


def test_does_not_take_the_users_precision(leaky):
    import keras

    signals = leaky(config_pb2.MULTICLASS, rows=100)
    expected = Network(epochs=3).fit(signals, seed=1).score(signals)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        scores = Network(epochs=3).fit(signals, seed=1).score(signals)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(policy)

    np.testing.assert_array_equal(scores, expected)


def test_another_seed_gives_another_network(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=100)

    scores = [Network(epochs=3).fit(signals, seed=seed).score(signals) for seed in (1, 2)]

    assert (scores[0] != scores[1]).all()


def test_has_five_networks_for_few_rows_and_one_for_many(leaky):
    few = Network(epochs=1).fit(leaky(config_pb2.BINARY, rows=1000), seed=1)
    many = Network(epochs=1).fit(leaky(config_pb2.BINARY, rows=10_001), seed=1)

    assert (len(few.networks), len(many.networks)) == (5, 1)
    shapes = [weight.shape for weight, _ in few.networks[0]]
    assert shapes[1:] == [(64, 32), (32, 1)]


def test_scores_what_keras_computes(leaky):
    """The exact NumPy layers against Keras's own forward pass, with Keras's weights."""
    import keras

    signals = leaky(config_pb2.MULTICLASS, rows=200)
    fitted = Network(epochs=5).fit(signals, seed=1)
    features = fitted.features(signals).astype(np.float32)

    outputs = []
    for layers in fitted.networks:
        model = keras.Sequential([keras.Input((features.shape[1],))])
        for index, (weight, _) in enumerate(layers):
            activation = "relu" if index < len(layers) - 1 else None
            model.add(keras.layers.Dense(weight.shape[1], activation=activation))
        model.set_weights([array for layer in layers for array in layer])
        outputs.append(keras.ops.convert_to_numpy(model(features))[:, 0])

    np.testing.assert_allclose(fitted.score(signals), np.mean(outputs, axis=0), atol=1e-4)


def test_keeps_an_early_epoch_where_later_ones_only_memorise(leaky, auc, monkeypatch):
    signals = leaky(config_pb2.MULTICLASS, rows=300, leak=0.0, columns=20)

    stopped = Network().fit(signals, seed=1).score(signals)
    # With fewer rows than folds, nothing is held back and training goes on to the end.
    monkeypatch.setattr(network, "_FOLDS", 1000)
    memorised = Network().fit(signals, seed=1).score(signals)

    assert auc(memorised, signals.member) > 0.99
    assert auc(stopped, signals.member) < 0.9
