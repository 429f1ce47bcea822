from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.attacks.correctness import Correctness
from tfx_privacy.attacks.entropy import Entropy
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.modified_entropy import ModifiedEntropy
from tfx_privacy.attacks.per_class import EntropyPerClass
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

ATTACKS = [LossThreshold(), Confidence(), Entropy(), ModifiedEntropy(), Correctness()]
SMOOTH = [LossThreshold(), Confidence(), Entropy(), ModifiedEntropy()]


@pytest.fixture
def three_classes(make_signals):
    """Probabilities (.5, .3, .2) for the true classes 0 and 2, and (.2, .7, .1) for 1."""
    p = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1]])
    # Softmax does not see what is added to all logits of a row.
    logits = np.log(p) + np.array([[0.0], [5.0], [-3.0]])
    return make_signals(config_pb2.MULTICLASS, logits, [0, 2, 1], [True, False, True])


# The formulas of the papers, by hand, for the three rows above.
def test_loss_by_hand(three_classes):
    # -log .5, -log .2, -log .7.
    np.testing.assert_allclose(
        LossThreshold().score(three_classes), [-0.693147, -1.609438, -0.356675], atol=1e-6
    )


def test_confidence_by_hand(three_classes):
    # log(p / (1 - p)) of .5, .2, .7: log 1, log 1/4, log 7/3.
    np.testing.assert_allclose(
        Confidence().score(three_classes), [0, -1.386294, 0.847298], atol=1e-6
    )


def test_entropy_by_hand(three_classes):
    # H(.5, .3, .2) = .346574 + .361192 + .321888; H(.2, .7, .1) = .321888 + .249672 + .230259.
    np.testing.assert_allclose(
        np.exp(-Entropy().score(three_classes)), [1.029653, 1.029653, 0.801819], atol=2e-6
    )


def test_modified_entropy_by_hand(three_classes):
    expected = [
        # y = 0: .5 (-log .5) + .3 (-log .7) + .2 (-log .8) = .346574 + .107002 + .044629.
        0.498205,
        # y = 2: .8 (-log .2) + .5 (-log .5) + .3 (-log .7) = 1.287550 + .346574 + .107002.
        1.741126,
        # y = 1: .3 (-log .7) + .2 (-log .8) + .1 (-log .9) = .107002 + .044629 + .010536.
        0.162167,
    ]
    np.testing.assert_allclose(np.exp(-ModifiedEntropy().score(three_classes)), expected, atol=2e-6)


def test_correctness_by_hand(three_classes):
    np.testing.assert_array_equal(Correctness().score(three_classes), [1, 0, 1])


def test_binary_with_one_logit(make_signals):
    # p_1 = .8 and .25: z = log 4 and -log 3.
    signals = make_signals(
        config_pb2.BINARY, [[math.log(4)], [-math.log(3)]], [1, 1], [True, False]
    )

    # -log .8 and -log .25.
    np.testing.assert_allclose(LossThreshold().score(signals), [-0.223144, -1.386294], atol=1e-6)
    # log 4 and -log 3.
    np.testing.assert_allclose(Confidence().score(signals), [1.386294, -1.098612], atol=1e-6)
    # H(.8) = .178515 + .321888; H(.25) = .346574 + .215762.
    np.testing.assert_allclose(np.exp(-Entropy().score(signals)), [0.500402, 0.562335], atol=2e-6)
    # y = 1 both: 2 (1 - p_1)(-log p_1) = .4 * .223144 and 1.5 * 1.386294.
    np.testing.assert_allclose(
        np.exp(-ModifiedEntropy().score(signals)), [0.089257, 2.079442], atol=2e-6
    )
    np.testing.assert_array_equal(Correctness().score(signals), [1, 0])


def test_two_logits_mean_the_same_as_their_difference(make_signals):
    z = np.random.default_rng(0).normal(0, 3, 50).astype(np.float32)
    label, member = np.arange(50) % 2, np.arange(50) % 3 == 0
    one = make_signals(config_pb2.BINARY, z[:, None], label, member)
    two = make_signals(
        config_pb2.BINARY, np.stack([np.ones(50), z + np.float32(1)], axis=1), label, member
    )

    for attack in ATTACKS:
        np.testing.assert_allclose(attack.score(one), attack.score(two), rtol=1e-4, atol=1e-5)


