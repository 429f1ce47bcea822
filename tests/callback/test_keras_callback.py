"""Measuring in training: what it finds, what it leaves, and that training does not notice."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfx_privacy.evaluation.compare import compare
from tfx_privacy.evaluation.load import load_metrics
from tfx_privacy.keras_callback import PrivacyCallback
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

_CLASSES = 5
_FAST = {"attacks": ["loss_threshold", "entropy"]}


def _noise(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels that have nothing to do with each other: to be memorised."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 20)).astype(np.float32), rng.integers(0, _CLASSES, rows)


MEMBERS, NONMEMBERS = _noise(400, 1), _noise(400, 2)


@keras.saving.register_keras_serializable("tests")
class _AlwaysNoisy(keras.layers.Layer):
    """Draws in inference too, as some Bayesian layers do, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(7)

    def build(self, shape: tuple[int, ...]) -> None:
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        self.calls.assign_add(1.0)
        return x + keras.random.normal(keras.ops.shape(x), stddev=0.1, seed=self.seed_generator)


def _model(*last: keras.layers.Layer, hidden: tuple = ()) -> keras.Model:
    layers = [keras.Input((20,)), keras.layers.Dense(64, "relu"), *hidden, *last]
    return keras.Sequential(layers)


def _logits_model(*hidden: keras.layers.Layer) -> keras.Model:
    model = _model(keras.layers.Dense(_CLASSES), hidden=hidden)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


def _trained(callbacks: list[keras.callbacks.Callback]) -> tuple[keras.Model, dict]:
    keras.utils.set_random_seed(11)
    model = _logits_model(
        keras.layers.BatchNormalization(), keras.layers.Dropout(0.3), _AlwaysNoisy()
    )
    fit = model.fit(*MEMBERS, validation_data=NONMEMBERS, epochs=4, verbose=0, callbacks=callbacks)
    return model, fit.history


def test_training_goes_on_to_the_bit_as_if_nothing_had_been_measured(tmp_path: Path) -> None:
    alone, alone_history = _trained([])
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - looked at alone
    callback = PrivacyCallback(
        MEMBERS, NONMEMBERS, log_dir=str(tmp_path), metrics_dir=str(tmp_path), **_FAST
    )
    measured, measured_history = _trained([callback])
    assert [each.epoch for each in callback.history] == [1, 2, 3, 4]
    assert measured_history == alone_history
    for ours, theirs in (
        (measured.variables, alone.variables),
        (measured.optimizer.variables, alone.optimizer.variables),
    ):
        assert len(ours) == len(theirs) > 5
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)
    after = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert after == states


@pytest.fixture(scope="module")
def memorised(tmp_path_factory: pytest.TempPathFactory) -> tuple[PrivacyCallback, Path]:
    """A callback after 30 epochs of memorising, measured every tenth."""
    folder = tmp_path_factory.mktemp("memorised")
    keras.utils.set_random_seed(3)
    callback = PrivacyCallback(
        MEMBERS,
        NONMEMBERS,
        every_n_epochs=10,
        log_dir=str(folder / "logs"),
        metrics_dir=str(folder / "metrics"),
        rows_per_side=300,
    )
    _logits_model().fit(*MEMBERS, epochs=30, verbose=0, callbacks=[callback])
    return callback, folder


def test_what_is_memorised_is_found_and_grows(memorised) -> None:
    callback, _ = memorised
    first, *_, last = callback.history
    assert [each.epoch for each in callback.history] == [10, 20, 30]
    assert last.auc.lower > 0.6
    assert last.auc.estimate > first.auc.estimate
    assert last.auc.lower <= last.auc.estimate <= last.auc.upper
    # Five classes by chance, and all of them by heart.
    assert last.test_accuracy.lower < 0.2 < last.test_accuracy.upper
    assert last.train_accuracy.estimate > 0.9
    # An attacker that says "member" where the model is right has the gap for its advantage.
    assert last.advantage.upper > last.train_accuracy.estimate - last.test_accuracy.estimate - 0.1
    assert all(each.seconds > 0 for each in callback.history)


def test_tensorboard_has_the_same_numbers_at_keras_steps(memorised) -> None:
    callback, folder = memorised
    (file,) = (folder / "logs" / "privacy").iterdir()
    found = {
        (value.tag, event.step): tf.make_ndarray(value.tensor).item()
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    expected = {}
    for each in callback.history:
        for name in (
            "auc",
            "advantage",
            "tpr_at_1_percent_fpr",
            "train_accuracy",
            "test_accuracy",
        ):
            interval = getattr(each, name)
            step = each.epoch - 1
            expected[f"privacy/{name}", step] = interval.estimate
            expected[f"privacy/{name}_lower", step] = interval.lower
            expected[f"privacy/{name}_upper", step] = interval.upper
    assert found == pytest.approx(expected, rel=1e-6)


def test_directories_of_metrics_are_read_and_compared(memorised) -> None:
    callback, folder = memorised
    directories = [str(folder / "metrics" / f"epoch_{epoch}") for epoch in (10, 20, 30)]
    loaded = load_metrics(directories[-1])
    last = callback.history[-1]
    assert loaded.results.best_of_attacks[0].value.estimate == last.auc.estimate
    # 300 of the 400 rows a side are the sample.
    read = loaded.results.records.read
    assert (read.members, read.nonmembers) == (300, 300)
    frame = loaded.to_frame()
    assert set(frame.attack) >= {"loss_threshold", "logistic_regression", "best of attacks"}
    assert loaded.summary().startswith("Best of 6 attacks (")
    comparison = compare(directories)
    assert [each.place for each in comparison.compared] == [10, 20, 30]
    assert not comparison.lack_accuracy
    assert comparison.change.interval.lower > 0


def _measured_once(model: keras.Model, members, nonmembers, **settings) -> PrivacyCallback:
    callback = PrivacyCallback(members, nonmembers, **{**_FAST, **settings})
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0)
    return callback


