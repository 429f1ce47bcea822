from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.usefixtures("global_random_state")
def test_global_generators_and_the_network_leave_each_other_alone(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=100)
    scores, draws = [], []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        scores.append(Network(epochs=3).fit(signals, seed=1).score(signals))
        draws.append((random.random(), np.random.random()))  # noqa: NPY002

    np.testing.assert_array_equal(*scores)
    assert draws == [
        (random.Random(seed).random(), np.random.RandomState(seed).random()) for seed in (1, 2)
    ]


def test_training_imports_no_framework():
    # What TensorFlow's import alone takes, 450 MB, is more than all attacks together.
    script = """
import sys
import numpy as np
from tfx_privacy.attacks.network import Network
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
rng = np.random.default_rng(0)
signals = Signals(
    task=config_pb2.MULTICLASS,
    ids=rng.integers(0, 99, (60, 2)).astype(np.uint64),
    member=np.arange(60) < 30,
    label=rng.integers(0, 3, 60),
    logits=rng.normal(size=(60, 3)).astype(np.float32),
    loss=rng.random(60).astype(np.float32),
)
Network(epochs=1).fit(signals, seed=1)
heavy = {"tensorflow", "keras", "sklearn", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(sys.prefix), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


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
