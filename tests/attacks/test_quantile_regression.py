"""Quantile regression: what it finds where difficulty hangs on the inputs, and what it may see."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.margin import Margin
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.planted import PlantedLeak
from tfx_privacy.attacks.quantile_regression import QuantileRegression
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses

TASKS = [config_pb2.BINARY, config_pb2.MULTICLASS, config_pb2.MULTILABEL, config_pb2.REGRESSION]


def target(rows, seed, leak, task=config_pb2.MULTICLASS):
    """A model that is sure of some records and not of others, members or not.

    How sure it is lies around a mean that hangs on one input and the label, with a
    deviation that hangs on another input; members lie `leak` such deviations higher.
    """
    generator = np.random.default_rng(seed)
    member = generator.random(rows) < 0.5
    easy, steady, noise = generator.normal(size=(3, rows))
    label = generator.integers(0, 2, rows)
    deviation = np.exp(steady / 2)
    sure = (
        4 + 3 * easy * (2 * label - 1) + deviation * (generator.normal(size=rows) + leak * member)
    )
    if task == config_pb2.MULTICLASS:
        logits = np.zeros((rows, 3))
        logits[np.arange(rows), label] = sure
    elif task == config_pb2.REGRESSION:
        logits, label = np.exp(-sure / 2)[:, None], np.zeros((rows, 1), np.float32)
    else:
        logits = (sure * (2 * label - 1))[:, None]
    if task == config_pb2.MULTILABEL:
        logits, label = logits.repeat(2, axis=1), label[:, None].repeat(2, axis=1)
        label = label.astype(np.float32)
    logits = logits.astype(np.float32)
    return Signals(
        task=task,
        ids=generator.integers(0, 2**64, (rows, 2), dtype=np.uint64),
        member=member,
        label=label,
        logits=logits,
        loss=losses(task, logits, label),
        inputs={
            name: pa.array(values[:, None].astype(np.float32).tolist(), pa.list_(pa.float32()))
            for name, values in (("easy", easy), ("steady", steady), ("noise", noise))
        },
    )


def true_positives(scores, member, fpr):
    """TPR at the empirical quantile of the non-members' scores."""
    return float((scores[member] > np.quantile(scores[~member], 1 - fpr)).mean())


@pytest.fixture(scope="module")
def judged():
    return target(20_000, 2, leak=1.5)


@pytest.fixture(scope="module")
def scores(judged):
    return QuantileRegression().fit(target(4000, 1, leak=1.5), seed=0).score(judged)


def test_beats_the_global_threshold_at_low_rates_where_difficulty_hangs_on_inputs(
    judged, scores, auc
):
    """The best possible attacker knows mean and deviation: members are normal, 1.5 higher.

    Its TPR at 1% is 1 - Phi(2.326 - 1.5) = .204 and its AUC Phi(1.5 / sqrt 2) = .856.
    """
    member = judged.member
    of_loss = LossThreshold().score(judged)
    assert true_positives(of_loss, member, 0.01) < 0.06
    assert 0.12 < true_positives(scores, member, 0.01) < 0.204
    assert true_positives(scores, member, 0.001) > 2 * true_positives(of_loss, member, 0.001)
    assert auc(of_loss, member) < 0.68
    assert 0.79 < auc(scores, member) < 0.856


def test_one_threshold_accuses_the_same_share_of_easy_and_of_hard_records(judged, scores):
    """A threshold on the score is the same quantile of every record's distribution.

    The margin's own threshold for 5% accuses next to none of the harder half.
    """
    easy = np.asarray(judged.inputs["easy"].flatten()) * (2 * judged.label - 1) > 0
    for found, expected in ((scores, (0.03, 0.07)), (Margin().score(judged), (0.0, 0.02))):
        accused = found > np.quantile(found[~judged.member], 0.95)
        hard = accused[~judged.member & ~easy].mean()
        assert expected[0] <= hard <= expected[1]


def test_finds_nothing_where_nothing_leaks(auc):
    """Four standard deviations of a null AUC: sqrt((m + n + 1) / (12 m n)), 10,000 rows a side."""
    judged = target(20_000, 4, leak=0.0)
    fitted = QuantileRegression().fit(target(3000, 3, leak=0.0), seed=0)
    deviation = (20_001 / (12 * 10_000**2)) ** 0.5
    assert abs(auc(fitted.score(judged), judged.member) - 0.5) < 4 * deviation


def test_scores_of_known_rows_are_unbiased_out_of_fold_alone(auc):
    """That it is a trained attack: non-members that it learned from look less like members."""
    fit = target(1500, 5, leak=0.0)
    attack = QuantileRegression()
    assert attack.is_trained
    seen = attack.fit(fit, seed=0).score(fit)
    unseen = out_of_fold_scores(attack, fit, seed=0)
    spread = [np.abs(one[~fit.member]).mean() for one in (seen, unseen)]
    assert spread[0] < 0.85 * spread[1]
    assert abs(auc(unseen, fit.member) - 0.5) < 4 * (1501 / (12 * 750**2)) ** 0.5


