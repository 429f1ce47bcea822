"""Shares of samples as log-odds. Expected values are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfx_privacy.attacks.distributions import Distributions


def logit(share):
    return math.log(share / (1 - share))


def test_one_sample_by_hand():
    ones = Distributions.fit(np.array([3.0, 1.0, 2.0, 2.0]), np.zeros(4, np.int64), 1)

    # Half of the row itself counts as below it: (0 + .5) / 4, (1 + 1) / 4, (3 + .5) / 4.
    np.testing.assert_array_equal(ones.values, [1, 2, 3])
    np.testing.assert_allclose(ones.shares, [0.125, 0.5, 0.875])
    # With four rows the tails are all but one: mean excess of 2, 2, 3 over 1, and of
    # -2, -2, -1 over -3.
    np.testing.assert_allclose(ones.scales, [4 / 3, 4 / 3])
    scores = np.array([1.0, 2.0, 3.0, 1.5, 2.2, 3.0 + 4 / 3, 1.0 - 8 / 3])
    expected = [
        *(logit(0.125), logit(0.5), logit(0.875)),
        # Half way from 1 to 2, a fifth of the way from 2 to 3.
        *(logit(0.3125), logit(0.575)),
        # Beyond the ends by one scale, and by two.
        *(logit(0.875) + 1, logit(0.125) - 2),
    ]
    np.testing.assert_allclose(ones.log_odds(scores, np.zeros(7, np.int64)), expected)


def test_each_group_has_its_own():
    scores = np.array([5.0, 10.0, 20.0, 1.0, 30.0])
    both = Distributions.fit(scores, np.array([1, 0, 1, 0, 1]), 2)

    # 5 among (1, 10): 4 / 9 of the way from .25 to .75. Among (5, 20, 30): 1 / 6.
    log_odds = both.log_odds(np.array([5.0, 5.0]), np.array([0, 1]))
    np.testing.assert_allclose(log_odds, [logit(0.25 + 0.5 * 4 / 9), logit(1 / 6)])


def test_shares_are_those_of_a_plain_count():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 40, 500).astype(np.float64)
    group = generator.integers(0, 7, 500)
    fitted = Distributions.fit(scores, group, 7)

    for g in range(7):
        own = scores[group == g]
        asked = np.unique(own)
        share = [((own < s).sum() + (own == s).sum() / 2) / len(own) for s in asked]
        found = fitted.log_odds(asked, np.full(len(asked), g))
        np.testing.assert_allclose(found, [logit(p) for p in share], atol=1e-12)


def test_larger_scores_have_larger_log_odds_everywhere():
    generator = np.random.default_rng(1)
    fitted = Distributions.fit(generator.normal(size=300), np.arange(300) % 3, 3)
    scores = np.linspace(-10, 10, 20_001)

    for g in range(3):
        assert (np.diff(fitted.log_odds(scores, np.full(len(scores), g))) > 0).all()


def test_an_exponential_tail_is_recovered():
    generator = np.random.default_rng(2)
    fitted = Distributions.fit(generator.laplace(0, 2.5, 50_000), np.zeros(50_000, np.int64), 1)

    # The standard error of a mean of 5,000 exponentials of scale 2.5 is .035.
    np.testing.assert_allclose(fitted.scales, [2.5, 2.5], atol=0.14)


@pytest.mark.parametrize("sample", [[4.0], [4.0, 4.0, 4.0]])
def test_a_single_value_is_in_the_middle(sample):
    fitted = Distributions.fit(np.array(sample), np.zeros(len(sample), np.int64), 1)

    # Nothing is known of its spread: one counts as one.
    found = fitted.log_odds(np.array([4.0, 5.0, 2.0]), np.zeros(3, np.int64))
    np.testing.assert_allclose(found, [0, 1, -2])


def test_a_group_without_scores_is_an_error():
    with pytest.raises(ValueError, match=r"\[1, 0, 1\].*expected one or more"):
        Distributions.fit(np.array([1.0, 2.0]), np.array([0, 2]), 3)
