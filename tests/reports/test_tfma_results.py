"""Results and verdicts as TFMA reads and shows them; importing TFMA takes seconds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.view import util as view_util

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.tfma_files import (
    ATTACKS_FOLDER,
    write_tfma_results,
    write_tfma_validation,
)
from tfx_privacy.reports.tfma_results import (
    best_plots,
    confusion_matrices,
    slice_key_message,
)
from tfx_privacy.reports.tfma_validation import VERDICT, validation_result

AUC = config_pb2.MetricSpec(name="auc")
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)
HOSTILE = "<script>alert('1')</script>\u202e\""
SLICE = (("payment_type", HOSTILE),)
EMPTY_SLICE = (("payment_type", "Prcard"),)

# Above a threshold lie, of 4 members and 4 non-members: all; the three and two of the last
# bin; none. The middle bin is empty.
COUNTS = ScoreCounts(np.array([1, 0, 3]), np.array([2, 0, 2]))
SMALL = ScoreCounts(np.array([0, 0, 2]), np.array([1, 0, 0]))


def metric(
    spec: config_pb2.MetricSpec, estimate: float, lower: float, upper: float
) -> results_pb2.MetricValue:
    value = results_pb2.MeasuredValue(
        estimate=estimate, lower=lower, upper=upper, confidence=0.95, members=4, nonmembers=4
    )
    return results_pb2.MetricValue(metric=spec, value=value)


def attack(name: str, auc: float) -> results_pb2.AttackResult:
    return results_pb2.AttackResult(name=name, metrics=[metric(AUC, auc, auc - 0.25, auc + 0.25)])


def key_of(pairs: tuple[tuple[str, str], ...]) -> list[results_pb2.SliceKey]:
    return [results_pb2.SliceKey(feature=feature, value=value) for feature, value in pairs]


@pytest.fixture
def results() -> results_pb2.PrivacyResults:
    return results_pb2.PrivacyResults(
        model=results_pb2.TargetModel(uri="/models/6", signature_name="serving_default"),
        config=config_pb2.PrivacyConfig(
            slicing_specs=[config_pb2.SlicingSpec(feature_keys=["payment_type"])]
        ),
        records=results_pb2.Records(judge=results_pb2.SideCounts(members=4, nonmembers=4)),
        attacks=[attack("entropy", 0.5), attack("loss_threshold", 0.625)],
        best_attack="loss_threshold",
        best_of_attacks=[metric(AUC, 0.625, 0.375, 0.9375), metric(EPSILON, 0.5, 0.5, math.inf)],
        slices=[
            results_pb2.SliceResult(
                key=key_of(SLICE),
                judge=results_pb2.SideCounts(members=2, nonmembers=1),
                attacks=[attack("entropy", 0.375), attack("loss_threshold", 0.75)],
                best_of_attacks=[metric(AUC, 0.75, 0.25, 1.0)],
            ),
            results_pb2.SliceResult(
                key=key_of(EMPTY_SLICE), judge=results_pb2.SideCounts(members=3)
            ),
        ],
    )


@pytest.fixture
def evidence() -> Evidence:
    edges = ScoreEdges(np.array([-2.0, math.inf]), Thresholds.all_at(1))
    return Evidence(
        edges={"entropy": edges, "loss_threshold": edges},
        counts={
            ("entropy", WHOLE): COUNTS,
            ("loss_threshold", WHOLE): COUNTS,
            ("entropy", SLICE): SMALL,
            ("loss_threshold", SLICE): SMALL,
            ("loss_threshold", EMPTY_SLICE): ScoreCounts(np.array([3, 0, 0]), np.zeros(3, int)),
        },
    )


def bounded(estimate: float, lower: float, upper: float) -> dict[str, dict[str, float]]:
    return {"boundedValue": {"value": estimate, "lowerBound": lower, "upperBound": upper}}


def count(records: float) -> dict[str, float]:
    return {"doubleValue": records}


def test_best_of_attacks_is_what_tfma_loads(
    results: results_pb2.PrivacyResults, evidence: Evidence, tmp_path: Path
) -> None:
    write_tfma_results(results, evidence, str(tmp_path))
    loaded = tfma.load_eval_result(str(tmp_path))
    # One record a slice, under one output without a name: the view shows it at once.
    assert loaded.slicing_metrics == [
        (
            (),
            {
                "": {
                    "": {
                        "example_count": count(8),
                        "auc": bounded(0.625, 0.375, 0.9375),
                        # A bound from below alone: JSON has no infinite upper bound.
                        "epsilon_0": count(0.5),
                    }
                }
            },
        ),
        (SLICE, {"": {"": {"example_count": count(3), "auc": bounded(0.75, 0.25, 1.0)}}}),
        (EMPTY_SLICE, {"": {"": {"example_count": count(3)}}}),
    ]
    assert loaded.model_location == "/models/6"
    assert [list(spec.feature_keys) for spec in loaded.config.slicing_specs] == [
        [],
        ["payment_type"],
    ]
    # The column that the table of slices sorts by.
    assert view_util.get_slicing_config(loaded.config) == {
        "weightedExamplesColumn": "example_count"
    }


def test_an_attack_is_a_result_of_its_own(
    results: results_pb2.PrivacyResults, evidence: Evidence, tmp_path: Path
) -> None:
    write_tfma_results(results, evidence, str(tmp_path))
    loaded = tfma.load_eval_result(str(tmp_path / ATTACKS_FOLDER / "entropy"))
    assert dict(loaded.slicing_metrics) == {
        (): {"": {"": {"example_count": count(8), "auc": bounded(0.5, 0.25, 0.75)}}},
        SLICE: {"": {"": {"example_count": count(3), "auc": bounded(0.375, 0.125, 0.625)}}},
        EMPTY_SLICE: {"": {"": {"example_count": count(3)}}},
    }
    assert [key for key, _ in loaded.plots] == [()]


def test_plot_is_that_of_the_best_attack_or_of_a_named_one(
    results: results_pb2.PrivacyResults, evidence: Evidence, tmp_path: Path
) -> None:
    write_tfma_results(results, evidence, str(tmp_path))
    loaded = tfma.load_eval_result(str(tmp_path))
    for output in (None, "entropy", "loss_threshold"):
        data, config = view_util.get_plot_data_and_config(
            loaded.plots, tfma.slicer.SingleSliceSpec(), output_name=output
        )
        assert config["sliceName"] == "Overall"
        matrices = data["confusionMatrixAtThresholds"]["matrices"]
        rates = [(m.get("falsePositiveRate", 0), m.get("recall", 0)) for m in matrices]
        assert rates == [(1, 1), (0.5, 0.75), (0, 0)]
    of_slice = tfma.slicer.SingleSliceSpec(features=SLICE)
    data, config = view_util.get_plot_data_and_config(loaded.plots, of_slice)
    # JSON's numbers leave out those that are 0.
    assert [
        (m.get("falsePositives", 0), m.get("truePositives", 0))
        for m in data["confusionMatrixAtThresholds"]["matrices"]
    ] == [(1, 2), (0, 2), (0, 0)]
    assert config["sliceName"] == f"payment_type:{HOSTILE}"


def test_a_slice_with_one_side_has_no_plot(
    results: results_pb2.PrivacyResults, evidence: Evidence
) -> None:
    keys = [plots.slice_key for plots in best_plots(results, evidence)]
    assert keys == [slice_key_message(WHOLE), slice_key_message(SLICE)]


def test_results_without_counts_are_loaded_without_plots(
    results: results_pb2.PrivacyResults, tmp_path: Path
) -> None:
    write_tfma_results(results, Evidence({}, {}), str(tmp_path))
    # Where a file is missing TFMA reads others whose names begin alike.
    for name in ("metrics.json", "plots.json"):
        (tmp_path / name).write_text("{}")
    loaded = tfma.load_eval_result(str(tmp_path))
    assert len(loaded.slicing_metrics) == 3
    assert loaded.plots == []


def test_confusion_matrices_by_hand() -> None:
    every, middle, none = confusion_matrices(COUNTS).matrices
    # Of three bins: below the first, below the second, above the last.
    assert [m.threshold for m in (every, middle, none)] == pytest.approx([0, 1 / 3, 1])
    assert (middle.true_positives, middle.false_positives) == (3, 2)
    assert (middle.false_negatives, middle.true_negatives) == (1, 2)
    assert middle.precision == pytest.approx(3 / 5)
    assert middle.recall == pytest.approx(3 / 4)
    assert middle.false_positive_rate == pytest.approx(2 / 4)
    assert middle.accuracy == pytest.approx(5 / 8)
    # 2 precision recall / (precision + recall) = .9 / 1.35.
    assert middle.f1 == pytest.approx(2 / 3)
    assert middle.false_omission_rate == pytest.approx(1 / 3)
    assert math.isnan(none.precision)
    assert (none.true_positives, none.false_positives, none.f1) == (0, 0, 0)
    assert math.isnan(every.false_omission_rate)
    assert (every.true_negatives, every.false_negatives) == (0, 0)


def test_few_of_many_thresholds_keep_both_ends() -> None:
    counts = ScoreCounts(np.ones(1000, int), np.ones(1000, int))
    assert len(confusion_matrices(counts).matrices) == 1001
    thinned = confusion_matrices(counts, most=5).matrices
    assert [m.threshold for m in thinned] == [0, 0.25, 0.5, 0.75, 1]
    assert [m.recall for m in thinned] == [1, 0.75, 0.5, 0.25, 0]


def test_half_a_character_in_a_slice_is_replaced() -> None:
    (only,) = slice_key_message((("a", "x\ud800"),)).single_slice_keys
    assert only.bytes_value == b"x?"


def limit(
    role: thresholds_pb2.Role.ValueType = thresholds_pb2.MUST_PASS,
    scope: thresholds_pb2.Scope.ValueType = thresholds_pb2.WHOLE,
) -> thresholds_pb2.PrivacyThreshold:
    return thresholds_pb2.PrivacyThreshold(metric=AUC, upper_limit=0.55, role=role, scope=scope)


def finding(
    threshold: thresholds_pb2.PrivacyThreshold, outcome: verdict_pb2.Outcome.ValueType, **more: bool
) -> verdict_pb2.Finding:
    return verdict_pb2.Finding(
        threshold=threshold,
        outcome=outcome,
        attack="loss_threshold",
        value=metric(AUC, 0.625, 0.5625, 0.75).value,
        reason="It is too large.",
        **more,
    )


def test_a_pass_is_valid_and_has_no_failures() -> None:
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.PASS,
        blessed=True,
        findings=[
            finding(limit(), verdict_pb2.PASS),
            # Neither of these decides anything.
            finding(limit(thresholds_pb2.BLOCK_ONLY), verdict_pb2.CANNOT_TELL),
            finding(limit(), verdict_pb2.CANNOT_TELL, skipped=True),
        ],
        slice_findings=[
            finding(
                limit(scope=thresholds_pb2.EVERY_SLICE), verdict_pb2.CANNOT_TELL, too_small=True
            )
        ],
    )
    result = validation_result(verdict)
    assert result.validation_ok
    assert not result.metric_validations_per_slice
    assert [d.num_matching_slices for d in result.validation_details.slicing_details] == [1]


def test_a_block_says_what_failed_and_where(tmp_path: Path) -> None:
    every_slice = limit(thresholds_pb2.BLOCK_ONLY, thresholds_pb2.EVERY_SLICE)
    of_slice = finding(every_slice, verdict_pb2.BLOCK)
    of_slice.slice.extend(key_of(SLICE))
    change = thresholds_pb2.PrivacyThreshold(
        metric=AUC, change_limit=0.0625, role=thresholds_pb2.MUST_PASS
    )
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.BLOCK,
        reasons=["One.", "Two."],
        # The last one stands for the slices, which are listed themselves.
        findings=[
            finding(limit(), verdict_pb2.BLOCK),
            finding(change, verdict_pb2.CANNOT_TELL),
            of_slice,
        ],
        slice_findings=[of_slice, finding(every_slice, verdict_pb2.PASS)],
    )
    write_tfma_validation(verdict, str(tmp_path))
    result = tfma.load_validation_result(str(tmp_path))
    assert not result.validation_ok
    whole, part = result.metric_validations_per_slice
    assert whole.slice_key == slice_key_message(WHOLE)
    assert part.slice_key == slice_key_message(SLICE)
    reasons, value, rise = whole.failures
    assert (reasons.metric_key.name, reasons.message) == (VERDICT, "One. Two.")
    assert (value.metric_key.name, value.metric_key.output_name) == ("auc", "loss_threshold")
    assert value.metric_threshold.value_threshold.upper_bound.value == 0.55
    assert value.metric_value.bounded_value.lower_bound.value == 0.5625
    assert value.message == "It is too large."
    assert rise.metric_threshold.change_threshold.absolute.value == 0.0625
    assert rise.metric_threshold.change_threshold.direction == tfma.MetricDirection.LOWER_IS_BETTER
    assert len(part.failures) == 1


@pytest.mark.parametrize(
    ("blessed", "reasons", "message"),
    [(True, ["A control failed."], "A control failed."), (False, [], "CANNOT_TELL")],
)
def test_cannot_tell_is_not_valid_even_with_a_blessing(
    blessed: bool, reasons: list[str], message: str
) -> None:
    verdict = verdict_pb2.PrivacyVerdict(
        outcome=verdict_pb2.CANNOT_TELL, blessed=blessed, reasons=reasons
    )
    result = validation_result(verdict)
    assert not result.validation_ok
    ((failure,),) = (part.failures for part in result.metric_validations_per_slice)
    assert failure.message == message
