from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.reference_scores.rmia import Rmia, offline_log_p, online_log_p


@pytest.fixture(scope="module")
def probabilities():
    """Of 30 records and 20 of the population: under the target [50], 6 references [50, 6]."""
    generator = np.random.default_rng(2)
    target = generator.beta(2, 1, 50)
    references = generator.beta(2, 1, (50, 6))
    first = generator.random((50, 3)) < 0.5
    inside = np.stack([first, ~first], axis=2).reshape(50, 6)
    return target, references, inside


def by_the_definition(target, general, population_target, population_general, gamma):
    """The paper's equations, one pair of records after the other."""
    scores = []
    for of_x, general_x in zip(target, general, strict=True):
        dominated = 0
        for of_z, general_z in zip(population_target, population_general, strict=True):
            dominated += (of_x / general_x) / (of_z / general_z) > gamma
        scores.append(dominated / len(population_target))
    return scores


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_online_is_the_papers_double_loop(probabilities, gamma):
    target, references, _ = probabilities
    general = [sum(row) / 6 for row in references]
    expected = by_the_definition(target[:30], general[:30], target[30:], general[30:], gamma)

    log_p = online_log_p(np.log(references))
    attack = Rmia.fit(np.log(target[30:]), log_p[30:], gamma)

    assert attack.score(np.log(target[:30]), log_p[:30]).tolist() == expected
    assert len(set(expected)) >= 5


@pytest.mark.parametrize("a", [0.0, 0.3, 1.0])
def test_offline_is_the_papers_double_loop(probabilities, a):
    target, references, inside = probabilities
    general = []
    for row, trained in zip(references, inside, strict=True):
        without = [p for p, was_in in zip(row, trained, strict=True) if not was_in]
        mean = sum(without) / len(without)
        general.append((mean + (a * mean + (1 - a))) / 2)
    expected = by_the_definition(target[:30], general[:30], target[30:], general[30:], 1.2)

    log_p = offline_log_p(np.log(references), inside, a)
    attack = Rmia.fit(np.log(target[30:]), log_p[30:], 1.2)

    np.testing.assert_allclose(np.exp(log_p), general, rtol=1e-12)
    assert attack.score(np.log(target[:30]), log_p[:30]).tolist() == expected


def test_defaults_are_the_papers(probabilities):
    target, references, inside = probabilities
    log_p = offline_log_p(np.log(references), inside)

    assert log_p.tolist() == offline_log_p(np.log(references), inside, 0.3).tolist()
    assert Rmia.fit(np.log(target), log_p).gamma == 2


def test_a_ratio_of_exactly_gamma_does_not_count():
    # ratio_z is 1 and 1/4; ratio_x is 2, so 2 and 8 against gamma 2.
    attack = Rmia.fit(np.log([0.5, 0.125]), np.log([0.5, 0.5]), gamma=2.0)

    assert attack.score(np.log([0.5]), np.log([0.25])).tolist() == [0.5]


def test_a_record_has_the_same_score_alone(probabilities):
    target, references, inside = probabilities
    log_p = offline_log_p(np.log(references), inside)
    attack = Rmia.fit(np.log(target[30:]), log_p[30:], gamma=1.0)

    together = attack.score(np.log(target[:30]), log_p[:30])

    for row in range(30):
        one = slice(row, row + 1)
        alone = offline_log_p(np.log(references[one]), inside[one])
        assert attack.score(np.log(target[one]), alone) == together[one]
        assert online_log_p(np.log(references[one])) == online_log_p(np.log(references))[one]


def test_no_probability_is_too_small():
    tiny = np.array([[-2000.0, -3000.0]])
    assert online_log_p(tiny) == pytest.approx([-2000 - np.log(2)])
    assert offline_log_p(tiny, np.array([[True, False]]), a=1.0).tolist() == [-3000.0]
    # p_out is nothing beside (1 - a) / 2.
    assert offline_log_p(tiny, np.array([[True, False]])) == pytest.approx([np.log(0.35)])


@pytest.mark.parametrize("k", [3, 6, 7, 8, 12])
def test_models_that_are_all_sure_are_not_surer_than_sure(k):
    # At a = .1 the rounded logarithm was 2^-53, of more than 1.
    ones, none = np.zeros((20, k)), np.zeros((20, k), np.bool_)
    means = [online_log_p(ones), *(offline_log_p(ones, none, a) for a in (0.0, 0.1, 0.3, 0.7, 1.0))]
    for log_p in means:
        assert (log_p <= 0).all()
        np.testing.assert_allclose(log_p, 0, atol=1e-15)


@pytest.mark.parametrize("a", [-0.1, 1.1, float("nan")])
def test_a_out_of_range(probabilities, a):
    _, references, inside = probabilities
    with pytest.raises(ValueError, match=f"found a = {a}; expected a number from 0 to 1"):
        offline_log_p(np.log(references), inside, a)


@pytest.mark.parametrize("gamma", [0.5, float("inf"), float("nan")])
def test_gamma_out_of_range(gamma):
    with pytest.raises(ValueError, match=f"found gamma = {gamma}; expected"):
        Rmia.fit(np.log([0.5]), np.log([0.5]), gamma)


def test_refuses_what_does_not_fit(probabilities):
    target, references, inside = probabilities
    with pytest.raises(ValueError, match="found 1 of 50 records that every reference model was"):
        offline_log_p(np.log(references), inside | (np.arange(50) == 7)[:, None])
    with pytest.raises(ValueError, match="expected none above 0"):
        online_log_p(references)
    with pytest.raises(ValueError, match="population of 0 records"):
        Rmia.fit(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="found 1 of 50 values of the target that are not finite"):
        Rmia.fit(np.where(target == target[3], -np.inf, np.log(target)), np.log(target))
    with pytest.raises(ValueError, match=r"found log p of shape \(50,\) under the target and \(9,"):
        Rmia.fit(np.log(target), np.log(target[:9]))
