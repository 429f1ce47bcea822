from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from tfx_privacy.attacks.rank_sum import rank_sum_auc
from tfx_privacy.attacks.reference_scores.offline_a import choose_a
from tfx_privacy.attacks.reference_scores.rmia import Rmia, offline_log_p


def models_of_law(a, n=3000, k=8, seed=4):
    """log p_y [n, k] where models with a record give it a p_out + (1 - a), and noise; inside."""
    generator = np.random.default_rng(seed)
    first = generator.random((n, k // 2)) < 0.5
    inside = np.stack([first, ~first], axis=2).reshape(n, k)
    p_out = generator.uniform(0.02, 0.98, (n, 1))
    p = np.where(inside, a * p_out + (1 - a), p_out)
    return special.log_expit(special.logit(p) + generator.normal(0, 0.7, (n, k))), inside


def test_chooses_what_is_best_on_the_first_model():
    log_p, inside = models_of_law(0.3)
    # The definition: model 0 as target, models 2 and up as references; of the records that it
    # was not trained on, every second is the population.
    member = inside[:, 0]
    population = np.flatnonzero(~member)[1::2]
    judged = np.setdiff1d(np.arange(len(member)), population)
    areas = {}
    for a in np.arange(11) / 10:
        general = offline_log_p(log_p[:, 2:], inside[:, 2:], a)
        attack = Rmia.fit(log_p[population, 0], general[population])
        scores = attack.score(log_p[judged, 0], general[judged])
        areas[float(a)] = rank_sum_auc(scores, member[judged])[0]

    assert choose_a(log_p, inside) == max(areas, key=areas.__getitem__)
    assert max(areas.values()) > min(areas.values()) + 0.02


def test_finds_a_larger_a_where_models_learn_less():
    assert choose_a(*models_of_law(0.2)) < choose_a(*models_of_law(0.9))


def test_its_partner_tells_nothing():
    log_p, inside = models_of_law(0.3)
    other = log_p.copy()
    other[:, 1] = -5.0

    assert choose_a(other, inside) == choose_a(log_p, inside)


def test_ties_take_the_first_of_the_grid():
    log_p, inside = models_of_law(0.3, n=200)
    log_p[:] = -1.0
    assert choose_a(log_p, inside, grid=(0.4, 0.2)) == 0.4


def test_refuses_what_cannot_tell():
    log_p, inside = models_of_law(0.3, n=100)
    with pytest.raises(ValueError, match="found 2 reference models to choose RMIA's a with"):
        choose_a(log_p[:, :2], inside[:, :2])
    with pytest.raises(ValueError, match="both or neither of the first two"):
        choose_a(log_p[:, ::-1][:, 1:7], inside[:, ::-1][:, 1:7])
    with pytest.raises(ValueError, match="no values of a"):
        choose_a(log_p, inside, grid=())
    none = inside.copy()
    none[:, :2] = [False, True]
    with pytest.raises(ValueError, match="trained on 0 of 100 records"):
        choose_a(log_p, none)
