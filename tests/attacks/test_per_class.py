from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.margin import Margin
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.per_class import (
    ConfidencePerClass,
    EntropyPerClass,
    LossThresholdPerClass,
    MarginPerClass,
    ModifiedEntropyPerClass,
)
from tfx_privacy.attacks.planted import plant
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

ATTACKS: list[Attack] = [
    LossThresholdPerClass(),
    ConfidencePerClass(),
    EntropyPerClass(),
    ModifiedEntropyPerClass(),
    MarginPerClass(),
]
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


def logit(share):
    return math.log(share / (1 - share))


def with_margins(make_signals, margins, label, member):
    """Three classes, of which the true one is so far ahead of two equal ones."""
    logits = np.zeros((len(margins), 3))
    logits[np.arange(len(margins)), label] = margins
    return make_signals(config_pb2.MULTICLASS, logits, label, member)


def classes_of_unequal_difficulty(make_signals, rows, seed, easier=6.0, leak=1.0):
    """Class 0 is surer than class 2 by `easier`, class 1 half so; members by `leak`."""
    generator = np.random.default_rng(seed)
    member = generator.random(rows) < 0.5
    label = generator.integers(0, 3, rows)
    logits = generator.normal(0, 1, (rows, 3))
    logits[np.arange(rows), label] += 1 + easier * (2 - label) / 2 + leak * member
    return make_signals(config_pb2.MULTICLASS, logits, label, member, seed)


@pytest.fixture
def fitted(make_signals):
    """Margins 0, 2 of class 0 and 4, 6, 8 of class 1; a member's is left out."""
    fit = with_margins(
        make_signals, [4, 0, 50, 6, 2, 8], [1, 0, 0, 1, 0, 1], [False, False, True, *[False] * 3]
    )
    return MarginPerClass(prior_rows=2.0).fit(fit, seed=0)


def test_by_hand(fitted, make_signals):
    judge = with_margins(make_signals, [1, 1, 5, 5, 1], [0, 1, 0, 1, 2], [True] * 5)

    # Of all: 0, 2, 4, 6, 8 with shares .1, .3, .5, .7, .9, so 1 has .2 and 5 has .6.
    # Class 0: 0, 2 with shares .25, .75. Class 1: 4, 6, 8 with 1/6, 1/2, 5/6. Beyond the
    # ends, all ten rows counted, the five and the one together: the mean excess of all
    # but the least, 0, over it, is 40 / 9.
    scale = 40 / 9
    in_class = [logit(0.5), logit(1 / 6) - 3 / scale, logit(0.75) + 3 / scale, logit(1 / 3)]
    expected = [
        # Class 0 has two rows against two of all, class 1 has three.
        (2 * in_class[0] + 2 * logit(0.2)) / 4,
        (3 * in_class[1] + 2 * logit(0.2)) / 5,
        (2 * in_class[2] + 2 * logit(0.6)) / 4,
        (3 * in_class[3] + 2 * logit(0.6)) / 5,
        # Nothing is known of class 2 but all.
        logit(0.2),
    ]
    np.testing.assert_allclose(fitted.score(judge), expected)


def test_a_row_outranks_a_surer_one_of_an_easier_class(fitted, make_signals):
    judge = with_margins(make_signals, [3, 5], [0, 1], [True, True])

    hard, easy = fitted.score(judge)

    assert hard > easy


@each_attack
def test_beats_one_threshold_where_classes_differ(attack, make_signals, auc):
    fit = classes_of_unequal_difficulty(make_signals, 3000, seed=1)
    judge = classes_of_unequal_difficulty(make_signals, 6000, seed=2)

    one = auc(attack.base.score(judge), judge.member)
    per_class = auc(attack.fit(fit, seed=0).score(judge), judge.member)

    # The standard error of a difference is below .01.
    assert per_class > one + 0.03


def test_is_as_good_as_the_threshold_of_each_class(make_signals, auc):
    fit = classes_of_unequal_difficulty(make_signals, 6000, seed=1, easier=20.0)
    judge = classes_of_unequal_difficulty(make_signals, 9000, seed=2, easier=20.0)

    scores = Margin().score(judge)
    of_classes = [auc(scores[judge.label == k], judge.member[judge.label == k]) for k in range(3)]
    per_class = auc(MarginPerClass().fit(fit, seed=0).score(judge), judge.member)

    # Of rows of two classes it compares what the rows of each class show.
    assert per_class == pytest.approx(np.mean(of_classes), abs=0.01)
    assert auc(scores, judge.member) < 0.57 < per_class


