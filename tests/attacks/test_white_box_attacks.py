"""Logistic regression and boosted trees on gradients and activations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.white_box_groups import SignalGroup
from tfx_privacy.attacks.white_box_regression import WhiteBoxRegression
from tfx_privacy.attacks.white_box_trees import WhiteBoxTrees
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

ATTACKS = [
    attack
    for attack in resolve_attacks(["white_box"])
    if isinstance(attack, (WhiteBoxRegression, WhiteBoxTrees))
]
TASKS = [
    config_pb2.BINARY,
    config_pb2.MULTICLASS,
    config_pb2.MULTILABEL,
    config_pb2.REGRESSION,
]

each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


def test_names_follow_from_learner_and_group():
    assert WhiteBoxRegression(SignalGroup.SKETCHES).name == "logistic_regression_sketches"
    assert WhiteBoxTrees(SignalGroup.WHITE_BOX).name == "boosted_trees_white_box"


@each
@pytest.mark.parametrize("task", TASKS, ids=config_pb2.Task.Name)
def test_finds_a_leak_in_what_it_looks_at(attack, task, leaky, with_white_box, auc):
    """Gradients leak where outputs do; activations where they are made to."""

    def rows(number, seed):
        signals = with_white_box(leaky(task, rows=number, leak=2.0, seed=seed), seed)
        raised = signals.activations["hidden"] + signals.member[:, None].astype(np.float32)
        return dataclasses.replace(signals, activations={"hidden": raised})

    fit, judge = rows(1000, 1), rows(3000, 2)

    assert auc(attack.fit(fit, seed=0).score(judge), judge.member) > 0.6


@each
def test_finds_nothing_where_there_is_nothing(attack, leaky, with_white_box, auc):
    fit, judge = (
        with_white_box(leaky(config_pb2.MULTICLASS, rows=rows, leak=0.0, seed=seed), seed)
        for rows, seed in ((600, 1), (5000, 2))
    )

    # The standard deviation of a null AUC with 3,000 and 2,000 rows is
    # sqrt((m + n + 1) / (12 m n)) = .0083; four of them.
    assert abs(auc(attack.fit(fit, seed=0).score(judge), judge.member) - 0.5) < 0.034


@each
def test_looks_at_nothing_else(attack, leaky, with_white_box):
    """What is not in its group is left out, and its scores are the same."""
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=300))
    seen = attack.needs | attack.white_box_seen
    hidden = {
        "logits": None,
        "loss": None,
        "label": None,
        "gradient_norms": {},
        "gradient_sketches": {},
        "activations": {},
    }
    less = dataclasses.replace(
        signals, **{name: value for name, value in hidden.items() if name not in seen}
    )

    np.testing.assert_array_equal(
        attack.fit(less, seed=0).score(less), attack.fit(signals, seed=0).score(signals)
    )


@each
def test_is_the_same_to_the_bit_whatever_the_order_of_rows(attack, leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=400))
    order = np.random.default_rng(0).permutation(len(signals))

    scores = attack.fit(signals, seed=5).score(signals)

    again = attack.fit(signals.take(order), seed=5).score(signals)
    np.testing.assert_array_equal(again, scores)


@each
def test_one_row_a_side_is_enough_to_run(attack, leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=100))
    pair = signals.take(np.array([signals.member.argmax(), signals.member.argmin()]))

    scores = attack.fit(pair, seed=0).score(pair)

    assert scores[0] > scores[1]


@each
def test_a_model_without_any_gradient_is_no_obstacle(attack, leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=200))
    signals = dataclasses.replace(
        signals,
        gradient_norms={"output": np.zeros(200, np.float32)},
        gradient_sketches={"output": np.zeros((200, 16), np.float32)},
        activations={"hidden": np.zeros((200, 3), np.float32)},
    )

    assert np.isfinite(attack.fit(signals, seed=0).score(signals)).all()


@each
def test_needs_both_sides(attack, leaky, with_white_box):
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=40))

    with pytest.raises(ValueError, match="expected at least one of each"):
        attack.fit(signals.take(signals.member), seed=0)


@each
def test_says_what_is_missing(attack, leaky, with_white_box):
    signals = leaky(config_pb2.MULTICLASS, rows=20)

    reason = attack.cannot_run(signals)

    assert reason is not None
    assert reason.startswith("needs white-box signals (")
    assert "set white_box in the configuration" in reason
    assert all(name in reason for name in attack.white_box_seen)
    assert attack.cannot_run(with_white_box(signals)) is None


@pytest.mark.parametrize("name", ["logistic_regression_white_box", "boosted_trees_white_box"])
def test_the_attack_on_everything_takes_what_is_there(name, leaky, with_white_box):
    (attack,) = resolve_attacks([name])
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=200))
    only_norms = dataclasses.replace(signals, gradient_sketches={}, activations={})

    assert attack.cannot_run(only_norms) is None
    fitted = attack.fit(only_norms, seed=0)
    # Of what was not there when it was fitted it knows nothing.
    np.testing.assert_array_equal(fitted.score(signals), fitted.score(only_norms))
    assert attack.cannot_run(signals.without_white_box()).startswith(
        "needs white-box signals (gradient_norms or gradient_sketches or activations)"
    )


def test_weights_of_leading_directions_are_weights_of_the_numbers(leaky, with_white_box, auc):
    """A leak along one direction of 100 numbers, in which rows differ most."""
    signals = with_white_box(leaky(config_pb2.MULTICLASS, rows=3000, leak=0.0))
    generator = np.random.default_rng(0)
    direction = generator.normal(size=100)
    strength = generator.normal(size=3000) + 1.5 * signals.member
    wide = np.outer(strength, direction) + generator.normal(size=(3000, 100))
    signals = dataclasses.replace(signals, activations={"wide": wide.astype(np.float32)})
    half = np.arange(3000) < 1500
    attack = WhiteBoxRegression(SignalGroup.ACTIVATIONS)

    fitted = attack.fit(signals.take(half), seed=0)

    judge = signals.take(~half)
    # Two normal distributions 1.5 deviations apart: AUC Phi(1.5 / sqrt(2)) = .856.
    assert auc(fitted.score(judge), judge.member) == pytest.approx(0.856, abs=0.03)
    ((layer,),) = fitted.networks
    assert layer[0].shape == (100, 1)
    # By chance a correlation over 100 numbers is within +-.3.
    assert np.corrcoef(layer[0][:, 0], direction)[0, 1] > 0.4