def test_probabilities_and_one_hot_labels_say_what_logits_and_classes_say() -> None:
    keras.utils.set_random_seed(5)
    logits = _logits_model()
    probabilities = keras.Sequential([logits, keras.layers.Softmax()])
    hot = [(x, np.eye(_CLASSES)[y]) for x, y in (MEMBERS, NONMEMBERS)]
    one = _measured_once(logits, MEMBERS, NONMEMBERS).history[0]
    other = _measured_once(probabilities, *hot).history[0]
    assert other.auc.estimate == pytest.approx(one.auc.estimate, abs=1e-4)
    assert other.test_accuracy == one.test_accuracy


def test_a_binary_model_with_several_inputs() -> None:
    left, right = keras.Input((10,), name="left"), keras.Input((10,), name="right")
    merged = keras.layers.Concatenate()([left, right])
    output = keras.layers.Dense(1, activation="sigmoid")(merged)
    model = keras.Model({"left": left, "right": right}, output)
    sides = [({"left": x[:, :10], "right": x[:, 10:]}, y > 2) for x, y in (MEMBERS, NONMEMBERS)]
    measured = _measured_once(model, *sides).history[0]
    assert 0.3 < measured.auc.estimate < 0.7
    assert 0.2 < measured.test_accuracy.estimate < 0.8


@pytest.mark.parametrize(
    ("task", "output_kind", "activation"),
    [
        ("MULTILABEL", "OUTPUT_KIND_UNSPECIFIED", "sigmoid"),
        ("REGRESSION", "REGRESSION_VALUE", None),
    ],
)
def test_tasks_without_right_or_wrong_have_no_accuracy(task, output_kind, activation) -> None:
    sides = [(x, np.eye(_CLASSES)[y]) for x, y in (MEMBERS, NONMEMBERS)]
    model = _model(keras.layers.Dense(_CLASSES, activation=activation))
    measured = _measured_once(
        model, *sides, attacks=["loss_threshold"], task=task, output_kind=output_kind
    ).history[0]
    assert measured.train_accuracy is None
    assert measured.test_accuracy is None
    assert 0.3 < measured.auc.estimate < 0.7


class _OwnModel(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="own")
        self.dense = keras.layers.Dense(_CLASSES, activation="softmax")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.dense(x)


@pytest.mark.parametrize("model", [_OwnModel, lambda: _model(keras.layers.Dense(_CLASSES))])
def test_what_the_output_is_is_never_guessed(model) -> None:
    model = model()
    model.compile(loss="sparse_categorical_crossentropy")
    callback = PrivacyCallback(MEMBERS, NONMEMBERS)
    with pytest.raises(InputError, match="logits or probabilities cannot be known"):
        model.fit(*MEMBERS, epochs=1, verbose=0, callbacks=[callback])
    # Before the first epoch.
    assert callback.history == []
    told = _measured_once(_OwnModel(), MEMBERS, NONMEMBERS, output_kind="PROBABILITIES")
    assert len(told.history) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "multi"}, "task is 'multi'; expected one of BINARY, MULTICLASS"),
        ({"output_kind": "LOGIT"}, "output_kind is 'LOGIT'"),
        ({"every_n_epochs": 0}, "every_n_epochs is 0; expected 1 or more"),
        ({"attacks": ["telepathy"]}, "telepathy"),
        ({"confidence": 95}, "confidence is 95"),
        ({"members": MEMBERS[0]}, r"members is a ndarray; expected a pair \(x, y\)"),
        ({"nonmembers": (MEMBERS[0], [1, 2])}, "nonmembers has arrays of 2, 400 rows"),
    ],
)
def test_wrong_settings_are_told_at_once(settings, words) -> None:
    with pytest.raises(InputError, match=words):
        PrivacyCallback(**{"members": MEMBERS, "nonmembers": NONMEMBERS, **settings})


def test_labels_that_do_not_fit_are_told_before_training() -> None:
    callback = PrivacyCallback(MEMBERS, (NONMEMBERS[0], NONMEMBERS[1] + 1))
    callback.set_model(_logits_model())
    with pytest.raises(InputError, match=r"non-members: label 'y' is 5 in one .* class from 0"):
        callback.on_train_begin()


def test_attacks_that_cannot_run_are_named() -> None:
    sides = [(x, np.eye(_CLASSES)[y]) for x, y in (MEMBERS, NONMEMBERS)]
    model = _model(keras.layers.Dense(_CLASSES))
    with pytest.raises(InputError, match="none of the attacks could run: correctness is not"):
        _measured_once(
            model,
            *sides,
            task="REGRESSION",
            output_kind="REGRESSION_VALUE",
            attacks=["correctness"],
        )


def test_tensorboard_without_tensorflow_is_one_clear_error(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(InputError, match="log_dir is set, and TensorFlow"):
        PrivacyCallback(MEMBERS, NONMEMBERS, log_dir="logs")


def test_controls_say_where_to_run_them(memorised) -> None:
    results = load_metrics(str(memorised[1] / "metrics" / "epoch_10")).results
    assert "tfx-privacy evaluate" in results.controls.blind_baseline.not_run
    assert results.model.task == config_pb2.MULTICLASS
