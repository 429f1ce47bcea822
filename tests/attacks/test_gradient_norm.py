"""The threshold on the norm of the gradient."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.gradient_norm import GradientNorm, total_norm
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


def test_the_norm_of_all_layers_together():
    """Of (3, 4) and 12: 5 and 13 by Pythagoras."""
    norms = {"a": np.float32([3, 0]), "b": np.float32([4, 5]), "c": np.float32([12, 12])}

    np.testing.assert_array_equal(total_norm(norms), [13, 13])


def test_score_is_minus_the_logarithm(leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=3)
    norms = {"a": np.float32([3.0, 0.003, 0.0]), "b": np.float32([4.0, 0.004, 0.0])}
    signals = dataclasses.replace(signals, gradient_norms=norms)

    scores = GradientNorm().fit(signals, seed=0).score(signals)

    assert np.isfinite(scores).all()
    # Norms of 5 and .005, a thousandth of that.
    assert scores[1] - scores[0] == pytest.approx(np.log(1000))
    assert scores[2] > scores[1]


def test_needs_gradient_norms(leaky, with_white_box):
    signals = leaky(config_pb2.REGRESSION, rows=20)

    reason = GradientNorm().cannot_run(signals)
    assert reason == (
        "needs white-box signals (gradient_norms), which were not computed: set white_box in the "
        "configuration, and do not skip them there (saved predictions have none)"
    )
    with pytest.raises(ValueError, match="without gradient norms"):
        GradientNorm().score(signals)
    assert GradientNorm().cannot_run(with_white_box(signals)) is None


def test_finds_what_the_loss_finds(leaky, with_white_box, auc):
    judge = with_white_box(leaky(config_pb2.MULTICLASS, rows=4000, leak=2.0, seed=2))

    # A leak of 2 nats in the logits; the loss finds it with .7 and more.
    assert auc(GradientNorm().score(judge), judge.member) > 0.65