def test_costs_next_to_nothing_where_classes_are_alike(make_signals, auc):
    fit = classes_of_unequal_difficulty(make_signals, 3000, seed=1, easier=0.0)
    judge = classes_of_unequal_difficulty(make_signals, 6000, seed=2, easier=0.0)

    one = auc(LossThreshold().score(judge), judge.member)
    assert auc(LossThresholdPerClass().fit(fit, seed=0).score(judge), judge.member) > one - 0.005


def test_a_class_of_few_rows_leans_on_all(make_signals):
    fit = with_margins(
        make_signals,
        np.r_[np.arange(100.0), 0, 0],
        np.r_[np.zeros(100), 1, 1].astype(int),
        np.arange(102) == 101,
    )
    rare = with_margins(make_signals, [50.5], [1], [True])

    (leaning,) = MarginPerClass(prior_rows=1e9).fit(fit, seed=0).score(rare)
    (alone,) = MarginPerClass(prior_rows=1e-9).fit(fit, seed=0).score(rare)

    # Of 101 rows, 51 of class 0 and the one of class 1 lie below, to half a row.
    assert leaning == pytest.approx(logit(52 / 101), abs=0.03)
    # Above its only row, in the middle of its class, by some tail.
    assert alone > 0.5


@each_attack
def test_planted_rows_have_the_highest_scores(attack, leaky):
    fit = leaky(config_pb2.MULTICLASS, rows=600, leak=0.0, seed=1, columns=10)
    judge = leaky(config_pb2.MULTICLASS, rows=3000, leak=0.0, seed=2, columns=10)
    rows = judge.member & (np.arange(3000) % 10 == 0)

    scores = attack.fit(fit, seed=0).score(plant(judge, rows, fit))

    assert np.isfinite(scores).all()
    assert scores[rows].min() > scores[~rows].max()


def test_rows_that_it_learned_from_never_lie_beyond_their_class(leaky):
    attack = LossThresholdPerClass(prior_rows=1e-9)
    fit = leaky(config_pb2.MULTICLASS, rows=6000, leak=0.0, seed=1, columns=300)
    judge = leaky(config_pb2.MULTICLASS, rows=6000, leak=0.0, seed=2, columns=300)
    fitted = attack.fit(fit, seed=0)

    def above(scores, signals, share):
        return (scores[~signals.member] > logit(share)).mean()

    # A share of .965 says: 3.5% of non-members score higher. Of the 8 or so that a class
    # learned from none can, having a share of 1 - 1 / 16 at most; of others as many do,
    # or more. So a threshold for 3.5% is not to be sought among the rows learned from.
    assert attack.is_trained
    assert above(fitted.score(fit), fit, 0.965) < 0.01
    assert above(fitted.score(judge), judge, 0.965) > 0.035
    assert above(out_of_fold_scores(attack, fit, seed=0), fit, 0.965) > 0.035


@each_attack
def test_finds_nothing_where_there_is_nothing(attack, make_signals, auc):
    fit = classes_of_unequal_difficulty(make_signals, 600, seed=1, leak=0.0)
    judge = classes_of_unequal_difficulty(make_signals, 5000, seed=2, leak=0.0)

    # Four standard deviations of a null AUC of 2,500 and 2,500 rows.
    assert abs(auc(attack.fit(fit, seed=0).score(judge), judge.member) - 0.5) < 0.033


@each_attack
def test_the_order_of_rows_is_of_no_consequence(attack, leaky):
    fit, judge = leaky(config_pb2.MULTICLASS, seed=1), leaky(config_pb2.MULTICLASS, seed=2)
    order = np.random.default_rng(0).permutation(len(fit))

    np.testing.assert_array_equal(
        attack.fit(fit.take(order), seed=0).score(judge), attack.fit(fit, seed=0).score(judge)
    )


@each_attack
def test_saved_and_loaded(attack, leaky, tmp_path):
    fit, judge = leaky(config_pb2.BINARY, rows=50, seed=1), leaky(config_pb2.BINARY, seed=2)
    fitted = attack.fit(fit, seed=0)
    fitted.save(tmp_path)

    np.testing.assert_array_equal(attack.load(tmp_path).score(judge), fitted.score(judge))


@each_attack
def test_what_it_needs(attack, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=40)
    assert attack.cannot_run(signals) is None
    without = dataclasses.replace(signals, label=None)
    assert attack.cannot_run(without) == "needs label, which the signals do not have"
    several = leaky(config_pb2.MULTILABEL, rows=40)
    assert attack.cannot_run(several) == "is not defined for the task MULTILABEL"
    for mask in (signals.member, ~signals.member):
        with pytest.raises(ValueError, match="expected at least one of each"):
            attack.fit(signals.take(mask), seed=0)
