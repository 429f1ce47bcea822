"""The best of several attacks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.best_attack import best_of_attacks, measure_best, select_best_attack
from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.metrics.epsilon import Epsilon

EDGES = ScoreEdges(np.array([0.5]), Thresholds.all_at(1))
WEAK = ScoreCounts(np.array([500, 500]), np.array([510, 490]))
STRONG = ScoreCounts(np.array([300, 700]), np.array([700, 300]))


def test_selects_the_largest_auc() -> None:
    assert select_best_attack({"weak": WEAK, "strong": STRONG}) == "strong"


def test_the_first_of_equals() -> None:
    assert select_best_attack({"one": WEAK, "other": WEAK}) == "one"


def test_bounds_are_of_the_largest_over_the_attacks() -> None:
    counts = {"weak": WEAK, "strong": STRONG}
    interval = best_of_attacks(Auc(), counts, dict.fromkeys(counts, EDGES), "strong", 0.025)
    assert interval.estimate == Auc().measure(STRONG, Thresholds.all_at(1), 0.025).estimate
    assert interval.lower == Auc().measure(STRONG, Thresholds.all_at(1), 0.0125).lower
    assert interval.upper == Auc().measure(STRONG, Thresholds.all_at(1), 0.025).upper


def test_an_estimate_below_what_another_attack_has_proved_is_raised() -> None:
    counts = {"weak": WEAK, "strong": STRONG}
    interval = best_of_attacks(Auc(), counts, dict.fromkeys(counts, EDGES), "weak", 0.025)
    assert (
        interval.estimate
        == interval.lower
        == Auc().measure(STRONG, Thresholds.all_at(1), 0.0125).lower
    )


def test_a_single_attack_is_its_own_best() -> None:
    interval = best_of_attacks(Auc(), {"a": WEAK}, {"a": EDGES}, "a", 0.025)
    assert interval == Auc().measure(WEAK, Thresholds.all_at(1), 0.025)


def test_a_bound_from_below_is_its_own_estimate() -> None:
    counts = {"weak": WEAK, "strong": STRONG}
    interval = best_of_attacks(Epsilon(), counts, dict.fromkeys(counts, EDGES), "weak", 0.025)
    assert interval == Epsilon().measure(STRONG, Thresholds.all_at(1), 0.0125)
    assert interval.estimate == interval.lower > 0.0


def test_what_the_best_of_several_attacks_can_show() -> None:
    evidence = Evidence(
        edges={"weak": EDGES, "strong": EDGES},
        counts={("weak", WHOLE): WEAK, ("strong", WHOLE): STRONG},
    )
    (value,) = measure_best(evidence, "strong", [Epsilon()], 0.95)
    # alpha .025 shared by two attacks, and by two rates: none wrong of 1,000 a side.
    rate = (0.025 / 4) ** (1 / 1000)
    assert value.largest_attainable == pytest.approx(math.log(rate / (1 - rate)))


def test_misses_of_eight_attacks_without_a_leak() -> None:
    # The naive maximum of the lower bounds misses 18%; 400 runs of eight independent attacks.
    rng = np.random.default_rng(8)
    names = [f"attack_{i}" for i in range(8)]
    half = np.array([0.5, 0.5])
    missed = naive = 0
    for _ in range(400):
        counts = {
            name: ScoreCounts(rng.multinomial(1000, half), rng.multinomial(500, half))
            for name in names
        }
        edges = dict.fromkeys(names, EDGES)
        missed += best_of_attacks(Auc(), counts, edges, names[0], 0.025).lower > 0.5
        naive += (
            max(Auc().measure(c, Thresholds.all_at(1), 0.025).lower for c in counts.values()) > 0.5
        )
    assert missed <= 20  # binomial(400, .025): 21 or more has probability .0013
    assert naive > 25


def test_measured_on_the_whole() -> None:
    evidence = Evidence(
        edges={"weak": EDGES, "strong": EDGES},
        counts={
            ("weak", WHOLE): WEAK,
            ("strong", WHOLE): STRONG,
            ("weak", (("f", "x"),)): STRONG,
        },
    )
    (value,) = measure_best(evidence, "strong", [Auc()], 0.95)
    assert value.metric.name == "auc"
    assert value.value.estimate == pytest.approx(0.7)
    assert (value.value.members, value.value.nonmembers) == (1000, 1000)


def test_an_unknown_attack_is_named() -> None:
    with pytest.raises(ValueError, match="found 'other', expected one of 'a'"):
        best_of_attacks(Auc(), {"a": WEAK}, {"a": EDGES}, "other", 0.025)
