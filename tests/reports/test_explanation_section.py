"""What the page's section prints, and that it obeys nothing that came from data."""

from __future__ import annotations

import re

import pytest

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.explanation_section import explanation_section
from tfx_privacy.reports.page import metrics_page


def _value(estimate, half=0.05, n=100):
    return results_pb2.MeasuredValue(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        confidence=0.95,
        members=n,
        nonmembers=n,
    )


def _group(name, train, test, auc):
    group = results_pb2.GroupStatistics(
        class_name=name, gap=_value(train - test), auc=_value(auc), spread=0.5
    )
    for side, accuracy in ((group.members, train), (group.nonmembers, test)):
        right = round(100 * accuracy)
        side.rows = 100
        side.accuracy.CopyFrom(_value(accuracy, 0.02))
        side.mean_uncertainty = 1 - accuracy
        side.right.extend([right, 0])
        side.wrong.extend([0, 100 - right])
    return group


@pytest.fixture
def results(tame):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(tame.results)
    explanation = results.explanation
    explanation.whole.CopyFrom(_group("", 0.9, 0.6, 0.7))
    explanation.uncertainty_edges.extend([0, 0.5, 1])
    for name, test, auc in (("cat", 0.7, 0.6), ("dog", 0.5, 0.8), ("owl", 0.6, 0.7)):
        explanation.classes.append(_group(name, 0.9, test, auc))
    explanation.associations.add(property="spread", correlation=_value(0.3, n=30))
    return results


def test_classes_come_by_risk_and_one_without_an_auc_last(results):
    results.explanation.classes[0].ClearField("auc")
    section = explanation_section(results)
    assert [row.name.short for row in section.rows] == ["dog", "owl", "cat"]
    dog = section.rows[0]
    assert (dog.auc.estimate, dog.gap.estimate) == ("0.800", "+40.0 points")
    assert dog.cells == ["90.0% / 50.0%", "0.10 / 0.50", "0.50"]
    assert section.rows[2].auc is None


def test_facts_and_associations(results):
    section = explanation_section(results)
    assert [(fact.title, fact.text.estimate) for fact in section.facts] == [
        ("Train accuracy", "90.0%"), ("Test accuracy", "60.0%"), ("Gap", "+30.0 points"),
    ]  # fmt: skip
    assert [(row.title, row.correlation.estimate) for row in section.associations] == [
        ("Spread", "0.30")
    ]
    assert section.class_sentences == []


def test_the_plots_have_their_data_as_tables(results):
    section = explanation_section(results)
    assert [(row.uncertainty, row.counts) for row in section.uncertainty_rows] == [
        ("0 to 0.5", ["90", "60", "0", "0"]),
        ("0.5 to 1", ["0", "0", "10", "40"]),
    ]
    labels = [re.search('aria-label="([^"]*)"', plot)[1] for plot in section.uncertainty_plots]
    assert labels == [
        "Histogram of the uncertainty of right answers: 90.0% of members and 60.0% of non-members. "
        "The data is in the table below.",
        "Histogram of the uncertainty of wrong answers: 10.0% of members and 40.0% of non-members. "
        "The data is in the table below.",
    ]
    assert "a dot for each of 3 classes" in section.class_plot


def test_one_class_has_no_plot(results):
    del results.explanation.classes[1:]
    assert explanation_section(results).class_plot is None


def test_more_classes_than_are_shown_are_counted(results):
    results.explanation.classes.extend(_group(str(i), 0.9, 0.8, 0.51) for i in range(60))
    section = explanation_section(results)
    assert (len(section.rows), section.not_shown) == (30, 33)


def test_the_loss_alone_is_told_as_a_loss(results):
    for group in (results.explanation.whole, *results.explanation.classes):
        for side in (group.members, group.nonmembers):
            for field in ("accuracy", "right", "wrong", "mean_uncertainty"):
                side.ClearField(field)
        group.members.mean_loss, group.nonmembers.mean_loss = 0.25, 1.5
    section = explanation_section(results)
    assert section.is_about_loss
    assert [fact.title for fact in section.facts] == ["Rise of the loss"]
    assert section.uncertainty_plots == []
    assert section.class_plot is None
    assert section.rows[0].cells == ["0.250 / 1.500", "0.50"]


def test_nothing_that_stands_out_is_said_so(results):
    del results.explanation.associations[:]
    results.explanation.whole.CopyFrom(_group("", 0.6, 0.6, 0.5))
    section = explanation_section(results)
    assert section.sentences[-1] == "Nothing stands out that would go with a risk."


def test_without_an_explanation_there_is_no_section(tame):
    assert explanation_section(tame.results) is None


def test_a_reason_stands_in_its_place(results, tame):
    results.explanation.Clear()
    results.explanation.not_computed = "needs logits or loss, which the signals do not have"
    page = metrics_page(results, tame.evidence)
    assert "Not computed: <bdi>needs logits or loss, which the signals do not have</bdi>." in page


def test_the_page_has_the_section_and_names_are_text(results, tame):
    hostile = ["<script>alert(1)</script>", "\u202eoverridden", "x" * 10_000]
    for group, name in zip(results.explanation.classes, hostile, strict=True):
        group.class_name = name
    page = metrics_page(results, tame.evidence)
    assert "Why: what goes with the risk" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\u202e" not in page
    assert "x" * 1_000 not in page
    # Every figure of the section is described, and every id stands once.
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert len(page.encode()) < 300_000