def test_members_of_a_very_sure_model_are_still_told_apart(make_signals):
    # p_y is 1 - e^-z: 1 to float64 from z = 37, its entropy 0 from z = 750.
    z = np.array([30, 40, 100, 700, 800, 5000, 1e4, 2e4])
    logits = np.stack([z, np.zeros(8), np.full(8, -2.0)], axis=1)
    signals = make_signals(config_pb2.MULTICLASS, logits, np.zeros(8), np.arange(8) % 2)

    for attack in (Confidence(), Entropy(), ModifiedEntropy()):
        scores = attack.score(signals)
        assert np.isfinite(scores).all(), attack.name
        assert (np.diff(scores) > 0).all(), attack.name


def test_a_model_that_is_very_sure_and_wrong_has_the_lowest_scores(make_signals):
    z = np.array([1, 40, 800, 1e4])
    logits = np.stack([z, np.zeros(4), np.full(4, -2.0)], axis=1)
    wrong = make_signals(config_pb2.MULTICLASS, logits, np.ones(4), np.arange(4) % 2)

    for attack in (LossThreshold(), Confidence(), ModifiedEntropy()):
        scores = attack.score(wrong)
        assert np.isfinite(scores).all(), attack.name
        assert (np.diff(scores) < 0).all(), attack.name
    # It is sure all the same: entropy cannot see that it is wrong.
    assert (np.diff(Entropy().score(wrong)) > 0).all()


@pytest.mark.parametrize("attack", SMOOTH, ids=lambda attack: attack.name)
def test_finds_a_planted_leak(attack, leaky, auc):
    signals = leaky(config_pb2.MULTICLASS, rows=4000, leak=2.0)

    # Four logits of sd 2, the true one 1 ahead, for members 3 ahead.
    assert auc(attack.score(signals), signals.member) > 0.58


def test_the_loss_is_an_attack_for_every_task(leaky, auc):
    for task in LossThreshold.tasks:
        signals = leaky(task, rows=2000, leak=1.0)
        assert LossThreshold().cannot_run(signals) is None
        assert auc(LossThreshold().score(signals), signals.member) > 0.6, task


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_cannot_run_says_what_is_missing(attack, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=10)

    assert attack.cannot_run(signals) is None
    for column in attack.needs:
        without = dataclasses.replace(signals, **{column: None})
        wanted = "logits or entropy" if attack == Entropy() else column
        assert attack.cannot_run(without) == f"needs {wanted}, which the signals do not have"
        with pytest.raises(ValueError, match=column):
            attack.score(without)


def test_entropy_needs_no_label(leaky):
    signals = dataclasses.replace(leaky(config_pb2.MULTICLASS, rows=10), label=None, loss=None)

    assert Entropy().cannot_run(signals) is None
    assert Entropy().fit(signals, seed=0).score(signals).shape == (10,)


def test_an_entropy_that_is_known_stands_for_logits(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=50)
    of_logits = Entropy().score(signals)
    alone = dataclasses.replace(
        signals, logits=None, loss=None, label=None, entropy=np.exp(-of_logits).astype(np.float32)
    )

    assert Entropy().cannot_run(alone) is None
    np.testing.assert_array_equal(np.argsort(Entropy().score(alone)), np.argsort(of_logits))
    # Scores are -log(1 + H / u), u = 2^-149: of H = 0, u and 1.
    three = dataclasses.replace(
        alone.take(np.arange(3)), entropy=np.array([0, 2.0**-149, 1], np.float32)
    )
    np.testing.assert_allclose(
        Entropy().score(three), [0, -math.log(2), -149 * math.log(2)], rtol=1e-12
    )
    # Only this attack and its thresholds per class can do without logits.
    for attack in ATTACKS:
        assert (attack.cannot_run(alone) is None) == (attack == Entropy()), attack.name
    assert EntropyPerClass().cannot_run(alone) == "needs label, which the signals do not have"
    with_label = dataclasses.replace(alone, label=signals.label)
    assert EntropyPerClass().cannot_run(with_label) is None
    scores = EntropyPerClass().fit(with_label, seed=0).score(with_label)
    assert np.isfinite(scores).all()
    several = dataclasses.replace(
        leaky(config_pb2.MULTILABEL, rows=50), logits=None, entropy=alone.entropy
    )
    assert EntropyPerClass().cannot_run(several) == "is not defined for the task MULTILABEL"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_fit_needs_both_sides(attack, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=40)

    for mask in (signals.member, ~signals.member):
        with pytest.raises(ValueError, match="expected at least one of each"):
            attack.fit(signals.take(mask), seed=0)
