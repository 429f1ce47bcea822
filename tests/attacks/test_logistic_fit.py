"""Newton steps against scikit-learn's, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tfx_privacy.attacks.logistic_fit import Linear, fit_logistic


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(400, 12)) * np.geomspace(0.1, 3, 12)
    member = generator.random(400) < 1 / (1 + np.exp(-features[:, -1] - 1))
    return features, member, np.where(member, 0.7, 1.9)


@pytest.mark.parametrize("c", [1e-3, 0.1, 10.0, 1e6])
def test_agrees_with_scikit_learn(rows, c):
    features, member, weight = rows
    other = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    other.fit(features, member, sample_weight=weight)

    fitted = fit_logistic(features, member, weight, c)

    np.testing.assert_allclose(fitted.weight, other.coef_[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fitted.bias, other.intercept_[0], rtol=1e-4, atol=1e-6)


def test_where_it_starts_says_nothing(rows):
    features, member, weight = rows
    far = Linear(np.full(12, 20.0), -30.0)

    fitted, again = (fit_logistic(features, member, weight, 1.0, one) for one in (None, far))

    np.testing.assert_allclose(again.log_odds(features), fitted.log_odds(features), atol=1e-4)


def test_the_bias_has_no_penalty():
    # Nothing but the bias can learn: the log-odds of 3 members to 1 non-member.
    fitted = fit_logistic(np.zeros((4, 2)), np.array([True, True, True, False]), np.ones(4), c=1e-4)

    assert fitted.bias == pytest.approx(math.log(3), abs=1e-5)
    np.testing.assert_array_equal(fitted.weight, 0.0)


def test_sides_that_a_line_parts_end_at_the_penalty():
    # By hand: w minimises c 2 log(1 + e^-w) + w^2 / 2, so w = 2 c sigmoid(-w).
    fitted = fit_logistic(np.array([[1.0], [-1.0]]), np.array([True, False]), np.ones(2), c=50.0)

    weight = fitted.weight[0]
    assert weight == pytest.approx(2 * 50.0 / (1 + math.exp(weight)), rel=1e-3)
    assert fitted.bias == pytest.approx(0.0, abs=1e-6)
