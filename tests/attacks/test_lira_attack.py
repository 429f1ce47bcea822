"""LiRA as an attack: its values, what it looks at, and what it finds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.attacks.lira import Lira
from tfx_privacy.attacks.reference_attack import Setting
from tfx_privacy.attacks.reference_scores.gaussians import Centre, Spread
from tfx_privacy.attacks.reference_scores.lira import OfflineLira, OnlineLira
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.reference_signals import ReferenceSignals

ALL = [Lira(setting, spread) for setting in Setting for spread in Spread]
ONLINE = [one for one in ALL if one.setting is Setting.ONLINE]


def named(attack):
    return attack.name


@pytest.fixture
def two_rows(make_signals):
    """Log-odds of the true class 2 and -1, by four models in pairs."""
    signals = make_signals(config_pb2.BINARY, [[2.0], [1.0]], [1, 0], [True, False])
    logit = np.array([[[1.0], [-1.0], [3.0], [1.0]], [[0.0], [-4.0], [-2.0], [2.0]]], np.float32)
    references = ReferenceSignals(
        inside=np.array([[True, False, True, False], [False, True, True, False]]),
        loss=np.zeros((2, 4), np.float32),
        logit=logit,
        target_logit=np.zeros((2, 1), np.float32),
    )
    return dataclasses.replace(signals, references=references)


def log_odds(probability):
    return np.log(probability) - np.log1p(-probability)


def test_by_each_records_own_spread(two_rows):
    # In: N(2, 1) and N(-3, 1); out: N(0, 1) and N(1, 1).
    online = Lira(Setting.ONLINE, Spread.PER_RECORD).fit(two_rows, 0).score(two_rows)
    expected = [
        stats.norm.logpdf(2, 2, 1) - stats.norm.logpdf(2, 0, 1),
        stats.norm.logpdf(-1, -3, 1) - stats.norm.logpdf(-1, 1, 1),
    ]
    np.testing.assert_allclose(online, expected, atol=1e-12)
    assert online[0] == pytest.approx(2.0)

    offline = Lira(Setting.OFFLINE, Spread.PER_RECORD).fit(two_rows, 0).score(two_rows)
    np.testing.assert_allclose(offline, log_odds(stats.norm.cdf([2, -2])), rtol=1e-9)


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_is_the_score_of_the_core_by_the_mean_and_the_one_sided_test(
    attack, leaky, with_references
):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=300), models=8, queries=3)
    references = signals.references
    target = references.target_logit.astype(np.float64)
    target[:, 0] = Confidence().score(signals)
    logit = references.logit.astype(np.float64)
    kind = OnlineLira if attack.setting is Setting.ONLINE else OfflineLira
    core = kind.fit(logit, references.inside, attack.spread, Centre.MEAN)

    scores = attack.fit(signals, seed=0).score(signals)

    np.testing.assert_array_equal(scores, core.score(target, logit, references.inside))


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_the_records_own_answer_is_that_of_the_logits(attack, leaky, with_references):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=200), queries=2)
    before = attack.fit(signals, 0).score(signals)

    def with_target(column):
        target_logit = signals.references.target_logit.copy()
        target_logit[:, column] += 1.0
        references = dataclasses.replace(signals.references, target_logit=target_logit)
        return dataclasses.replace(signals, references=references)

    np.testing.assert_array_equal(attack.fit(signals, 0).score(with_target(0)), before)
    assert (attack.fit(signals, 0).score(with_target(1)) != before).all()
    surer = dataclasses.replace(signals, logits=signals.logits * 2)
    assert (attack.fit(signals, 0).score(surer) != before).all()


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_looks_at_no_membership(attack, leaky, with_references):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=200))
    flipped = dataclasses.replace(signals, member=~signals.member)

    assert not attack.is_trained
    np.testing.assert_array_equal(
        attack.fit(flipped, 0).score(signals), attack.fit(signals, 0).score(signals)
    )


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_after_saving_and_loading(attack, leaky, with_references, tmp_path):
    signals = with_references(leaky(config_pb2.BINARY, rows=200), models=4, queries=2)
    fitted = attack.fit(signals, 0)
    fitted.save(tmp_path)

    np.testing.assert_array_equal(attack.load(tmp_path).score(signals), fitted.score(signals))


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_finds_nothing_where_there_is_nothing(attack, leaky, with_references, auc):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=6000, leak=0.0), leak=0.0)

    scores = attack.fit(signals, seed=0).score(signals)

    # Four standard errors of an AUC of .5.
    assert auc(scores, signals.member) == pytest.approx(0.5, abs=4 * 0.0076)


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_finds_a_leak_that_hard_and_easy_records_hide(attack, leaky, with_references, auc):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=3000, leak=1.5), 16, leak=1.5)

    found = auc(attack.fit(signals, seed=0).score(signals), signals.member)

    assert found > auc(Confidence().score(signals), signals.member) + 0.05


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_says_why_it_cannot_run(attack, leaky, with_references):
    signals = leaky(config_pb2.MULTICLASS, rows=40)
    given = with_references(signals)

    assert attack.cannot_run(given) is None
    assert attack.cannot_run(signals) == (
        "needs reference models, and the measurement was given none: train them with "
        "ReferenceTrainer"
    )
    no_label = dataclasses.replace(given, label=None, loss=None)
    assert attack.cannot_run(no_label) == "needs label, which the signals do not have"
    several = with_references(leaky(config_pb2.MULTILABEL, rows=40))
    assert attack.cannot_run(several) == "is not defined for the task MULTILABEL"


@pytest.mark.parametrize("attack", ALL, ids=named)
def test_models_of_other_records_serve_offline_attacks_alone(attack, leaky, with_references):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=40), online=False)

    reason = attack.cannot_run(signals)

    if attack in ONLINE:
        assert reason == (
            "needs reference models that were trained on the evaluated records; of 40 records, 0 "
            "are in the training set of one (these models were trained on a pool of its own)"
        )
    else:
        assert reason is None
        assert np.isfinite(attack.fit(signals, 0).score(signals)).all()
