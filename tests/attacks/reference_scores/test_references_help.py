"""Where records differ in difficulty, models without a record say what is usual for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from tfx_privacy.attacks.rank_sum import rank_sum_auc
from tfx_privacy.attacks.reference_scores.attack_r import attack_r
from tfx_privacy.attacks.reference_scores.gaussians import Spread
from tfx_privacy.attacks.reference_scores.lira import OfflineLira, OnlineLira
from tfx_privacy.attacks.reference_scores.rmia import Rmia, offline_log_p, online_log_p
from tfx_privacy.attacks.reference_scores.subsets import reference_subsets

# The standard error of each AUC is below .01.
GLOBAL, BEST = 0.588, 0.760


def online(world, spread):
    attack = OnlineLira.fit(world.references[:, :, None], world.inside, spread)
    return attack.score(world.phi[:, None], world.references[:, :, None], world.inside)


def offline(world, spread):
    attack = OfflineLira.fit(world.references[:, :, None], world.inside, spread)
    return attack.score(world.phi[:, None], world.references[:, :, None], world.inside)


def rmia_online(world):
    attack = Rmia.fit(
        special.log_expit(world.population_phi),
        online_log_p(special.log_expit(world.population_references)),
    )
    log_p = online_log_p(special.log_expit(world.references))
    return attack.score(special.log_expit(world.phi), log_p)


def rmia_offline(world):
    population = special.log_expit(world.population_references)
    attack = Rmia.fit(
        special.log_expit(world.population_phi),
        offline_log_p(population, world.population_inside, a=0.9),
    )
    log_p = offline_log_p(special.log_expit(world.references), world.inside, a=0.9)
    return attack.score(special.log_expit(world.phi), log_p)


def rank(world):
    loss = -special.log_expit(world.phi)
    return attack_r(loss, -special.log_expit(world.references), world.inside)


def area(scores, world):
    return rank_sum_auc(scores, world.member)[0]


def test_the_global_threshold_sees_what_theory_says(world):
    assert area(world.phi, world) == pytest.approx(GLOBAL, abs=0.03)


def test_online_with_one_variance_is_nearly_the_best_there_is(world):
    assert BEST - 0.04 < area(online(world, Spread.FIXED), world) < BEST + 0.03


@pytest.mark.parametrize(
    "scores",
    [
        lambda world: online(world, Spread.PER_RECORD),
        lambda world: online(world, Spread.FIXED),
        lambda world: offline(world, Spread.PER_RECORD),
        lambda world: offline(world, Spread.FIXED),
        rmia_online,
        rmia_offline,
        rank,
    ],
    ids=["online", "online fixed", "offline", "offline fixed", "RMIA", "RMIA offline", "Attack-R"],
)
def test_above_the_global_threshold(world, scores):
    assert area(scores(world), world) > area(world.phi, world) + 0.05


def test_one_variance_is_better_for_few_models(world):
    assert area(online(world, Spread.FIXED), world) > area(online(world, Spread.PER_RECORD), world)


def test_more_models_tell_more(world):
    areas: dict[int, list[float]] = {}
    for subset in reference_subsets(16):
        references = world.references[:, subset.models, None]
        inside = world.inside[:, subset.models]
        attack = OnlineLira.fit(references, inside, Spread.FIXED)
        scores = attack.score(world.phi[:, None], references, inside)
        areas.setdefault(subset.size, []).append(area(scores, world))

    means = [float(np.mean(areas[size])) for size in (2, 4, 8, 16)]
    assert (np.diff(means) > 0.005).all()
