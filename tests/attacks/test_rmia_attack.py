"""RMIA as an attack: the paper's equations, its population, and how a is chosen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import special

from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.reference_attack import Setting
from tfx_privacy.attacks.reference_scores import rmia
from tfx_privacy.attacks.reference_scores.offline_a import choose_a
from tfx_privacy.attacks.rmia import Rmia
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

BOTH = [Rmia(setting) for setting in Setting]


def named(attack):
    return attack.name


def by_the_paper(fit, judge, setting, gamma, a):
    """Algorithm 1 and the offline formula, one pair of records after the other."""

    def ratios(signals):
        found = []
        p_target = special.expit(Confidence().score(signals))
        p_models = special.expit(signals.references.logit[:, :, 0].astype(np.float64))
        for row in range(len(signals)):
            inside = signals.references.inside[row]
            p = p_models[row].mean()
            if setting is Setting.OFFLINE:
                p = ((1 + a) * p_models[row][~inside].mean() + (1 - a)) / 2
            found.append(p_target[row] / p)
        return found

    population = ratios(fit.take(~fit.member))
    return [np.mean([x / z > gamma for z in population]) for x in ratios(judge)]


@pytest.mark.parametrize("attack", BOTH, ids=named)
def test_is_the_papers_double_loop(attack, leaky, with_references):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=150), models=6, queries=2)
    fit, judge = signals.take(np.arange(100)), signals.take(np.arange(100, 150))
    attack = dataclasses.replace(attack, gamma=1.1, offline_a=0.4)

    scores = attack.fit(fit, seed=0).score(judge)

    expected = by_the_paper(fit, judge, attack.setting, 1.1, 0.4)
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    assert len(set(expected)) > 10


def test_defaults_are_the_papers():
    assert Rmia(Setting.ONLINE).gamma == 2
    assert Rmia(Setting.OFFLINE).offline_a is None


@pytest.mark.parametrize("attack", BOTH, ids=named)
def test_the_population_is_of_fit_nonmembers_a_bounded_number_in_any_order(
    attack, leaky, with_references, monkeypatch
):
    monkeypatch.setattr("tfx_privacy.attacks.rmia._MOST_POPULATION", 50)
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=400))
    attack = dataclasses.replace(attack, offline_a=0.3)

    population = attack.fit(signals, seed=0).ratios.population

    others = signals.take(~signals.member)
    p_models = special.log_expit(others.references.logit[:, :, 0].astype(np.float64))
    if attack.setting is Setting.ONLINE:
        log_p = rmia.online_log_p(p_models)
    else:
        log_p = rmia.offline_log_p(p_models, others.references.inside, 0.3)
    able = special.log_expit(Confidence().score(others)) - log_p
    assert len(population) == 50
    # To the last bits: log p is computed otherwise.
    assert (np.abs(population[:, None] - able).min(axis=1) < 1e-9).all()
    order = np.random.default_rng(0).permutation(400)
    again = attack.fit(signals.take(order), seed=0).ratios.population
    np.testing.assert_array_equal(again, population)
    assert (attack.fit(signals, seed=1).ratios.population != population).any()


def test_a_is_chosen_on_reference_models_and_never_on_the_target(leaky, with_references):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=600, leak=2.0), leak=2.0)
    attack = Rmia(Setting.OFFLINE)

    a = attack.fit(signals, seed=0).offline_a

    rows = signals.sorted_by_id().references
    log_p = special.log_expit(rows.logit[:, :, 0].astype(np.float64))
    assert a == choose_a(log_p, rows.inside, gamma=2.0)
    other = dataclasses.replace(signals, logits=-signals.logits, member=~signals.member)
    assert attack.fit(other, seed=0).offline_a == a


@pytest.mark.parametrize(
    ("models", "online", "rows"), [(2, True, 600), (8, False, 600), (8, True, 60)]
)
def test_a_is_the_papers_where_it_cannot_be_chosen(leaky, with_references, models, online, rows):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=rows), models, online=online)

    assert Rmia(Setting.OFFLINE).fit(signals, seed=0).offline_a == 0.3


def test_a_that_is_given_is_used(leaky, with_references):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=600))
    assert Rmia(Setting.OFFLINE, offline_a=0.0).fit(signals, seed=0).offline_a == 0.0


@pytest.mark.parametrize("attack", BOTH, ids=named)
def test_after_saving_and_loading(attack, leaky, with_references, tmp_path):
    signals = with_references(leaky(config_pb2.BINARY, rows=300), models=4)
    attack = dataclasses.replace(attack, gamma=1.3)
    fitted = attack.fit(signals, 0)
    fitted.save(tmp_path)

    # By name, as a suite is read: what the attack was set to is in the file.
    loaded = Rmia(attack.setting).load(tmp_path)

    assert loaded.ratios.gamma == 1.3
    assert loaded.offline_a == fitted.offline_a
    np.testing.assert_array_equal(loaded.score(signals), fitted.score(signals))


@pytest.mark.parametrize("attack", BOTH, ids=named)
def test_finds_nothing_where_there_is_nothing_not_on_rows_it_learned_from_either(
    attack, leaky, with_references, auc
):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=6000, leak=0.0), leak=0.0)
    fit, judge = signals.take(np.arange(2000)), signals.take(np.arange(2000, 6000))

    # Four standard errors of an AUC of .5.
    found = auc(attack.fit(fit, seed=0).score(judge), judge.member)
    assert found == pytest.approx(0.5, abs=4 * 0.0093)
    out_of_fold = auc(out_of_fold_scores(attack, fit, seed=0), fit.member)
    assert out_of_fold == pytest.approx(0.5, abs=4 * 0.0132)


@pytest.mark.parametrize("attack", BOTH, ids=named)
def test_finds_a_leak_that_hard_and_easy_records_hide(attack, leaky, with_references, auc):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=4500, leak=1.5), 16, leak=1.5)
    fit, judge = signals.take(np.arange(1500)), signals.take(np.arange(1500, 4500))

    found = auc(attack.fit(fit, seed=0).score(judge), judge.member)

    assert found > auc(Confidence().score(judge), judge.member) + 0.05


def test_says_why_it_cannot_run(leaky, with_references):
    signals = leaky(config_pb2.MULTICLASS, rows=40)
    online, offline = BOTH

    for attack in BOTH:
        assert "was given none" in attack.cannot_run(signals)
        assert attack.cannot_run(with_references(signals)) is None
    apart = with_references(signals, online=False)
    assert "of 40 records, 0 are in the training set" in online.cannot_run(apart)
    assert offline.cannot_run(apart) is None
    numbers = with_references(leaky(config_pb2.REGRESSION, rows=40))
    assert offline.cannot_run(numbers) == "is not defined for the task REGRESSION"
