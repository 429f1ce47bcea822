"""A leak that no feature shows by itself, and what logistic regression cannot see of it."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.boosted_trees import BoostedTrees
from tfx_privacy.attacks.logistic_regression import LogisticRegression
from tfx_privacy.attacks.nearest_neighbours import NearestNeighbours
from tfx_privacy.attacks.random_forest import RandomForest
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


def exclusive_or(make_signals, rows, seed):
    """Members are sure and of high logits, or neither; non-members are one of the two."""
    generator = np.random.default_rng(seed)
    sure, high = generator.random((2, rows)) < 0.5
    label = generator.integers(0, 2, rows)
    margin = np.where(sure, 3.0, 1.0) + generator.normal(0, 0.3, rows)
    level = np.where(high, 2.0, -2.0) + generator.normal(0, 0.3, rows)
    logits = np.empty((rows, 2))
    logits[np.arange(rows), label] = level + margin / 2
    logits[np.arange(rows), 1 - label] = level - margin / 2
    return make_signals(config_pb2.MULTICLASS, logits, label, sure == high, seed)


@pytest.mark.parametrize(
    "attack", [BoostedTrees(), RandomForest(), NearestNeighbours()], ids=lambda attack: attack.name
)
def test_what_features_show_together_is_found(attack, make_signals, auc):
    fit, judge = exclusive_or(make_signals, 1000, 1), exclusive_or(make_signals, 2000, 2)

    assert auc(attack.fit(fit, seed=0).score(judge), judge.member) > 0.98


def test_logistic_regression_sees_nothing_of_it(make_signals, auc):
    fit, judge = exclusive_or(make_signals, 1000, 1), exclusive_or(make_signals, 2000, 2)

    area = auc(LogisticRegression().fit(fit, seed=0).score(judge), judge.member)

    # Four standard deviations of a null AUC of 1,000 and 1,000 rows.
    assert abs(area - 0.5) < 0.052
