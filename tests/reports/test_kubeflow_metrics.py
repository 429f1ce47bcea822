"""Metadata for Kubeflow's run page; expected values are computed by hand."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.kubeflow_metrics import (
    MOST_ROC_POINTS,
    classification_metadata,
    results_scalars,
    verdict_scalars,
)

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)
NOTHING = Evidence({}, {}, {}, {})
LARGEST = 1.7976931348623157e308


def _evidence(edges, members, nonmembers):
    counts = ScoreCounts(np.asarray(members, np.int64), np.asarray(nonmembers, np.int64))
    cut = ScoreEdges(np.asarray(edges, np.float64), Thresholds.all_at(0))
    return Evidence({"loss": cut}, {("loss", WHOLE): counts}, {}, {})


def _points(edges, members, nonmembers, most=MOST_ROC_POINTS):
    """(threshold, TPR, FPR) of each point."""
    metadata = classification_metadata(
        results_pb2.PrivacyResults(best_attack="loss"),
        _evidence(edges, members, nonmembers),
        most,
    )
    assert list(metadata) == ["confidenceMetrics"]
    names = ("confidenceThreshold", "recall", "falsePositiveRate")
    for point in metadata["confidenceMetrics"]:
        assert set(point) == set(names)
    return [tuple(point[name] for name in names) for point in metadata["confidenceMetrics"]]


def _shown_by_kubeflow(scalars):
    """Whether the launcher takes every property and the page shows it as it is."""
    json.dumps(scalars, allow_nan=False)
    return all(
        (type(value) is str and 0 < len(value) <= 200 and value.isprintable())
        or (type(value) in (int, float) and math.isfinite(value))
        for value in scalars.values()
    )


def test_the_roc_has_a_point_for_each_bin_with_rows():
    # Scores of 3 and more: 3 of 4 members, 1 of 4 others. None from 2 to 3, none below 1.
    assert _points([1, 2, 3], [0, 1, 0, 3], [0, 3, 0, 1]) == [
        (4.0, 0.0, 0.0),
        (3.0, 0.75, 0.25),
        (1.0, 1.0, 1.0),
    ]


def test_rows_below_the_lowest_edge_have_a_finite_threshold():
    assert _points([5], [1, 1], [3, 1]) == [(6.0, 0.0, 0.0), (5.0, 0.5, 0.25), (4.0, 1.0, 1.0)]


def test_a_score_without_edges_has_both_ends():
    assert _points([], [3], [2]) == [(1.0, 0.0, 0.0), (-1.0, 1.0, 1.0)]


@pytest.mark.parametrize("end", [LARGEST, math.inf])
def test_thresholds_are_finite_whatever_the_edges(end):
    points = _points([-end, 0, end], [1, 1, 1, 1], [1, 1, 1, 1])
    assert [point[0] for point in points] == [LARGEST, LARGEST, 0.0, -LARGEST, -LARGEST]


def test_a_long_roc_is_thinned_at_even_steps_and_keeps_its_ends():
    # Eight bins with a row a side: the curve is the diagonal, in steps of 1/8.
    assert _points(range(1, 8), [1] * 8, [1] * 8, most=5) == [
        (8.0, 0.0, 0.0),
        (6.0, 0.25, 0.25),
        (4.0, 0.5, 0.5),
        (2.0, 0.75, 0.75),
        (0.0, 1.0, 1.0),
    ]


def test_the_roc_of_a_measurement_is_short_and_has_the_attacks_area(leaky):
    points = classification_metadata(leaky.results, leaky.evidence)["confidenceMetrics"]
    assert 100 < len(points) <= MOST_ROC_POINTS
    json.dumps(points, allow_nan=False)
    thresholds = [point["confidenceThreshold"] for point in points]
    assert all(above > below for above, below in itertools.pairwise(thresholds))
    fpr = np.array([point["falsePositiveRate"] for point in points])
    tpr = np.array([point["recall"] for point in points])
    best = next(a for a in leaky.results.attacks if a.name == leaky.results.best_attack)
    auc = next(entry for entry in best.metrics if entry.metric == AUC)
    area = float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))
    assert area == pytest.approx(auc.value.estimate, abs=5e-4)


@pytest.mark.parametrize(
    "evidence", [NOTHING, _evidence([1], [0, 0], [2, 1]), _evidence([1], [2, 1], [0, 0])]
)
def test_without_rows_there_is_no_roc(evidence):
    results = results_pb2.PrivacyResults(best_attack="loss")
    assert classification_metadata(results, evidence) == {}
    assert classification_metadata(results_pb2.PrivacyResults(), evidence) == {}


def test_fewer_than_two_points_are_no_roc():
    with pytest.raises(ValueError, match="points of a ROC: found 1, expected at least 2"):
        _points([1], [1, 1], [1, 1], most=1)


def test_the_scalars_of_a_measurement(best_of):
    results = best_of((AUC, 0.6, 0.58, 0.62), (EPSILON, 0.25, 0.25, math.inf))
    results.model.uri = "/pipelines/taxi/Trainer/model/6"
    scalars = results_scalars(results, NOTHING)
    assert scalars == {
        "finding": "leak",
        "best_attack": "loss_threshold",
        "attacks": 0,
        "auc": 0.6,
        "auc_lower": 0.58,
        "auc_upper": 0.62,
        "epsilon_0": 0.25,
        "epsilon_0_lower": 0.25,
        "members_judged": 10_000,
        "nonmembers_judged": 5_000,
        "blind_baseline": "not run",
        "negative_control": "not run",
        "positive_control": "not run",
        "duplicates": "passed",
        "model_uri": "/pipelines/taxi/Trainer/model/6",
    }
    assert _shown_by_kubeflow(scalars)


def test_a_measurement_without_attacks_has_scalars():
    scalars = results_scalars(results_pb2.PrivacyResults(), NOTHING)
    assert scalars["finding"] == "not measured"
    assert "best_attack" not in scalars
    assert _shown_by_kubeflow(scalars)


def test_the_scalars_of_a_whole_measurement_can_be_shown(leaky):
    scalars = results_scalars(leaky.results, leaky.evidence)
    assert (scalars["best_attack"], scalars["attacks"]) == ("modified_entropy", 7)
    assert (scalars["members_judged"], scalars["blind_baseline"]) == (6_880, "passed")
    assert _shown_by_kubeflow(scalars)


def _finding(metric, estimate, lower, upper, outcome, **threshold):
    return verdict_pb2.Finding(
        threshold=thresholds_pb2.PrivacyThreshold(metric=metric, **threshold),
        outcome=outcome,
        attack="loss",
        value=results_pb2.MeasuredValue(estimate=estimate, lower=lower, upper=upper),
    )


def test_the_scalars_of_a_verdict():
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.BLOCK,
        reasons=["AUC is 0.6.", "And more."],
        model_uri="/model/6",
        quality_blessed=True,
        findings=[
            _finding(AUC, 0.6, 0.58, 0.62, verdict_pb2.BLOCK, upper_limit=0.55),
            _finding(TPR_1, 0.02, 0.01, 0.03, verdict_pb2.CANNOT_TELL, change_limit=0.01),
            verdict_pb2.Finding(
                threshold=thresholds_pb2.PrivacyThreshold(
                    metric=AUC, upper_limit=0.7, scope=thresholds_pb2.EVERY_SLICE
                ),
                outcome=verdict_pb2.CANNOT_TELL,
            ),
            _finding(EPSILON, 0.25, 0.25, math.inf, verdict_pb2.CANNOT_TELL, upper_limit=12),
        ],
        controls=[
            verdict_pb2.ControlFinding(
                control=config_pb2.BLIND_BASELINE, outcome=verdict_pb2.CONTROL_FAILED
            )
        ],
    )
    scalars = verdict_scalars(verdict)
    assert scalars == {
        "outcome": "BLOCK",
        "blessed": "no",
        "reason": "AUC is 0.6.",
        "quality_blessed": "yes",
        "blind_baseline": "failed",
        "auc_finding": "BLOCK",
        "auc_limit": 0.55,
        "auc": 0.6,
        "auc_lower": 0.58,
        "auc_upper": 0.62,
        "auc_attack": "loss",
        "tpr_at_fpr_0.01_rise_finding": "CANNOT TELL",
        "tpr_at_fpr_0.01_rise_limit": 0.01,
        "tpr_at_fpr_0.01_rise": 0.02,
        "tpr_at_fpr_0.01_rise_lower": 0.01,
        "tpr_at_fpr_0.01_rise_upper": 0.03,
        "tpr_at_fpr_0.01_rise_attack": "loss",
        "auc_on_slices_finding": "CANNOT TELL",
        "auc_on_slices_limit": 0.7,
        "epsilon_0_finding": "CANNOT TELL",
        "epsilon_0_limit": 12.0,
        "epsilon_0": 0.25,
        "epsilon_0_lower": 0.25,
        "epsilon_0_attack": "loss",
        "model_uri": "/model/6",
    }
    assert _shown_by_kubeflow(scalars)


def test_thresholds_on_one_metric_do_not_share_their_scalars():
    findings = [
        _finding(AUC, 0.6, 0.58, 0.62, verdict_pb2.PASS, upper_limit=limit)
        for limit in (0.7, 0.8, 0.9)
    ]
    scalars = verdict_scalars(verdict_pb2.PrivacyVerdict(findings=findings))
    assert [scalars[f"{key}_limit"] for key in ("auc", "auc_2", "auc_3")] == [0.7, 0.8, 0.9]


@pytest.mark.parametrize(("warned", "said"), [(False, "yes"), (True, "yes, with a warning")])
def test_a_blessing_is_a_word(warned, said):
    verdict = verdict_pb2.PrivacyVerdict(blessed=True, blessed_with_warning=warned)
    assert verdict_scalars(verdict)["blessed"] == said


def test_hostile_texts_are_one_short_line():
    verdict = verdict_pb2.PrivacyVerdict(
        reasons=["a\nb\x1b\u202ec" + "x" * 10_000], model_uri="\x00" * 5_000
    )
    scalars = verdict_scalars(verdict)
    assert scalars["reason"] == r"a\nb\x1b\u202ec" + "x" * 184 + "…"
    assert _shown_by_kubeflow(scalars)


def test_a_verdict_of_nothing_has_scalars():
    scalars = verdict_scalars(verdict_pb2.PrivacyVerdict())
    assert scalars == {"outcome": "NO VERDICT", "blessed": "no"}
