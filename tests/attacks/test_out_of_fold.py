from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.logistic_regression import LogisticRegression
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@dataclasses.dataclass(frozen=True)
class Memory(Attack, FittedAttack):
    """Scores 1 for the rows it was fitted on and 0 for others: nothing but optimism."""

    seen: frozenset[int] = frozenset()
    name: ClassVar[str] = "memory"
    description: ClassVar[str] = "Remembers."
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset({config_pb2.MULTICLASS})
    needs: ClassVar[frozenset[str]] = frozenset()
    is_trained: ClassVar[bool] = True

    def fit(self, signals, seed):
        return Memory(frozenset(signals.ids[:, 0].tolist()))

    def score(self, signals):
        return np.array([float(key in self.seen) for key in signals.ids[:, 0].tolist()])

    def save(self, directory):
        raise NotImplementedError

    def load(self, directory):
        raise NotImplementedError


@pytest.mark.parametrize("folds", [2, 5])
def test_no_row_is_scored_by_a_fit_that_saw_it(folds, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=101)

    assert Memory().fit(signals, 0).score(signals).min() == 1
    np.testing.assert_array_equal(out_of_fold_scores(Memory(), signals, 0, folds), 0)


def test_an_attack_that_learns_nothing_scores_all_rows(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=50)

    np.testing.assert_array_equal(out_of_fold_scores(LossThreshold(), signals, 0), -signals.loss)


def test_does_not_depend_on_the_order_of_rows(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=300)
    order = np.random.default_rng(1).permutation(300)

    scores = out_of_fold_scores(LogisticRegression(), signals, 0)
    shuffled = out_of_fold_scores(LogisticRegression(), signals.take(order), 0)

    np.testing.assert_array_equal(shuffled, scores[order])


def test_has_no_optimism_where_nothing_leaks(leaky, auc):
    signals = leaky(config_pb2.MULTICLASS, rows=500, leak=0.0, columns=20)
    # With a penalty this weak, regression on some 70 features overfits 500 rows.
    attack = LogisticRegression(penalties=(100.0,))

    optimistic = auc(attack.fit(signals, 0).score(signals), signals.member)
    honest = auc(out_of_fold_scores(attack, signals, 0), signals.member)

    assert optimistic > 0.65
    # The standard deviation of a null AUC with 300 and 200 rows is .026; four of them.
    assert abs(honest - 0.5) < 0.105


def test_scores_of_folds_are_on_one_scale(leaky, auc):
    signals = leaky(config_pb2.MULTICLASS, rows=4000, leak=1.5)
    scores = out_of_fold_scores(LogisticRegression(), signals, 0)
    whole = LogisticRegression().fit(signals, 0).score(signals)

    assert abs(auc(scores, signals.member) - auc(whole, signals.member)) < 0.01
    assert np.corrcoef(scores, whole)[0, 1] > 0.98


def test_needs_two_rows_of_each_side(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=50)
    few = signals.take(
        np.concatenate([np.flatnonzero(signals.member)[:1], np.flatnonzero(~signals.member)])
    )

    with pytest.raises(ValueError, match=r"found 1 members.*expected at least two of each"):
        out_of_fold_scores(LogisticRegression(), few, 0)
    with pytest.raises(ValueError, match="expected at least one of each"):
        out_of_fold_scores(LogisticRegression(), few.take(~few.member), 0)