def test_members_and_the_models_answers_for_them_teach_nothing():
    fit, judged = target(800, 6, leak=1.0), target(200, 7, leak=1.0)
    logits = fit.logits.copy()
    logits[fit.member] += np.array([50.0, 0.0, 0.0], np.float32)
    other = dataclasses.replace(fit, logits=logits)

    expected = QuantileRegression().fit(fit, seed=0).score(judged)

    np.testing.assert_array_equal(QuantileRegression().fit(other, seed=0).score(judged), expected)


def test_what_is_expected_of_a_record_does_not_hang_on_what_the_model_says_of_it():
    """Two records alike in inputs and label differ in score by the margin, over one spread."""
    judged = target(300, 8, leak=1.0)
    fitted = QuantileRegression().fit(target(1000, 9, leak=1.0), seed=0)
    raised = judged.logits.copy()
    raised[np.arange(300), judged.label] += 1.0
    once = fitted.score(judged)
    steps = [
        fitted.score(dataclasses.replace(judged, logits=logits)) - once
        for logits in (raised, 2 * raised - judged.logits)
    ]
    # One class apart from the others all alike: the margin is raised as the logit is,
    # unless it was negative and another class is still ahead.
    np.testing.assert_allclose(steps[1], 2 * steps[0], rtol=1e-3, atol=1e-3)
    assert (steps[0] > 0).all()


@pytest.mark.parametrize("task", TASKS, ids=config_pb2.Task.Name)
def test_every_kind_of_target(task, auc):
    judged = target(6000, 11, leak=1.5, task=task)
    scores = QuantileRegression().fit(target(3000, 10, leak=1.5, task=task), 0).score(judged)
    assert np.isfinite(scores).all()
    assert auc(scores, judged.member) > auc(LossThreshold().score(judged), judged.member) + 0.05


def test_without_logits_the_loss_will_do(judged, auc):
    fit = dataclasses.replace(target(4000, 1, leak=1.5), logits=None)
    scores = QuantileRegression().fit(fit, seed=0).score(dataclasses.replace(judged, logits=None))
    assert auc(scores, judged.member) > 0.75


def test_a_planted_leak_is_seen(auc):
    """The control's own expectation: AUC .5 + p / 2 of a share p that is told for certain."""
    fit, rows = target(2000, 12, leak=0.0), target(6000, 13, leak=0.0)
    leak = PlantedLeak.above(Signals.concatenate([fit, rows]))
    planted = rows.member & (np.random.default_rng(0).random(6000) < 0.2)
    scores = QuantileRegression().fit(fit, seed=0).score(leak.plant(rows, planted))
    assert scores[planted].min() > scores[~planted].max()
    share = planted.sum() / rows.member.sum()
    assert auc(scores, rows.member) == pytest.approx(0.5 + share / 2, abs=0.03)


def test_the_same_bits_in_any_company_and_order():
    fit, judged = target(700, 14, leak=1.0), target(5000, 15, leak=1.0)
    fitted = QuantileRegression().fit(fit, seed=4)
    expected = fitted.score(judged)
    order = np.random.default_rng(0).permutation(5000)
    np.testing.assert_array_equal(fitted.score(judged.take(order)), expected[order])
    for first, size in ((0, 1), (4090, 10), (17, 63), (4999, 1)):
        rows = np.arange(first, first + size)
        np.testing.assert_array_equal(fitted.score(judged.take(rows)), expected[rows])
    shuffled = fit.take(np.random.default_rng(1).permutation(700))
    again = QuantileRegression().fit(shuffled, seed=4).score(judged)
    np.testing.assert_array_equal(again, expected)
    assert fitted.score(judged.take(np.arange(0))).shape == (0,)


def test_says_why_it_cannot_run():
    signals = target(20, 16, leak=0.0)
    attack = QuantileRegression()
    assert attack.cannot_run(signals) is None
    assert attack.cannot_run(dataclasses.replace(signals, inputs={})) == (
        "needs input features, and none were kept: features of the examples, or further columns "
        "of saved predictions"
    )
    for missing in ({"logits": None}, {"loss": None}):
        assert attack.cannot_run(dataclasses.replace(signals, **missing)) is None
    blind = dataclasses.replace(signals, logits=None, loss=None)
    assert (
        attack.cannot_run(blind) == "needs loss, or logits and label, which the signals do not have"
    )


@pytest.mark.parametrize("rows", [2, 3, 30])
def test_few_rows_and_equal_scores(rows):
    signals = target(40, 17, leak=0.0)
    first = np.concatenate(
        [np.flatnonzero(side)[: rows // 2 + 1] for side in (signals.member, ~signals.member)]
    )
    few = signals.take(first)
    assert np.isfinite(QuantileRegression().fit(few, seed=0).score(signals)).all()
    alike = dataclasses.replace(few, logits=np.zeros_like(few.logits))
    scores = QuantileRegression().fit(alike, seed=0).score(alike)
    np.testing.assert_array_equal(scores, np.zeros(len(few)))
