"""Advice goes with what is seen beside the leak."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.mitigations import mitigations

AUC = config_pb2.MetricSpec(name="auc")


def _results(best_of, *, gap=None, surer=False, size=None, lower=0.55):
    results = best_of((AUC, 0.75, lower, 0.8))
    whole = results.explanation.whole
    for side in (whole.members, whole.nonmembers):
        side.rows = 200
        side.accuracy.CopyFrom(results_pb2.MeasuredValue(estimate=0.9, confidence=0.95))
        side.right.extend([100, 100])
        side.wrong.extend([0, 0])
    if surer:
        whole.members.right[:] = [200, 0]
    if gap is not None:
        bounds = dict(zip(("estimate", "lower", "upper"), gap, strict=True))
        whole.gap.CopyFrom(results_pb2.MeasuredValue(confidence=0.95, **bounds))
    if size is not None:
        correlation = results_pb2.MeasuredValue(estimate=size, confidence=0.95, members=40)
        results.explanation.associations.add(property="class size", correlation=correlation)
    return results


def _by_title(results):
    return {step.title: step.text for step in mitigations(results)}


def test_a_gap_is_named_where_training_is_to_stop_earlier(best_of):
    text = _by_title(_results(best_of, gap=(0.2, 0.15, 0.25)))["Stop training earlier"]
    assert text.startswith(
        "The gap between train and test accuracy is +20.0 points (+15.0 to +25.0). Most leaks"
    )


@pytest.mark.parametrize("gap", [(0.01, 0.005, 0.015), None])
def test_surer_members_without_a_gap_ask_for_the_held_out_loss(best_of, gap):
    steps = _by_title(_results(best_of, gap=gap, surer=True))
    assert "accuracy does not show when to stop" in steps["Stop training earlier"]
    assert "Label smoothing is no remedy" in steps["Regularise"]


def test_a_gap_says_nothing_of_label_smoothing(best_of):
    steps = _by_title(_results(best_of, gap=(0.2, 0.15, 0.25), surer=True))
    assert "Label smoothing" not in steps["Regularise"]


@pytest.mark.parametrize(("size", "is_advised"), [(-0.8, True), (0.8, False), (-0.2, False)])
def test_small_classes_that_leak_more_are_to_be_given_more(best_of, size, is_advised):
    steps = _by_title(_results(best_of, size=size))
    assert ("Give small classes more records, or merge them" in steps) == is_advised


@pytest.mark.parametrize(("lower", "is_strong"), [(0.72, True), (0.68, False)])
def test_a_strong_leak_is_not_expected_to_end_without_a_guarantee(best_of, lower, is_strong):
    text = _by_title(_results(best_of, lower=lower))["Train with differential privacy (DP-SGD)"]
    assert ("as strong as this one" in text) == is_strong
    assert "guarantee" in text


@pytest.mark.parametrize(("lower", "is_advised"), [(0.01, True), (-0.01, False)])
def test_where_parameters_add_to_the_risk_they_are_not_to_be_handed_out(best_of, lower, is_advised):
    results = _results(best_of)
    assert "hold the parameters" not in _by_title(results)["Give away less of the output"]
    results.white_box.best_white_box = "gradient_norm"
    added = results.white_box.differences.add(metric=AUC).difference
    added.estimate, added.lower, added.upper = 0.03, lower, 0.05
    steps = _by_title(results)
    assert ("Hand out answers, not the model" in steps) == is_advised
    assert "Against those who hold the parameters it does" in steps["Give away less of the output"]
    assert list(steps)[-1] == "Train with differential privacy (DP-SGD)"
