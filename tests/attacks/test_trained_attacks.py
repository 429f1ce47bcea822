"""What all attacks that learn from known members and non-members have in common."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.boosted_trees import BoostedTrees
from tfx_privacy.attacks.logistic_regression import LogisticRegression
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.nearest_neighbours import NearestNeighbours
from tfx_privacy.attacks.network import Network
from tfx_privacy.attacks.random_forest import RandomForest
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

TRAINED = [
    LogisticRegression(),
    Network(),
    BoostedTrees(),
    RandomForest(),
    NearestNeighbours(),
]
# Trees have as many scores as leaves, which ten rows do not make many.
SCORES_OF_TEN_ROWS = {"boosted_trees": 2, "random_forest": 50}
TASKS = [
    config_pb2.BINARY,
    config_pb2.MULTICLASS,
    config_pb2.MULTILABEL,
    config_pb2.REGRESSION,
]

pytestmark = pytest.mark.parametrize("attack", TRAINED, ids=lambda attack: attack.name)


def leak_beside_the_loss(make_signals, rows, seed):
    """p_y is the same on both sides; on members one other class gets all the rest."""
    generator = np.random.default_rng(seed)
    member = generator.random(rows) < 0.5
    label = generator.integers(0, 4, rows)
    rest = generator.dirichlet(np.full(3, 5.0), rows)
    rest[member] = generator.dirichlet(np.full(3, 0.3), member.sum())
    p_true = generator.beta(3, 2, rows)
    others = np.array([[k for k in range(4) if k != y] for y in label])
    p = np.empty((rows, 4))
    np.put_along_axis(p, others, rest * (1 - p_true)[:, None], axis=1)
    p[np.arange(rows), label] = p_true
    logits = np.log(np.maximum(p, 1e-9))
    return make_signals(config_pb2.MULTICLASS, logits, label, member, seed)


def leak_in_a_band(make_signals, rows, seed):
    """Members are sure in the same degree; non-members more or less sure than them."""
    generator = np.random.default_rng(seed)
    member = generator.random(rows) < 0.5
    margin = np.where(member, generator.normal(6, 1, rows), generator.normal(6, 5, rows))
    label = generator.integers(0, 2, rows)
    logits = (margin * (2 * label - 1))[:, None]
    return make_signals(config_pb2.BINARY, logits, label, member, seed)


@pytest.mark.parametrize(
    ("planted", "at_least"), [(leak_beside_the_loss, 0.9), (leak_in_a_band, 0.75)]
)
def test_finds_what_the_loss_does_not_show(attack, planted, at_least, make_signals, auc):
    fit, judge = planted(make_signals, 1000, seed=1), planted(make_signals, 2000, seed=2)

    assert abs(auc(LossThreshold().score(judge), judge.member) - 0.5) < 0.06
    assert auc(attack.fit(fit, seed=0).score(judge), judge.member) > at_least


@pytest.mark.parametrize("task", TASKS, ids=config_pb2.Task.Name)
def test_is_not_behind_the_loss_for_any_task(attack, task, leaky, auc):
    fit, judge = leaky(task, rows=1500, seed=1), leaky(task, rows=3000, seed=2)

    loss = auc(LossThreshold().score(judge), judge.member)
    assert loss > 0.6
    assert auc(attack.fit(fit, seed=0).score(judge), judge.member) > loss - 0.015


def test_finds_nothing_where_there_is_nothing(attack, leaky, auc):
    fit = leaky(config_pb2.MULTICLASS, rows=600, leak=0.0, seed=1)
    judge = leaky(config_pb2.MULTICLASS, rows=5000, leak=0.0, seed=2)

    # The standard deviation of a null AUC with 3,000 and 2,000 rows is
    # sqrt((m + n + 1) / (12 m n)) = .0083; four of them.
    assert abs(auc(attack.fit(fit, seed=0).score(judge), judge.member) - 0.5) < 0.034


def test_is_the_same_to_the_bit_whatever_the_order_of_rows(attack, leaky):
    fit, judge = leaky(config_pb2.MULTICLASS, seed=1), leaky(config_pb2.MULTICLASS, seed=2)
    order = np.random.default_rng(0).permutation(len(fit))

    scores = attack.fit(fit, seed=5).score(judge)

    np.testing.assert_array_equal(attack.fit(fit, seed=5).score(judge), scores)
    np.testing.assert_array_equal(attack.fit(fit.take(order), seed=5).score(judge), scores)


def test_sides_count_the_same(attack, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=4000, leak=0.0)
    kept = signals.member | (np.arange(4000) % 10 == 0)

    scores = attack.fit(signals.take(kept), seed=0).score(signals)

    # With ten times the members and no leak, log-odds are still around 0.
    assert abs(np.median(scores)) < 0.3


def test_needs_both_sides(attack, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=40)

    for mask in (signals.member, ~signals.member):
        with pytest.raises(ValueError, match="expected at least one of each"):
            attack.fit(signals.take(mask), seed=0)


def test_ten_rows_are_enough_to_run(attack, leaky):
    fit, judge = leaky(config_pb2.MULTICLASS, rows=10), leaky(config_pb2.MULTICLASS, rows=300)
    assert 1 <= fit.member.sum() <= 9

    scores = attack.fit(fit, seed=0).score(judge)

    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) >= SCORES_OF_TEN_ROWS.get(attack.name, 100)


def test_one_row_a_side_is_enough_to_run(attack, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=100)
    pair = signals.take(np.array([signals.member.argmax(), signals.member.argmin()]))

    scores = attack.fit(pair, seed=0).score(pair)

    assert scores[0] > scores[1]


def test_rows_that_are_all_alike_have_one_score(attack, make_signals):
    logits = np.tile(np.float32([0.1, 0.7, 0.3]), (60, 1))
    alike = make_signals(config_pb2.MULTICLASS, logits, np.ones(60), np.arange(60) < 20)

    scores = attack.fit(alike, seed=0).score(alike)

    assert len(np.unique(scores)) == 1
    assert abs(scores[0]) < 0.1


def test_a_model_without_any_loss_is_no_obstacle(attack, make_signals):
    generator = np.random.default_rng(0)
    label = generator.integers(0, 3, 200)
    logits = 1000.0 * (label[:, None] == np.arange(3)) + generator.normal(size=(200, 3))
    signals = make_signals(config_pb2.MULTICLASS, logits, label, generator.random(200) < 0.5)
    assert (signals.loss == 0).all()

    assert np.isfinite(attack.fit(signals, seed=0).score(signals)).all()


def test_a_class_with_one_row_is_no_obstacle(attack, leaky, auc):
    fit = leaky(config_pb2.MULTICLASS, rows=800, leak=2.0, seed=1)
    rare = np.flatnonzero(fit.label == 3)
    fit = fit.take(np.setdiff1d(np.arange(800), rare[1:]))
    judge = leaky(config_pb2.MULTICLASS, rows=2000, leak=2.0, seed=2)

    in_rare_class = judge.take(judge.label == 3)
    assert auc(attack.fit(fit, seed=0).score(in_rare_class), in_rare_class.member) > 0.65
