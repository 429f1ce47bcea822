"""Losses by hand, against SciPy, and against TensorFlow's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.losses import losses


def one(task: config_pb2.Task.ValueType, logits: list[float], label: object) -> float:
    return float(losses(task, np.array([logits], np.float32), np.array([label]))[0])


@pytest.mark.parametrize(
    ("logits", "label", "expected"),
    [
        ([0.0, 0.0, 0.0], 1, math.log(3)),
        # The logarithm of 1 + e^-1 + e^-2.
        ([2.0, 1.0, 0.0], 0, 0.4076059644443803),
        ([2.0, 1.0, 0.0], 2, 2.4076059644443803),
        ([0.0, 1e4], 0, 1e4),
        ([0.0, -1e4], 1, 1e4),
        ([1e4, -1e4], 0, 0.0),
        # Small losses keep their digits: log(1 + e^-30), which 1 - softmax in float32 loses.
        ([30.0, 0.0], 0, 9.357622968840175e-14),
        ([1e4 + 30, 1e4], 0, 9.357622968840175e-14),
    ],
)
def test_softmax_cross_entropy_by_hand(logits: list[float], label: int, expected: float):
    assert one(config_pb2.MULTICLASS, logits, label) == pytest.approx(expected, rel=1e-6, abs=1e-30)
    if len(logits) == 2:
        assert one(config_pb2.BINARY, logits, label) == pytest.approx(expected, rel=1e-6, abs=1e-30)


@pytest.mark.parametrize(
    ("logit", "label", "expected"),
    [
        (0.0, 1, math.log(2)),
        (0.0, 0, math.log(2)),
        # The logarithms of 1 + e^-2 and 1 + e^2.
        (2.0, 1, 0.1269280110429726),
        (2.0, 0, 2.1269280110429727),
        (1e4, 1, 0.0),
        (1e4, 0, 1e4),
        (-1e4, 0, 0.0),
        (-1e4, 1, 1e4),
        (-30.0, 0, 9.357622968840175e-14),
    ],
)
def test_sigmoid_cross_entropy_by_hand(logit: float, label: int, expected: float):
    assert one(config_pb2.BINARY, [logit], label) == pytest.approx(expected, rel=1e-6, abs=1e-30)


def test_the_losses_of_several_labels_add_up():
    # log 2 + log(1 + e^-2)
    expected = math.log(2) + 0.1269280110429726

    assert one(config_pb2.MULTILABEL, [0.0, 2.0], [0.0, 1.0]) == pytest.approx(expected, rel=1e-6)


def test_squared_errors_add_up():
    assert one(config_pb2.REGRESSION, [1.0, -2.0], [0.5, 1.0]) == pytest.approx(0.25 + 9.0)


def test_softmax_cross_entropy_agrees_with_scipy():
    rng = np.random.default_rng(0)
    logits = (rng.normal(size=(500, 7)) * 10).astype(np.float32)
    label = rng.integers(0, 7, 500)

    found = losses(config_pb2.MULTICLASS, logits, label)

    expected = -special.log_softmax(logits.astype(np.float64), axis=1)[np.arange(500), label]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-14)


def test_losses_agree_with_tensorflow():
    import tensorflow as tf

    rng = np.random.default_rng(1)
    logits = (rng.normal(size=(200, 5)) * 5).astype(np.float32)
    label = rng.integers(0, 5, 200)
    flags = rng.integers(0, 2, (200, 5)).astype(np.float32)
    wide = tf.constant(logits, tf.float64)

    softmax = tf.nn.sparse_softmax_cross_entropy_with_logits(label, wide).numpy()
    sigmoid = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(flags, tf.float64), wide).numpy()

    np.testing.assert_allclose(
        losses(config_pb2.MULTICLASS, logits, label), softmax, rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(
        losses(config_pb2.MULTILABEL, logits, flags), sigmoid.sum(axis=1), rtol=1e-6
    )
    np.testing.assert_allclose(
        losses(config_pb2.BINARY, logits[:, :1], flags[:, 0].astype(int)), sigmoid[:, 0], rtol=1e-6
    )
