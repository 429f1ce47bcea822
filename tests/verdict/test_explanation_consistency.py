"""Explanations that nothing can have are refused."""

from __future__ import annotations

import math

import pytest

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.explanation_consistency import check_explanation


def _value(estimate, lower, upper):
    return results_pb2.MeasuredValue(estimate=estimate, lower=lower, upper=upper, confidence=0.95)


@pytest.fixture
def results():
    def side(rows):
        # All are right; Clopper and Pearson's lower bound is then alpha^(1 / n).
        right = _value(1.0, 0.025 ** (1 / rows), 1.0)
        return results_pb2.SideStatistics(rows=rows, accuracy=right, right=[rows, 0], wrong=[0, 0])

    def group(rows):
        return results_pb2.GroupStatistics(
            members=side(rows), nonmembers=side(rows), gap=_value(0.0, -0.1, 0.1),
            auc=_value(0.6, 0.5, 0.7), spread=1.0,
        )  # fmt: skip

    return results_pb2.PrivacyResults(
        records=results_pb2.Records(judge=results_pb2.SideCounts(members=9, nonmembers=9)),
        explanation=results_pb2.Explanation(
            whole=group(9),
            classes=[group(4), group(5)],
            uncertainty_edges=[0, 0.5, 1],
            associations=[
                results_pb2.Association(property="spread", correlation=_value(0.3, -0.1, 0.6))
            ],
        ),
    )


def test_what_is_sound_is_let_through(results):
    check_explanation(results)


@pytest.mark.parametrize("field", ["explanation", None])
def test_no_explanation_is_let_through(results, field):
    results.ClearField("explanation")
    if field:
        results.explanation.not_computed = "no row was judged"
    check_explanation(results)


def test_a_loss_may_rise_by_more_than_one(results):
    whole = results.explanation.whole
    for side in (whole.members, whole.nonmembers):
        side.ClearField("accuracy")
    whole.gap.CopyFrom(_value(12.0, 3.0, 21.0))
    check_explanation(results)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda e: setattr(e.whole.gap, "upper", 1.5), "gap in the explanation of the whole"),
        (lambda e: setattr(e.whole.gap, "lower", 0.05), "outside its interval"),
        (lambda e: setattr(e.whole.auc, "estimate", math.nan), "AUC in the explanation"),
        (lambda e: setattr(e.classes[1], "spread", math.inf), "spread in the .* class 1"),
        (lambda e: setattr(e.classes[0], "spread", -1.0), "spread in the .* class 0"),
        (lambda e: setattr(e.whole.members, "mean_uncertainty", 1.1), "mean uncertainty"),
        (lambda e: setattr(e.whole.members, "mean_loss", math.nan), "mean loss of members"),
        (lambda e: setattr(e.whole.nonmembers, "rows", 8), "found 9 in 2 and 2 bins"),
        (lambda e: e.whole.members.wrong.append(0), "answers of members"),
        (lambda e: e.classes.append(e.classes[0]), "found 13 members in classes"),
        (lambda e: e.uncertainty_edges.append(1), "ascend from 0 to 1"),
        (lambda e: setattr(e.associations[0].correlation, "lower", -2.0), "correlation with"),
        (lambda e: e.ClearField("whole"), "without the whole"),
        (lambda e: setattr(e, "not_computed", "because"), "expected one of both"),
        (lambda e: setattr(e.whole.members.accuracy, "lower", 0.9), "lower of the accuracy of mem"),
        (lambda e: e.whole.members.accuracy.CopyFrom(_value(0.9, 0, 1)),
         "estimate of the accuracy of members in the explanation of the whole: found 0.9"),
        (lambda e: setattr(e.whole.members.accuracy, "confidence", 0.0), "the confidence 0.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(results, edit, message):
    edit(results.explanation)
    with pytest.raises(ValueError, match=message):
        check_explanation(results)


def test_other_rows_than_were_judged_are_refused(results):
    results.records.judge.members = 10
    with pytest.raises(ValueError, match="found 9 members, expected the 10 judged"):
        check_explanation(results)
