from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.attacks.margin import Margin
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


def test_by_hand(make_signals):
    signals = make_signals(
        config_pb2.MULTICLASS,
        [[4.0, 1.0, -2.0], [4.0, 1.0, -2.0], [4.0, 1.0, -2.0], [3.0, 3.0, 0.0]],
        [0, 1, 2, 1],
        [True, False, True, False],
    )

    # 4 - 1, 1 - 4, -2 - 4, 3 - 3.
    np.testing.assert_array_equal(Margin().score(signals), [3, -3, -6, 0])


def test_one_logit_and_two_by_hand(make_signals):
    label, member = [1, 0, 1], [True, False, True]
    one = make_signals(config_pb2.BINARY, [[2.5], [2.5], [-1.0]], label, member)
    two = make_signals(config_pb2.BINARY, [[1.0, 3.5], [1.0, 3.5], [0.5, -0.5]], label, member)

    # The logits of class 0 and 1 are (0, z); in the second form both are raised.
    np.testing.assert_array_equal(Margin().score(one), [2.5, -2.5, -1.0])
    np.testing.assert_array_equal(Margin().score(two), [2.5, -2.5, -1.0])


def test_several_labels_by_hand(make_signals):
    signals = make_signals(
        config_pb2.MULTILABEL,
        [[2.0, -3.0, 1.5], [2.0, -3.0, 1.5]],
        [[1, 0, 1], [1, 1, 0]],
        [True, False],
    )

    # Margins 2, 3, 1.5 and 2, -3, -1.5.
    np.testing.assert_array_equal(Margin().score(signals), [1.5, -3.0])


def test_lies_above_the_log_odds_by_at_most_log_of_the_other_classes(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=500, columns=7)

    above = Margin().score(signals) - Confidence().score(signals)

    # z_y - log(sum over the six others of e^z), against z_y - the largest of them.
    assert above.min() > 0
    assert above.max() < math.log(6)
    two = leaky(config_pb2.BINARY, rows=500)
    np.testing.assert_allclose(Margin().score(two), Confidence().score(two), atol=1e-12)


def test_leaves_the_logits_as_they_are(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=50)
    before = signals.logits.copy()

    Margin().score(signals)

    np.testing.assert_array_equal(signals.logits, before)


@pytest.mark.parametrize("task", [config_pb2.BINARY, config_pb2.MULTICLASS, config_pb2.MULTILABEL])
def test_finds_a_leak(task, leaky, auc):
    signals = leaky(task, rows=3000, leak=2.0)

    assert Margin().cannot_run(signals) is None
    assert auc(Margin().fit(signals, seed=0).score(signals), signals.member) > 0.65


def test_says_what_is_missing(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=10)
    for column in ("logits", "label"):
        without = dataclasses.replace(signals, **{column: None})
        assert Margin().cannot_run(without) == f"needs {column}, which the signals do not have"
    regression = leaky(config_pb2.REGRESSION, rows=10)
    assert Margin().cannot_run(regression) == "is not defined for the task REGRESSION"
