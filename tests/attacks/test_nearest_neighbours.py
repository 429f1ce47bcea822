from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from tfx_privacy.attacks.nearest_neighbours import NearestNeighbours
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

FIVE = NearestNeighbours(neighbours=(5,))


def test_scikit_learns_weighted_vote_agrees(leaky):
    fit, judge = leaky(config_pb2.MULTICLASS, rows=400, seed=1), leaky(config_pb2.MULTICLASS)
    # Sides of one size, so that every row weighs the same.
    smaller = min(fit.member.sum(), (~fit.member).sum())
    fit = fit.take(np.concatenate([np.flatnonzero(s)[:smaller] for s in (fit.member, ~fit.member)]))
    fitted = FIVE.fit(fit, seed=0)

    def epanechnikov(distances):
        return 1 - (distances / distances[:, -1:]) ** 2

    other = KNeighborsClassifier(5, weights=epanechnikov, algorithm="brute")
    other.fit(fitted.seen(fit), fit.member)
    distance, _ = other.kneighbors(fitted.seen(judge))
    total = epanechnikov(distance).sum(axis=1)
    for_members = other.predict_proba(fitted.seen(judge))[:, 1] * total

    expected = np.log(for_members + 0.5) - np.log(total - for_members + 0.5)
    np.testing.assert_allclose(fitted.score(judge), expected, atol=1e-6)


def test_features_have_deviation_one_on_fit(leaky):
    fit = leaky(config_pb2.MULTICLASS, rows=500)

    seen = FIVE.fit(fit, seed=0).seen(fit)

    # Log-odds, log-entropy, log-loss, whether right, and the three largest logits.
    assert seen.shape == (500, 7)
    np.testing.assert_allclose(seen.std(axis=0), 1.0, atol=0.02)


def test_rows_in_one_place_are_one_point(make_signals):
    # Two places; members to non-members are 3 to 1 in the one and 1 to 3 in the other.
    logits = np.repeat([[4.0, 0.0], [0.5, 0.0]], 4, axis=0)
    member = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    signals = make_signals(config_pb2.MULTICLASS, logits, np.zeros(8), member)

    scores = FIVE.fit(signals, seed=0).score(signals)

    # The other place is the furthest neighbour, which weighs nothing.
    one = np.log(3.5) - np.log(1.5)
    np.testing.assert_allclose(scores, np.repeat([one, -one], 4), atol=1e-12)


def test_points_are_bounded_and_of_both_sides(leaky):
    fit = leaky(config_pb2.MULTICLASS, rows=3000)

    fitted = dataclasses.replace(FIVE, points=200).fit(fit, seed=0)

    assert fitted.points.positions.shape == (200, 7)
    assert (fitted.points.members > 0).sum() == (fitted.points.nonmembers > 0).sum() == 100


def test_more_neighbours_are_taken_where_they_tell_more(leaky):
    # A small leak is a difference between many rows, a large one is between any two.
    small = leaky(config_pb2.MULTICLASS, rows=4000, leak=0.5)

    assert NearestNeighbours(neighbours=(2, 200)).fit(small, seed=0).neighbours == 200


@pytest.mark.parametrize("task", [config_pb2.MULTILABEL, config_pb2.REGRESSION])
def test_every_task_has_features(task, leaky):
    fit = leaky(task, rows=100)

    assert FIVE.fit(fit, seed=0).seen(fit).shape[1] >= 3
