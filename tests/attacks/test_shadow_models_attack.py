"""Shokri's attack: what it learns from shadow models, class by class, and what it finds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.shadow_models import (
    FEWEST_ROWS_A_SIDE,
    ShadowModels,
    learn_shadow_models,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@pytest.fixture(scope="module")
def shadows(leaky):
    """Answers of shadow models for 2,400 records: surer on those that they were trained on."""
    return leaky(config_pb2.MULTICLASS, rows=2400, leak=3.0, seed=5)


@pytest.fixture(scope="module")
def learned(shadows):
    return learn_shadow_models(shadows, seed=0)


def test_judges_the_target_by_what_shadow_models_taught(learned, leaky, auc):
    target = leaky(config_pb2.MULTICLASS, rows=3000, leak=3.0, seed=6)

    scores = ShadowModels(learned).fit(target, seed=0).score(target)

    # 3 in log-odds of deviation 2.6 or so: normal scores would have an AUC of .79.
    assert auc(scores, target.member) > 0.75
    called = scores > 0
    # Its own decision is for sides of one size, whatever those of the shadows' rows are.
    precision = called[target.member].mean() / (
        called[target.member].mean() + called[~target.member].mean()
    )
    assert 0.65 < precision < 0.85
    assert 0.6 < called[target.member].mean() < 0.9


def test_finds_nothing_where_the_target_leaks_nothing(learned, leaky, auc):
    target = leaky(config_pb2.MULTICLASS, rows=6000, leak=0.0, seed=6)

    # Four standard errors of an AUC of .5.
    assert auc(learned.score(target), target.member) == pytest.approx(0.5, abs=4 * 0.0076)


def test_finds_nothing_where_shadows_taught_nothing(leaky, auc):
    nothing = learn_shadow_models(leaky(config_pb2.MULTICLASS, rows=2000, leak=0.0), seed=0)
    target = leaky(config_pb2.MULTICLASS, rows=6000, leak=0.0, seed=6)

    assert auc(nothing.score(target), target.member) == pytest.approx(0.5, abs=4 * 0.0076)


def test_a_class_has_a_model_of_its_own(make_signals, auc):
    # Members are the surer ones of class 0 and the less sure of class 1.
    generator = np.random.default_rng(0)

    def made(rows):
        label = generator.integers(0, 2, rows)
        member = generator.random(rows) < 0.5
        sureness = generator.normal(size=rows) + 2.0 * np.where(label == 0, member, ~member)
        logits = (sureness * (2 * label - 1))[:, None]
        return make_signals(config_pb2.BINARY, logits, label, member)

    learned, target = learn_shadow_models(made(4000), seed=0), made(4000)

    assert (learned.classes, learned.own_classes, learned.shared_classes) == (2, 2, 0)
    # A shift by 2 of a normal distribution: .92.
    assert auc(learned.score(target), target.member) == pytest.approx(0.92, abs=0.02)


def test_classes_with_few_rows_share_a_model_of_all(make_signals, leaky, auc):
    many = leaky(config_pb2.MULTICLASS, rows=2000, leak=3.0, seed=7, columns=8)
    # Of class 7 just too few members, of class 6 just enough.
    place = np.arange(len(many))
    keep = np.ones(len(many), np.bool_)
    for one, wanted in ((7, FEWEST_ROWS_A_SIDE - 1), (6, FEWEST_ROWS_A_SIDE)):
        keep[place[(many.label == one) & many.member][wanted:]] = False
    learned = learn_shadow_models(many.take(keep), seed=0)

    assert sorted(learned.trees) == [-1, 0, 1, 2, 3, 4, 5, 6]
    assert (learned.classes, learned.own_classes, learned.shared_classes) == (8, 7, 1)
    assert learned.members == int(many.member[keep].sum())
    assert learned.nonmembers == int((~many.member[keep]).sum())
    of_last = many.take(~keep | (many.label == 7))
    assert auc(learned.score(of_last), of_last.member) > 0.7


def test_a_class_that_no_shadow_was_asked_about(leaky):
    rows = leaky(config_pb2.MULTICLASS, rows=1000, leak=3.0, columns=5)
    learned = learn_shadow_models(rows.take(rows.label != 4), seed=0)

    assert learned.classes == 4
    assert np.isfinite(learned.score(rows)).all()


def test_the_same_whatever_the_order_of_rows(shadows, learned, leaky):
    # Two models' answers for each record: ids by twos.
    ids = np.repeat(shadows.ids[:1200], 2, axis=0)
    twice = dataclasses.replace(shadows, ids=ids)
    order = np.random.default_rng(0).permutation(len(twice))
    target = leaky(config_pb2.MULTICLASS, rows=500, leak=3.0, seed=6)

    first, second = (learn_shadow_models(rows, 1) for rows in (twice, twice.take(order)))

    np.testing.assert_array_equal(first.score(target), second.score(target))
    assert (learn_shadow_models(twice, 2).score(target) != first.score(target)).any()


def test_after_saving_and_loading(learned, leaky, tmp_path):
    target = leaky(config_pb2.MULTICLASS, rows=500, leak=3.0, seed=6)
    learned.save(tmp_path)

    loaded = ShadowModels().load(tmp_path)

    np.testing.assert_array_equal(loaded.score(target), learned.score(target))
    counts = (loaded.classes, loaded.own_classes, loaded.members, loaded.nonmembers)
    assert counts == (learned.classes, learned.own_classes, learned.members, learned.nonmembers)


def test_learns_nothing_from_the_targets_members(learned, leaky):
    target = leaky(config_pb2.MULTICLASS, rows=300, leak=3.0, seed=6)
    attack = ShadowModels(learned)

    assert not attack.is_trained
    assert attack.fit(target, seed=1) is learned
    with pytest.raises(ValueError, match="that no shadow models have taught"):
        ShadowModels().fit(target, seed=1)


def test_says_why_it_cannot_run(learned, leaky):
    signals = leaky(config_pb2.MULTICLASS, rows=20)
    numbers = leaky(config_pb2.REGRESSION, rows=20)

    assert ShadowModels(learned).cannot_run(signals) is None
    assert ShadowModels().cannot_run(signals) == (
        "needs the answers of shadow models, and the measurement was given none, or too few: "
        "train some with ReferenceTrainer"
    )
    reason = ShadowModels(learned).cannot_run(dataclasses.replace(signals, logits=None))
    assert reason == "needs logits, which the signals do not have"
    assert ShadowModels(learned).cannot_run(numbers) == "is not defined for the task REGRESSION"


def test_one_side_teaches_nothing(leaky):
    rows = leaky(config_pb2.MULTICLASS, rows=100)
    with pytest.raises(ValueError, match="found 0 members and"):
        learn_shadow_models(rows.take(~rows.member), seed=0)
