"""Which findings are named, in which words; expected texts are written by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.explanation_findings import explanation_findings
from tfx_privacy.reports.explanation_words import (
    class_sentences,
    nothing_stands_out,
    one_line,
    sentences,
)


def _value(estimate, lower, upper, members=1_000, nonmembers=500):
    return results_pb2.MeasuredValue(
        estimate=estimate,
        lower=lower,
        upper=upper,
        confidence=0.95,
        members=members,
        nonmembers=nonmembers,
    )


def _side(accuracy, right, wrong):
    return results_pb2.SideStatistics(
        rows=sum(right) + sum(wrong),
        accuracy=_value(*accuracy),
        mean_uncertainty=0.25,
        right=right,
        wrong=wrong,
    )


def _explanation(gap, *associations, surer=False):
    """Four bins of uncertainty; the members' answers are in the first where they are surer."""
    members = [900, 0, 0, 0] if surer else [450, 0, 0, 450]
    return results_pb2.Explanation(
        whole=results_pb2.GroupStatistics(
            members=_side((0.9, 0.88, 0.92), members, [100, 0, 0, 0]),
            nonmembers=_side((0.75, 0.71, 0.79), [225, 0, 0, 225], [25, 0, 0, 25]),
            gap=_value(*gap),
        ),
        uncertainty_edges=[0, 0.25, 0.5, 0.75, 1],
        associations=[
            results_pb2.Association(
                property=name, correlation=_value(estimate, -1, 1, classes, classes)
            )
            for name, estimate, classes in associations
        ],
    )


def test_accuracies_and_their_gap_with_intervals():
    assert sentences(_explanation((0.15, 0.104, 0.196)))[0] == (
        "The model answers 90.0% (88.0% to 92.0%) of training records right (train accuracy) and "
        "75.0% (71.0% to 79.0%) of other records (test accuracy): a gap of +15.0 points (+10.4 to "
        "+19.6)."
    )


def test_a_gap_that_may_be_none_is_laid_to_luck():
    explanation = _explanation((0.01, -0.02, 0.04))
    assert sentences(explanation)[0].endswith(
        "a gap of +1.0 points (-2.0 to +4.0), which luck explains."
    )
    assert nothing_stands_out(explanation)


def test_small_classes_that_leak_more_are_named():
    explanation = _explanation((0.15, 0.1, 0.2), ("class size", -0.61, 30))
    explanation.associations[0].correlation.lower = -0.8
    explanation.associations[0].correlation.upper = -0.3
    assert class_sentences(explanation) == [
        "Classes with fewer training records leak more: rank correlation -0.61 (-0.80 to -0.30) "
        "over 30 classes."
    ]
    assert explanation_findings(explanation).small_classes_leak_more


@pytest.mark.parametrize(
    ("correlation", "classes", "is_named"),
    # By itself 0.4 over 30 classes is above 0 (p = 0.03); not when six are looked at.
    [(0.4, 30, False), (0.55, 30, True), (0.4, 100, True), (1.0, 5, False), (0.9, 4, False)],
)
def test_only_what_stays_after_correction_for_six_properties_is_named(
    correlation, classes, is_named
):
    explanation = _explanation((0.1, 0.05, 0.15), ("spread", correlation, classes))
    assert bool(class_sentences(explanation)) == is_named


def test_the_strongest_comes_first():
    explanation = _explanation(
        (0.1, 0.05, 0.15), ("spread", 0.6, 40), ("test accuracy", -0.8, 40), ("class size", 0.7, 40)
    )
    assert [text.split(" leak")[0] for text in class_sentences(explanation)] == [
        "Classes whose other records are answered worse",
        "Classes with more training records",
        "Classes whose records lie further apart",
    ]


def test_surer_members_are_told_by_the_histograms():
    assert len(sentences(_explanation((0.1, 0.05, 0.15)))) == 1
    said = sentences(_explanation((0.1, 0.05, 0.15), surer=True))
    assert said[1].startswith("It is surer of its answers on training records")


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        ((0.8, 0.5, 1.1), "The mean loss is larger on other records than on training records: "
         "+0.80 (+0.50 to +1.10)."),
        ((0.1, -0.5, 0.7), "The mean loss on training records and on other records does not differ "
         "by more than luck explains: +0.10 (-0.50 to +0.70)."),
    ],
)  # fmt: skip
def test_without_accuracies_it_is_about_the_loss(gap, text):
    explanation = results_pb2.Explanation(whole=results_pb2.GroupStatistics(gap=_value(*gap)))
    assert sentences(explanation) == [text]


def test_one_line_is_the_gap_and_the_strongest_association():
    explanation = _explanation((0.15, 0.1, 0.2), ("spread", 0.6, 40), ("class size", -0.7, 40))
    line = one_line(results_pb2.PrivacyResults(explanation=explanation))
    assert "a gap of +15.0 points" in line
    assert line.endswith("over 40 classes.")
    assert "fewer training records" in line
    assert "further apart" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "results",
    [
        results_pb2.PrivacyResults(),
        results_pb2.PrivacyResults(explanation=results_pb2.Explanation(not_computed="no row")),
    ],
)
def test_one_line_of_nothing_is_empty(results):
    assert one_line(results) == ""
