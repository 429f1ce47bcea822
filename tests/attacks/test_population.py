from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tfx_privacy.attacks.log_loss import LogLoss
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.population import Population
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

TASKS = [config_pb2.BINARY, config_pb2.MULTICLASS, config_pb2.MULTILABEL, config_pb2.REGRESSION]


def with_losses(losses, member):
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=np.zeros((len(losses), 2), np.uint64),
        member=np.asarray(member, np.bool_),
        loss=np.asarray(losses, np.float32),
    )


@pytest.fixture
def population():
    """Fitted on the losses 1/8, 1/4, 1/2, 1 of non-members; that of a member is left out."""
    return Population().fit(
        with_losses([0.5, 1e-6, 0.125, 1.0, 0.25], [False, True, False, False, False]), seed=0
    )


def test_by_hand(population):
    losses = [1.0, 0.5, 0.25, 0.125, 2**-2.5, 2**-5, 2.0]
    expected = [
        # The shares of larger losses, half of the row itself among them: 1/8, 3/8, 5/8, 7/8.
        *(math.log(1 / 7), math.log(3 / 5), math.log(5 / 3), math.log(7)),
        # Half way from 1/4 to 1/8 on a logarithmic scale: 3/4.
        math.log(3),
        # The mean excess of log 4, log 2, log 8 over log 1 is two halvings: two halvings
        # beyond the smallest, half a one per halving; one doubling beyond the largest.
        *(math.log(7) + 1, math.log(1 / 7) - 0.5),
    ]

    scores = population.score(with_losses(losses, np.ones(7)))

    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("task", TASKS, ids=config_pb2.Task.Name)
def test_ranks_rows_as_the_loss_does(task, leaky):
    fit, judge = leaky(task, rows=2000, seed=1), leaky(task, rows=4000, seed=2)

    score = Population().fit(fit, seed=0).score(judge)

    # Strictly: no two rows of different losses share a score.
    _, of_loss = np.unique(LossThreshold().score(judge), return_inverse=True)
    _, of_score = np.unique(score, return_inverse=True)
    np.testing.assert_array_equal(of_score, of_loss)


def test_the_score_is_the_false_positive_rate_that_was_expected(leaky):
    fit = leaky(config_pb2.MULTICLASS, rows=20_000, seed=1)
    judge = leaky(config_pb2.MULTICLASS, rows=20_000, seed=2)

    scores = Population().fit(fit, seed=0).score(judge)[~judge.member]

    for rate in (0.5, 0.1, 0.01):
        found = (1 / (1 + np.exp(scores)) <= rate).mean()
        # Four standard errors of a difference of two shares of 8,000 rows each.
        assert abs(found - rate) < 4 * math.sqrt(2 * rate * (1 - rate) / 8000)


def test_tiny_losses_are_told_apart_and_any_loss_has_a_score(population):
    losses = [3e38, 1.0, 1e-9, 1e-12, 1e-30, 1e-45, 0.0, -1e-45, -1.0, -3e38]

    scores = population.score(with_losses(losses, np.ones(10)))

    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()


def test_all_losses_alike(population):
    alike = Population().fit(with_losses(np.zeros(8), np.arange(8) % 2), seed=0)

    np.testing.assert_array_equal(alike.score(with_losses(np.zeros(3), np.ones(3))), 0)


def test_saved_and_loaded(population, tmp_path):
    signals = with_losses([0.01, 0.3, 7.0], np.ones(3))
    population.save(tmp_path)

    np.testing.assert_array_equal(
        Population().load(tmp_path).score(signals), population.score(signals)
    )


def test_needs_a_loss_alone_and_both_sides(leaky):
    signals = dataclasses.replace(leaky(config_pb2.BINARY, rows=40), logits=None, label=None)
    assert Population().cannot_run(signals) is None
    without = dataclasses.replace(signals, loss=None)
    assert Population().cannot_run(without) == "needs loss, which the signals do not have"
    for mask in (signals.member, ~signals.member):
        with pytest.raises(ValueError, match="expected at least one of each"):
            Population().fit(signals.take(mask), seed=0)


def test_the_logarithm_of_the_loss_by_hand():
    signals = with_losses([1.0, 0.5, 0.0, -1.0], np.ones(4))

    # log(1 + 2^149) is 149 log 2, to the last bits.
    expected = [-149 * math.log(2), -148 * math.log(2), 0, 149 * math.log(2)]
    np.testing.assert_allclose(LogLoss().score(signals), expected, rtol=1e-14)
