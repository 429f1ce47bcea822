from __future__ import annotations

import dataclasses
import sys
import types

import numpy as np
import pytest

from tfx_privacy.attacks import white_box_network_backend as backend_module
from tfx_privacy.attacks.white_box_network_backend import (
    require_installed,
    train_in_own_process,
    train_with,
)
from tfx_privacy.attacks.white_box_network_features import LOSS, NetworkFeatures, Part
from tfx_privacy.attacks.white_box_network_scorer import WhiteBoxNetworkScorer
from tfx_privacy.attacks.white_box_network_training import (
    Architecture,
    Encoder,
    TrainingRows,
    TrainingSettings,
    train,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

SETTINGS = TrainingSettings("adam", 0.01, 6, 32, 3, 5)
ARCHITECTURE = Architecture(
    (Encoder((8, 4), 1e-3), Encoder((6,), 1e-2, dropout=0.25, start=0.5)), (5, 1), 1e-3
)


def _rows(n=200, shift=1.0, seed=0) -> TrainingRows:
    generator = np.random.default_rng(seed)
    member = np.arange(n) % 3 == 0
    parts = [generator.normal(0, 1, (n, width)).astype(np.float32) for width in (3, 70)]
    parts[0][member] += shift
    stops = np.arange(n) % 5 == 0
    return TrainingRows(parts, member, ~stops, stops)


def _log_odds(network, parts) -> np.ndarray:
    """The forward pass by hand."""
    encoded = []
    for values, encoder in zip(parts, network.encoders, strict=True):
        for weight, bias in encoder:
            values = np.maximum(values.astype(np.float64) @ weight + bias, 0)
        encoded.append(values)
    values = np.concatenate(encoded, axis=1)
    *hidden, (weight, bias) = network.head
    for one, its_bias in hidden:
        values = np.maximum(values @ one + its_bias, 0)
    return (values @ weight + bias)[:, 0]


def _loss(log_odds, member) -> float:
    losses = np.log1p(np.exp(np.where(member, -log_odds, log_odds)))
    return float((losses[member].mean() + losses[~member].mean()) / 2)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_learns_with_every_optimizer(optimizer):
    settings = dataclasses.replace(SETTINGS, optimizer=optimizer, epochs=8)
    losses = train(_rows(shift=3), ARCHITECTURE, settings, lambda _: None).curves["training_loss"]
    assert losses[-1] < losses[0]


def test_the_epoch_with_the_smallest_loss_is_kept_and_patience_ends_training():
    # With so many features and no difference, later epochs memorise the rows.
    rows = _rows(shift=0)
    settings = dataclasses.replace(SETTINGS, epochs=60, patience=4)
    told = []

    network = train(rows, ARCHITECTURE, settings, told.append)

    losses = network.curves["validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4 < 60
    assert losses[-1] > losses[best]
    held_back = [part[rows.stops] for part in rows.parts]
    kept = _loss(_log_odds(network, held_back), rows.member[rows.stops])
    assert kept == pytest.approx(losses[best], rel=1e-5)
    assert [epoch.number for epoch in told] == list(range(1, len(losses) + 1))
    assert [epoch.validation_loss for epoch in told] == losses


def test_the_forward_pass_by_hand_is_keras_s():
    """Of the network as it was trained, and of the scorer, which rounds to grids."""
    import keras

    rows = _rows()
    network = train(rows, ARCHITECTURE, SETTINGS, lambda _: None)
    inputs, outputs = [], []
    for part, encoder in zip(rows.parts, network.encoders, strict=True):
        values = keras.Input((part.shape[1],))
        inputs.append(values)
        for _, bias in encoder:
            values = keras.layers.Dense(len(bias), activation="relu")(values)
        outputs.append(values)
    values = keras.layers.Concatenate()(outputs)
    for index, (_, bias) in enumerate(network.head):
        values = keras.layers.Dense(len(bias), activation=None if index else "relu")(values)
    model = keras.Model(inputs, values)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    flat = [layer for encoder in network.encoders for layer in encoder] + list(network.head)
    for weight, bias in flat:
        (layer,) = (
            one for one in dense if one.get_weights()[0].shape == weight.shape and one.name != "-"
        )
        dense.remove(layer)
        layer.set_weights([weight, bias])

    expected = model.predict_on_batch(rows.parts)[:, 0]

    np.testing.assert_allclose(_log_odds(network, rows.parts), expected, atol=1e-5)


def test_the_scorer_s_grids_cost_less_than_a_hundred_thousandth():
    """An identity as features, so that what enters is known."""
    from tfx_privacy.signals.batch import Signals

    n = 200
    generator = np.random.default_rng(0)
    signals = Signals(
        task=config_pb2.REGRESSION,
        ids=generator.integers(0, 2**63, (n, 2)).astype(np.uint64),
        member=np.arange(n) % 2 == 0,
        loss=generator.exponential(1, n).astype(np.float32),
    )
    features = NetworkFeatures.fit([Part(LOSS, (), 1)], signals)
    arrays = features.training_arrays(signals)
    rows = TrainingRows(arrays, signals.member, np.ones(n, bool), np.ones(n, bool))
    network = train(
        rows, Architecture((Encoder((64, 32), 1e-3),), (64, 1), 1e-3), SETTINGS, lambda _: None
    )

    scorer = WhiteBoxNetworkScorer.of("x", features, network, arrays)

    by_hand = _log_odds(network, features(signals))
    np.testing.assert_allclose(scorer.score(signals), by_hand, atol=1e-5)


def test_the_validation_auc_is_mann_and_whitney_s(auc):
    rows = _rows()
    settings = dataclasses.replace(SETTINGS, epochs=1)
    network = train(rows, ARCHITECTURE, settings, lambda _: None)
    scores = _log_odds(network, [part[rows.stops] for part in rows.parts])
    assert network.curves["validation_auc"] == [
        pytest.approx(auc(scores, rows.member[rows.stops]), abs=1e-9)
    ]


def test_batches_have_as_many_members_as_others_and_every_row_of_the_larger_side():
    from tfx_privacy.attacks.white_box_network_training import _Batches

    rows = _rows(100)
    numbered = dataclasses.replace(rows, parts=[np.arange(100, dtype=np.float32)[:, None]])
    batches = list(_Batches(numbered, [0.0], 32, np.random.default_rng(0)).epoch())

    drawn = np.stack([parts[0][:, 0].astype(int) for parts, _ in batches])
    for row, (_, member) in zip(drawn, batches, strict=True):
        assert member[:, 0].sum() == 16 == len(member) / 2
        np.testing.assert_array_equal(rows.member[row], member[:, 0] == 1)
    assert rows.trains[drawn].all()
    assert set(np.flatnonzero(rows.trains)) == set(drawn.ravel())


def test_a_learning_rate_that_breaks_training_is_named():
    settings = dataclasses.replace(SETTINGS, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(InputError, match=r"rate 1e\+30: expected a smaller attack_network"):
        train(_rows(), ARCHITECTURE, settings, lambda _: None)


def test_a_process_of_its_own_trains_the_same_network():
    rows = _rows()
    told = []

    here = train(rows, ARCHITECTURE, SETTINGS, lambda _: None)
    there = train_in_own_process("tensorflow", rows, ARCHITECTURE, SETTINGS, told.append)

    assert here.curves == there.curves
    assert [epoch.number for epoch in told] == [1, 2, 3, 4, 5, 6][: len(told)]
    for mine, other in zip([*here.encoders, here.head], [*there.encoders, there.head], strict=True):
        for (weight, bias), (its_weight, its_bias) in zip(mine, other, strict=True):
            np.testing.assert_array_equal(weight, its_weight)
            np.testing.assert_array_equal(bias, its_bias)


def test_errors_of_that_process_come_back():
    settings = dataclasses.replace(SETTINGS, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(InputError, match=r"expected a smaller attack_network\.learning_rate"):
        train_in_own_process("tensorflow", _rows(), ARCHITECTURE, settings, lambda _: None)


def test_what_that_process_cannot_cope_with_is_told_of_in_its_words(tmp_path):
    # Its folder is empty.
    with pytest.raises(RuntimeError, match=r"(?s)Keras on jax failed.*exit code 1.*No such file"):
        backend_module._run(tmp_path, "jax", lambda _: None)


def test_a_backend_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(backend_module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=r"attack_network\.backend is 'jax', and there is no package"
    ):
        require_installed("jax")


@pytest.mark.parametrize(
    ("loaded", "environment", "wanted", "own"),
    [
        ("tensorflow", None, "tensorflow", False),
        ("jax", None, "tensorflow", True),
        ("jax", "tensorflow", "tensorflow", True),
        (None, "jax", "tensorflow", True),
        ("tensorflow", "jax", "tensorflow", False),
        ("tensorflow", None, "jax", True),
    ],
)
def test_another_backend_than_the_process_has_trains_elsewhere(
    monkeypatch, loaded, environment, wanted, own
):
    """What Keras is there, what the environment asks for, and what the configuration does."""
    if loaded is None:
        monkeypatch.delitem(sys.modules, "keras", raising=False)
    else:
        config = types.SimpleNamespace(backend=lambda: loaded)
        monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(config=config))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if environment:
        monkeypatch.setenv("KERAS_BACKEND", environment)
    monkeypatch.setattr(backend_module, "require_installed", lambda _: None)
    monkeypatch.setattr(backend_module, "train", lambda *_: "here")
    monkeypatch.setattr(backend_module, "train_in_own_process", lambda *_: "elsewhere")

    found = train_with(wanted, _rows(), ARCHITECTURE, SETTINGS, lambda _: None)

    assert found == ("elsewhere" if own else "here")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_learn_the_same(backend):
    """They round otherwise, so not to the bit."""
    try:
        require_installed(backend)
    except InputError:
        pytest.skip(f"{backend} is not installed: `pip install {backend}` to run this test")
    rows = _rows(shift=2)

    here = train(rows, ARCHITECTURE, SETTINGS, lambda _: None)
    there = train_with(backend, rows, ARCHITECTURE, SETTINGS, lambda _: None)

    for name, values in here.curves.items():
        np.testing.assert_allclose(there.curves[name], values, atol=2e-3)
    np.testing.assert_allclose(_log_odds(there, rows.parts), _log_odds(here, rows.parts), atol=2e-2)
