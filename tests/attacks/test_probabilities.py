from __future__ import annotations

import decimal

import numpy as np
import pytest

from tfx_privacy.attacks.probabilities import (
    class_logits,
    class_probabilities,
    log_sum_exp,
    of_class,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


def exact_softmax(logits):
    """The softmax in decimal arithmetic of 500 digits."""
    with decimal.localcontext() as context:
        context.prec = 500
        terms = [decimal.Decimal(float(z)).exp() for z in logits]
        return [term / sum(terms) for term in terms]


@pytest.mark.parametrize("spread", [0.1, 3, 60])
def test_agrees_with_decimal_arithmetic_to_the_last_digits(spread):
    logits = np.random.default_rng(1).normal(0, spread, (10, 5))

    found = class_probabilities(logits)

    for row, z in enumerate(logits):
        with decimal.localcontext() as context:
            context.prec = 500
            p = exact_softmax(z)
            expected = {
                "log_p": [x.ln() for x in p],
                "log_q": [(1 - x).ln() for x in p],
                "odds": [x.ln() - (1 - x).ln() for x in p],
                "surprise": [(-x.ln()).ln() for x in p],
                "surprise_of_others": [(-(1 - x).ln()).ln() for x in p],
            }
        actual = {
            "log_p": found.log_p[row],
            "log_q": found.log_q[row],
            "odds": found.log_odds()[row],
            "surprise": found.log_surprise()[row],
            "surprise_of_others": found.log_surprise_of_others()[row],
        }
        for name, values in expected.items():
            np.testing.assert_allclose(
                actual[name], [float(x) for x in values], rtol=1e-12, atol=1e-13, err_msg=name
            )
        # Of a p that is 1 to 16 digits, the logarithm still has all its digits.
        np.testing.assert_allclose(
            found.log_p[row], [float(x) for x in expected["log_p"]], rtol=1e-12
        )


def test_one_logit_is_that_of_class_one(make_signals):
    signals = make_signals(config_pb2.BINARY, [[2.0], [-1.0]], [1, 0], [True, False])

    probabilities = class_probabilities(class_logits(signals))

    # sigmoid(2) and sigmoid(-1), from tables.
    np.testing.assert_allclose(np.exp(probabilities.log_p[:, 1]), [0.880797, 0.268941], atol=1e-6)
    np.testing.assert_allclose(probabilities.log_odds()[:, 1], [2, -1], rtol=1e-12)


@pytest.mark.parametrize("gap", [40.0, 800.0, 1e4, 3e38])
def test_nothing_saturates_however_sure_the_model_is(gap):
    logits = np.array([[gap, 0, -1], [gap * 1.0001, 0, -1], [-gap, 0, -1]])

    found = class_probabilities(logits)

    odds = found.log_odds()
    assert np.isfinite(odds).all()
    assert odds[1, 0] > odds[0, 0] > 0 > odds[2, 0]
    assert np.isfinite(found.log_surprise()).all()
    assert np.isfinite(found.log_surprise_of_others()).all()
    # -log p of the first class is r = e^-gap (1 + e^-1) to first order.
    np.testing.assert_allclose(found.log_surprise()[0, 0], -gap + np.log1p(np.exp(-1)), rtol=1e-12)


def test_equal_logits_are_equal_probabilities():
    found = class_probabilities(np.zeros((2, 4)))

    np.testing.assert_allclose(found.log_p, np.log(1 / 4), rtol=1e-14)
    np.testing.assert_allclose(found.log_q, np.log(3 / 4), rtol=1e-14)


def test_log_sum_exp_takes_minus_infinity_and_does_not_overflow():
    found = log_sum_exp(np.array([[-np.inf, 0.0, 0.0], [1e4, 1e4, -np.inf]]))

    np.testing.assert_allclose(found, [np.log(2), 1e4 + np.log(2)], rtol=1e-14)


def test_of_class_picks_one_value_a_row():
    values = np.arange(6.0).reshape(2, 3)

    np.testing.assert_array_equal(of_class(values, np.array([2, 0])), [2, 3])


@pytest.mark.parametrize("task", [config_pb2.MULTILABEL, config_pb2.REGRESSION])
def test_other_tasks_have_no_class_probabilities(task, leaky):
    with pytest.raises(ValueError, match="expected BINARY or MULTICLASS"):
        class_logits(leaky(task, rows=10))
