"""What is planted has every attack's highest scores, whatever the task."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.gradient_norm import GradientNorm
from tfx_privacy.attacks.planted import PlantedLeak, plant
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses

# The white-box network has tests of its own: Keras trains it.
ATTACKS = [
    attack
    for attack in resolve_attacks(["thorough", "white_box", "reference"])
    if attack.name != "white_box_network"
]
SEE = [attack for attack in ATTACKS if attack.sees_planted]
THRESHOLDS = [attack for attack in SEE if not attack.is_trained]
TASKS = {
    "binary": (config_pb2.BINARY, 1),
    "two_logits": (config_pb2.BINARY, 2),
    "multiclass": (config_pb2.MULTICLASS, 5),
    "multilabel": (config_pb2.MULTILABEL, 4),
    "regression": (config_pb2.REGRESSION, 1),
}


@pytest.fixture(params=list(TASKS.values()), ids=list(TASKS))
def halves(request, leaky, make_signals, with_white_box, with_references):
    """Rows without a leak, on two sides, of one task."""
    task, columns = request.param

    def make(rows, seed):
        signals = leaky(task, rows=rows, leak=0.0, seed=seed, columns=columns)
        if columns == 2:
            z = np.concatenate([np.zeros_like(signals.logits), signals.logits], axis=1) + 3.0
            signals = make_signals(task, z, signals.label, signals.member, seed)
        return with_references(with_white_box(signals, seed), seed=seed, leak=0.0)

    return make


def chosen(signals, share, seed=0):
    """A share of the members."""
    return signals.member & (np.random.default_rng(seed).random(len(signals)) < share)


@pytest.mark.parametrize("attack", THRESHOLDS, ids=lambda attack: attack.name)
def test_a_threshold_attack_ranks_planted_rows_first(attack, halves):
    fit, judge = halves(400, seed=1), halves(2000, seed=2)
    if attack.cannot_run(fit) is not None:
        pytest.skip("is not defined for the task")
    rows = chosen(judge, 0.1)

    scores = attack.fit(fit, seed=0).score(plant(judge, rows, fit))

    assert np.isfinite(scores).all()
    assert scores[rows].min() > scores[~rows].max()


@pytest.mark.parametrize(
    "attack", [one for one in SEE if one.is_trained], ids=lambda attack: attack.name
)
def test_a_trained_attack_learns_to_see_them(attack, halves, auc):
    share = 0.1
    fit, judge = halves(1000, seed=1), halves(2000, seed=2)
    if attack.cannot_run(fit) is not None:
        pytest.skip("is not defined for the task")
    leak = PlantedLeak.above(fit)
    in_fit, in_judge = chosen(fit, share), chosen(judge, share)

    fitted = attack.fit(leak.plant(fit, in_fit), seed=0)
    planted = leak.plant(judge, in_judge)
    scores = fitted.score(planted)

    assert np.isfinite(scores).all()
    # Nearly all of them above nearly all others.
    assert auc(scores, in_judge) > 0.99
    # .5 + p / 2, give or take three standard deviations of what the others' order adds.
    share_planted = in_judge.sum() / judge.member.sum()
    assert auc(scores, judge.member) == pytest.approx(0.5 + share_planted / 2, abs=0.04)


def test_losses_follow_from_logits_and_other_rows_are_as_they_were(halves):
    signals = halves(500, seed=3)
    before = dataclasses.replace(signals, logits=signals.logits.copy(), loss=signals.loss.copy())
    rows = chosen(signals, 0.3)

    planted = plant(signals, rows, None)

    np.testing.assert_array_equal(signals.logits, before.logits)
    np.testing.assert_array_equal(signals.loss, before.loss)
    np.testing.assert_array_equal(planted.logits[~rows], before.logits[~rows])
    np.testing.assert_array_equal(planted.loss[~rows], before.loss[~rows])
    np.testing.assert_array_equal(
        planted.loss[rows], losses(signals.task, planted.logits, signals.label)[rows]
    )
    assert planted.logits.dtype == planted.loss.dtype == np.float32
    if signals.task == config_pb2.REGRESSION:
        np.testing.assert_array_equal(planted.logits[rows], signals.label[rows])


def test_a_row_is_planted_alike_in_any_company(halves):
    signals = halves(300, seed=4)
    rows = chosen(signals, 0.5)
    leak = PlantedLeak.above(halves(300, seed=5))

    together = leak.plant(signals, rows)

    for row in (int(np.flatnonzero(rows)[0]), int(np.flatnonzero(~rows)[0])):
        alone = leak.plant(signals.take(np.array([row])), rows[[row]])
        np.testing.assert_array_equal(alone.logits[0], together.logits[row])
        assert alone.loss[0] == together.loss[row]


@pytest.mark.parametrize("scale", [1e-3, 40.0, 1e6, 1e30])
@pytest.mark.parametrize("columns", [2, 5])
def test_logits_of_any_size(make_signals, with_white_box, with_references, scale, columns):
    generator = np.random.default_rng(0)
    logits = scale * generator.normal(size=(400, columns))
    label = np.where(generator.random(400) < 0.9, logits.argmax(axis=1), 0)
    # Rows that are very sure have gradients of 0.
    signals = make_signals(config_pb2.MULTICLASS, logits, label, np.arange(400) % 2)
    signals = with_references(with_white_box(signals), leak=0.0)
    rows = np.arange(400) < 20

    planted = plant(signals, rows, None)

    assert np.isfinite(planted.logits).all()
    for attack in THRESHOLDS:
        scores = attack.fit(signals, seed=0).score(planted)
        assert np.isfinite(scores).all()
        # Also where the model's losses are 0 to float32's precision.
        assert scores[rows].min() > scores[~rows].max(), attack.name


def test_many_classes_with_evenly_shared_rest(make_signals, with_white_box, with_references):
    # The entropy of a row depends on how the rest is shared, most where it is even.
    logits = np.zeros((60, 1000))
    logits[:30] = -50.0 * (np.arange(1000) > 1)
    label = np.zeros(60, np.int64)
    logits[:, 0] += 12.0
    signals = make_signals(config_pb2.MULTICLASS, logits, label, np.arange(60) % 2)
    signals = with_references(with_white_box(signals), leak=0.0)
    rows = np.arange(60) >= 50

    planted = plant(signals, rows, None)

    for attack in THRESHOLDS:
        scores = attack.fit(signals, seed=0).score(planted)
        assert scores[rows].min() > scores[~rows].max(), attack.name


@pytest.mark.parametrize("smallest", [1e-30, 0.0, -7.0, 3.0])
def test_with_a_loss_and_nothing_else(leaky, smallest):
    signals = leaky(config_pb2.BINARY, rows=50)
    loss = (smallest + np.arange(50) / 10).astype(np.float32)
    signals = dataclasses.replace(signals, logits=None, label=None, loss=loss)
    rows = np.arange(50) % 10 == 4

    planted = plant(signals, rows, None)

    assert planted.logits is None
    assert np.isfinite(planted.loss).all()
    assert planted.loss[rows].max() < planted.loss[~rows].min()


@pytest.mark.parametrize("smallest", [1e-30, 0.0, 0.3])
def test_with_an_entropy_and_nothing_else(leaky, smallest):
    signals = leaky(config_pb2.MULTICLASS, rows=50)
    entropy = (smallest + np.arange(50) / 10).astype(np.float32)
    signals = dataclasses.replace(signals, logits=None, label=None, loss=None, entropy=entropy)
    rows = np.arange(50) % 10 == 4

    planted = plant(signals, rows, None)

    assert planted.loss is None
    np.testing.assert_array_equal(planted.entropy[~rows], entropy[~rows])
    np.testing.assert_array_equal(signals.entropy, entropy)
    (attack,) = resolve_attacks(["entropy"])
    scores = attack.score(planted)
    assert np.isfinite(scores).all()
    assert scores[rows].min() > scores[~rows].max()


def test_without_a_label_the_models_answer_is_taken_for_it(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=50)
    signals = dataclasses.replace(signals, label=None, loss=None)
    rows = np.arange(50) < 5

    planted = plant(signals, rows, None)

    np.testing.assert_array_equal(planted.logits.argmax(axis=1), signals.logits.argmax(axis=1))
    assert planted.loss is None
    (entropy,) = resolve_attacks(["entropy"])
    scores = entropy.score(planted)
    assert scores[rows].min() > scores[~rows].max()


def test_no_rows_at_all_and_none_to_plant_in(halves):
    signals = halves(20, seed=1)
    leak = PlantedLeak.above(signals)

    assert len(leak.plant(signals.take(np.arange(0)), np.empty(0, np.bool_))) == 0
    nothing = leak.plant(signals, np.zeros(20, np.bool_))
    np.testing.assert_array_equal(nothing.logits, signals.logits)
    np.testing.assert_array_equal(nothing.loss, signals.loss)


def test_nothing_to_plant_in_is_an_error(leaky):
    signals = dataclasses.replace(leaky(config_pb2.BINARY, rows=5), logits=None, loss=None)

    with pytest.raises(ValueError, match="nothing to plant in"):
        plant(signals, np.ones(5, np.bool_), None)


def test_gradients_become_smaller_than_any_and_keep_their_direction(halves):
    signals, reference = halves(200, seed=3), halves(200, seed=4)
    rows = chosen(signals, 0.3)

    planted = PlantedLeak.above(Signals.concatenate([signals, reference])).plant(signals, rows)

    for layer, norms in signals.gradient_norms.items():
        found = planted.gradient_norms[layer]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found[~rows], norms[~rows])
        # A millionth of the smallest of all.
        smallest = min(norms.min(), reference.gradient_norms[layer].min())
        np.testing.assert_allclose(found[rows], smallest * 1e-6, rtol=1e-6)
    for layer, sketches in signals.gradient_sketches.items():
        found = planted.gradient_sketches[layer].astype(np.float64)
        assert planted.gradient_sketches[layer].dtype == np.float32
        np.testing.assert_array_equal(found[~rows], sketches[~rows])
        lengths = np.linalg.norm(found, axis=1)
        every = np.concatenate([sketches, reference.gradient_sketches[layer]])
        shortest = np.linalg.norm(every, axis=1).min()
        np.testing.assert_allclose(lengths[rows], shortest * 1e-6, rtol=1e-5)
        before = sketches[rows] / np.linalg.norm(sketches[rows], axis=1)[:, None]
        np.testing.assert_allclose(found[rows] / lengths[rows, None], before, atol=1e-5)
    for layer, activations in signals.activations.items():
        np.testing.assert_array_equal(planted.activations[layer], activations)


def test_where_others_have_no_gradient_planted_norms_lie_below_0(halves):
    signals = halves(50, seed=3)
    none = {layer: np.zeros(50, np.float32) for layer in signals.gradient_norms}
    flat = {layer: np.zeros_like(values) for layer, values in signals.gradient_sketches.items()}
    signals = dataclasses.replace(signals, gradient_norms=none, gradient_sketches=flat)
    rows = np.arange(50) < 5

    planted = plant(signals, rows, None)

    scores = GradientNorm().score(planted)
    assert np.isfinite(scores).all()
    assert scores[rows].min() > scores[~rows].max()
    for layer in flat:
        np.testing.assert_array_equal(planted.gradient_sketches[layer], 0)


def test_a_layer_that_the_leak_knows_nothing_of_is_an_error(halves):
    signals = halves(20, seed=1)
    leak = PlantedLeak.above(signals.without_white_box())

    with pytest.raises(ValueError, match=r"gradients of the layer 'hidden'; expected .* none"):
        leak.plant(signals, np.ones(20, np.bool_))


def test_these_attacks_do_not_see_it():
    unseen = [attack.name for attack in ATTACKS if not attack.sees_planted]
    assert unseen == [
        "correctness",
        "logistic_regression_activations",
        "attack_r",
        "shadow_models",
    ]
