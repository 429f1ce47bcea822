"""What results show before any limit: luck, controls and the number of metrics allowed for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.metrics.controls import ControlFinding, ControlOutcome
from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.registry import DEFAULT_METRICS
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.key_figures import key_figures
from tfx_privacy.reports.reading import Shown, headline, read

AUC = config_pb2.MetricSpec(name="auc")
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)
NONE = Evidence({}, {})
FAILED = ControlFinding(ControlOutcome.FAILED, "It found something.")


def _measured(members, nonmembers):
    """Results of one attack with counts in bins, all default metrics of it."""
    counts = ScoreCounts(np.array(members, np.int64), np.array(nonmembers, np.int64))
    edges = ScoreEdges(np.arange(1.0, len(members)), Thresholds.all_at(1))
    results = results_pb2.PrivacyResults(best_attack="loss")
    results.attacks.append(measure_attack("loss", counts, edges, DEFAULT_METRICS, 0.95))
    results.best_of_attacks.extend(results.attacks[0].metrics)
    return results, Evidence({"loss": edges}, {("loss", WHOLE): counts})


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((AUC, 0.6, 0.58, 0.62), Shown.LEAK),
        ((AUC, 0.51, 0.49, 0.53), Shown.NOTHING_FOUND),
        ((AUC, 0.51, 0.45, 0.57), Shown.TOO_UNCERTAIN),
    ],
)
def test_what_is_shown(best_of, passed, values, shown):
    assert read(best_of(values), NONE, passed).shown is shown


def test_without_attacks_nothing_was_measured(passed):
    assert read(results_pb2.PrivacyResults(), NONE, passed).shown is Shown.NOT_MEASURED


@pytest.mark.parametrize(
    ("control", "shown"),
    [
        ("blind_baseline", Shown.NOT_TRUSTED),
        ("negative", Shown.NOT_TRUSTED),
        ("positive", Shown.LEAK),
        ("duplicates", Shown.LEAK),
    ],
)
def test_a_control_that_failed_decides_what_the_numbers_are_worth(best_of, passed, control, shown):
    results = best_of((AUC, 0.6, 0.58, 0.62))
    controls = dataclasses.replace(passed, **{control: FAILED})
    assert read(results, NONE, controls).shown is shown


def test_a_bound_just_above_chance_is_luck_where_seven_metrics_are_looked_at(passed):
    # 2,000 and 2,000 with one edge: AUC .5 + (TPR - FPR) / 2 = .521. Wilson's interval for .5
    # of 2,000 is .022 wide a side at 1.96, .030 at 2.69 = 1 - .025 / 7; DeLong's shorter by
    # the ties' root of 2/3, at .018 and .025.
    results, evidence = _measured([958, 1_042], [1_042, 958])
    area = results.best_of_attacks[0]
    assert area.metric.name == "auc"
    assert area.value.lower > 0.5
    assert len(results.best_of_attacks) >= 6
    reading = read(results, evidence, passed)
    assert not reading.is_above_chance(area)
    assert reading.shown is not Shown.LEAK
    (figure,) = [figure for figure in key_figures(reading) if figure.measure.title == "AUC"]
    number = len(results.best_of_attacks)
    assert figure.beside_chance == (
        f"not shown to be above chance, allowing for {number} metrics (chance: 0.5)"
    )


def test_a_bound_far_above_chance_is_a_leak_however_many_metrics_there_are(passed):
    results, evidence = _measured([900, 1_100], [1_100, 900])
    reading = read(results, evidence, passed)
    assert reading.shown is Shown.LEAK
    assert reading.is_above_chance(results.best_of_attacks[0])


# Without a leak: bins by chance. At 97.5% each, seven metrics would find one in far more
# than 2.5% of runs.
def test_luck_makes_a_leak_in_few_runs_only(passed):
    random = np.random.default_rng(4)
    leaks = 0
    uncorrected = 0
    for _ in range(200):
        members, nonmembers = random.multinomial(1_000, np.full(8, 1 / 8), size=2)
        results, evidence = _measured(members, nonmembers)
        leaks += read(results, evidence, passed).shown is Shown.LEAK
        uncorrected += read(results, NONE, passed).shown is Shown.LEAK
    # P(Bin(200, .025) > 11) is .8%.
    assert leaks <= 11
    assert leaks <= uncorrected


def test_the_headline_leaves_epsilon_to_its_own_sentence(best_of, passed):
    both = best_of((EPSILON, 0.4, 0.4, float("inf")), (AUC, 0.6, 0.58, 0.62))
    assert [entry.metric.name for entry in headline(read(both, NONE, passed))] == ["auc"]
    alone = best_of((EPSILON, 0.4, 0.4, float("inf")))
    assert [entry.metric.name for entry in headline(read(alone, NONE, passed))] == ["epsilon"]


def test_a_key_figure_bounded_from_below_has_no_interval(best_of, passed):
    (figure,) = key_figures(read(best_of((EPSILON, 0.4, 0.4, float("inf"))), NONE, passed))
    assert figure.value.estimate == ">= 0.40"
    assert figure.range_text == "a lower bound (95%), no upper limit"


def test_key_figures_are_not_called_above_chance_where_a_control_failed(best_of, passed):
    controls = dataclasses.replace(passed, blind_baseline=FAILED)
    (figure,) = key_figures(read(best_of((AUC, 0.6, 0.58, 0.62)), NONE, controls))
    assert figure.beside_chance == "not to be trusted: a control failed (chance: 0.5)"
    assert figure.range_text == "0.580 to 0.620 (95% interval)"
