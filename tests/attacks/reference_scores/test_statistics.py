from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tfx_privacy.attacks.reference_scores.confidence_logit import confidence_logit
from tfx_privacy.attacks.reference_scores.true_class_probability import true_class_log_probability
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


def signals_of(task, logits, label):
    rows = len(logits)
    return Signals(
        task=task,
        ids=np.zeros((rows, 2), np.uint64),
        member=np.ones(rows, np.bool_),
        label=np.asarray(label),
        logits=np.asarray(logits, np.float32),
    )


def test_three_classes_by_hand():
    # Probabilities 1/2, 1/3, 1/6: odds of the classes 1, 1/2, 1/5.
    logits = np.log([[3, 2, 1]] * 3)
    signals = signals_of(config_pb2.MULTICLASS, logits, [0, 1, 2])

    assert confidence_logit(signals) == pytest.approx(np.log([1, 1 / 2, 1 / 5]), abs=1e-6)
    assert true_class_log_probability(signals) == pytest.approx(
        np.log([1 / 2, 1 / 3, 1 / 6]), abs=1e-6
    )


def test_one_binary_logit_by_hand():
    # phi of class 1 is the logit itself, of class 0 its negative.
    signals = signals_of(config_pb2.BINARY, [[1.5], [1.5]], [1, 0])

    assert confidence_logit(signals).tolist() == [1.5, -1.5]
    expected = [-math.log1p(math.exp(-1.5)), -math.log1p(math.exp(1.5))]
    assert true_class_log_probability(signals) == pytest.approx(expected, rel=1e-12)


def test_nothing_saturates():
    # Where p_y is 1 in float64: phi is z_y - log(e^0 + e^-1); and where it is 0.
    signals = signals_of(config_pb2.MULTICLASS, [[900, 0, -1], [-900, 0, -1]], [0, 0])

    others = math.log1p(math.exp(-1))
    assert confidence_logit(signals) == pytest.approx([900 - others, -900 - others], rel=1e-12)
    assert true_class_log_probability(signals)[1] == pytest.approx(-900 - others, rel=1e-12)


@pytest.mark.parametrize("statistic", [confidence_logit, true_class_log_probability])
def test_refuses_signals_without_what_it_needs(statistic):
    signals = signals_of(config_pb2.MULTICLASS, [[1, 2, 3]], [0])
    with pytest.raises(ValueError, match="no logits"):
        statistic(dataclasses.replace(signals, logits=None))
    with pytest.raises(ValueError, match="without label"):
        statistic(dataclasses.replace(signals, label=None))
    regression = signals_of(config_pb2.REGRESSION, [[1.0]], [[0.0]])
    with pytest.raises(ValueError, match="REGRESSION, which has no classes"):
        statistic(regression)
