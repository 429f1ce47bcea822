"""What more reference models would buy, from curves made by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.reference_growth import (
    Growth,
    advise_more,
    growth_sentences,
    last_steps,
    one_change,
    told_curve,
)


@pytest.fixture
def with_curves(maker):
    """Results with these curves alone."""

    def make(*curves):
        found = maker.references()
        del found.curves[:]
        found.curves.extend(curves)
        return maker.results(found=found)

    return make


def _said(results):
    return " ".join(growth_sentences(results))


def test_the_interval_of_a_change(maker):
    """Half-widths of .03 and .04 give one of .05, by the theorem of Pythagoras."""
    curve = maker.curve("rmia_online", [0.7, 0.8], [0.1, 0.2])
    for point, half in zip(curve.points, (0.03, 0.04), strict=True):
        value = point.metrics[0].value
        value.lower, value.upper = value.estimate - half, value.estimate + half
    change = last_steps(curve)[0].change
    assert (change.estimate, change.lower, change.upper) == pytest.approx((0.1, 0.05, 0.15))
    assert change.confidence == 0.95


@pytest.mark.parametrize(
    ("rise", "half", "growth"),
    [
        (0.05, 0.008, Growth.ROSE),
        (0.005, 0.02, Growth.NOT_KNOWN),
        (0.002, 0.004, Growth.LITTLE),
        (0.004, 0.002, Growth.LITTLE),
        (-0.05, 0.008, Growth.FELL),
    ],
)
def test_what_a_change_shows(rise, half, growth, maker):
    curve = maker.curve("rmia_online", [0.7, 0.7 + rise], [0.2, 0.2], half=half)
    step = last_steps(curve)[0]
    assert step.growth is growth
    assert (step.change.lower > 0) or growth is not Growth.ROSE


def test_a_curve_that_rises(with_curves, maker):
    results = with_curves(maker.curve("rmia_online", [0.7, 0.75, 0.8], [0.1, 0.1, 0.1]))
    assert growth_sentences(results) == [
        "More reference models may well find more. From 4 to 8 reference models the AUC of "
        "rmia_online changed by +0.050 (+0.039 to +0.061), from 0.750 to 0.800: it was still "
        "rising, and an attacker who trains more than 8 may do better than this report says. How "
        "much better was not measured.",
        "The TPR at 1% FPR changed by 0.0 points (-1.1 to +1.1), from 10.0% to 10.0%: the interval "
        "contains 0. The 95% intervals of changes are over records. They are wider than need be, "
        "since both values are of the same ones; that other models would have given other values "
        "is not in them.",
    ]
    assert advise_more(results).title == "Train more reference models"
    assert one_change(results) == (
        "From 4 to 8 of them the AUC of rmia_online changed by +0.050 (+0.039 to +0.061)"
    )


def test_a_curve_that_is_level(with_curves, maker):
    results = with_curves(
        maker.curve("rmia_online", [0.7, 0.8, 0.801], [0.1, 0.2, 0.201], half=0.004)
    )
    said = _said(results)
    assert said.startswith("By AUC more reference models may find little more. From 4 to 8")
    assert "a rise of less than 0.01, if any. Beyond 8 models nothing was measured." in said
    assert "a rise of less than 1 point, if any" in said
    assert advise_more(results) is None


def test_what_is_not_known_is_said_so(with_curves, maker):
    results = with_curves(maker.curve("rmia_online", [0.7, 0.71], [0.1, 0.11], half=0.03))
    assert _said(results).startswith(
        "By AUC it is not known whether more reference models would find more. From 2 to 4 "
        "reference models the AUC of rmia_online changed by +0.010 (-0.032 to +0.052), from 0.700 "
        "to 0.710: the interval contains 0, and a rise of 0.052 as well."
    )
    assert advise_more(results).title == "See whether more reference models find more"


def test_what_rose_comes_first(with_curves, maker):
    """So that no sentence takes back the one before it."""
    results = with_curves(maker.curve("rmia_online", [0.8, 0.8], [0.1, 0.2]))
    said = growth_sentences(results)
    assert said[0].startswith("More reference models may well find more. From 2 to 4")
    assert "TPR at 1% FPR of rmia_online" in said[0]
    assert said[1].startswith("The AUC changed by")


def test_a_fall(with_curves, maker):
    results = with_curves(maker.curve("rmia_online", [0.8, 0.7], [0.2, 0.1]))
    assert _said(results).startswith("By AUC more reference models helped no further.")
    assert advise_more(results) is None


def test_one_point_and_no_curve(with_curves, maker):
    results = with_curves(maker.curve("rmia_online", [0.8], [0.2]))
    assert _said(results) == (
        "With 2 reference models alone there is nothing to compare with, so nothing here says what "
        "more of them would buy. Twice as many would show it."
    )
    assert one_change(results) == ""
    assert advise_more(results).title == "Train more reference models"
    results = with_curves(results_pb2.ReferenceCurve(attack="rmia_online"))
    assert _said(results).startswith("No curve was measured")
    assert advise_more(results) is None
    assert advise_more(results_pb2.PrivacyResults()) is None


def test_a_number_of_models_between_doublings_is_named_as_it_is(with_curves, maker):
    curve = maker.curve("rmia_online", [0.7, 0.75, 0.8], [0.1, 0.1, 0.1], numbers=(4, 8, 12))
    assert "From 8 to 12 reference models" in _said(with_curves(curve))


def test_the_curve_of_the_best_attack_is_told_or_the_highest(maker):
    assert told_curve(maker.results(best="lira_offline_fixed_variance")).attack == (
        "lira_offline_fixed_variance"
    )
    assert told_curve(maker.results(best="loss_threshold")).attack == "rmia_online"


def test_numbers_that_are_none_are_left_out(with_curves, maker):
    curve = maker.curve("rmia_online", [0.7, 0.8], [0.1, 0.2])
    curve.points[0].metrics[0].value.estimate = float("nan")
    assert [step.metric.name for step in last_steps(curve)] == ["tpr_at_fpr"]
