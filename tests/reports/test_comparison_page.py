"""The page of a comparison: whole, self-contained, and safe whatever names hold."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.comparison import Change, Compared, Comparison, Places
from tfx_privacy.reports.comparison_page import comparison_page

AUC = config_pb2.MetricSpec(name="auc")
ADVANTAGE = config_pb2.MetricSpec(name="advantage")


def _accuracy(share):
    return results_pb2.MeasuredValue(
        estimate=share, lower=share - 0.01, upper=share + 0.01, confidence=0.95
    )


@pytest.fixture(scope="module")
def comparison(make):
    compared = []
    for epoch, leak, train, test in ((1, 0.0, 0.7, 0.69), (5, 0.4, 0.8, 0.7), (60, 1.0, 1, 0.66)):
        run = make(leak=leak, members=3_000, nonmembers=2_000, seed=epoch)
        run.results.explanation.whole.members.accuracy.CopyFrom(_accuracy(train))
        run.results.explanation.whole.nonmembers.accuracy.CopyFrom(_accuracy(test))
        compared.append(Compared(f"epoch_{epoch}", epoch, run.results, run.evidence))
    return Comparison(
        compared=compared,
        places=Places.EPOCHS_OF_NAMES,
        metrics=[AUC, ADVANTAGE],
        change=Change(AUC, Interval(0.26, 0.25, 0.27), 0.95),
        warnings=["The seeds differ: 1 in epoch_1; 2 in epoch_5."],
    )


def test_it_has_finding_plots_numbers_and_differences(comparison):
    page = comparison_page(comparison)
    assert page.count('<svg class="plot"') == 4
    for words in (
        "the model gives away more than it did",
        "From epoch 5 on the interval of the AUC lies above chance.",
        "AUC over Epoch.",
        "Advantage over Epoch.",
        "AUC against test accuracy.",
        "Train and test accuracy over Epoch.",
        "The seeds differ: 1 in epoch_1; 2 in epoch_5.",
        "69.0%",
    ):
        assert words in page
    auc = comparison.compared[2].results.best_of_attacks[0].value.estimate
    assert f">{auc:.3f}</span>" in page


def test_it_loads_nothing_and_runs_nothing(comparison):
    page = comparison_page(comparison)
    assert re.search(r"<script|<link|<a\b|<img|@import|url\((?!#)", page) is None
    assert re.search(r"(?:src|href)=\"(?!#)", page) is None
    addresses = set(re.findall(r"https?://[^\s\"<]+", page))
    assert {address for address in addresses if not address.startswith("http://www.w3.org/")} == (
        set()
    )


def test_equal_comparisons_have_equal_pages(comparison):
    assert comparison_page(comparison) == comparison_page(comparison)


def test_ids_are_used_once(comparison):
    ids = re.findall(r'\bid="([^"]+)"', comparison_page(comparison))
    assert len(ids) == len(set(ids))


def test_without_accuracy_the_plot_is_left_out_and_the_reason_given(comparison):
    last = comparison.compared[-1]
    results = results_pb2.PrivacyResults()
    results.CopyFrom(last.results)
    results.ClearField("explanation")
    without = dataclasses.replace(
        comparison, compared=[*comparison.compared[:-1], dataclasses.replace(last, results=results)]
    )
    page = comparison_page(without)
    assert page.count('<svg class="plot"') == 2
    assert "1 of 3 measurements have no accuracy" in page
    assert "Test accuracy" not in page


def test_hostile_names_are_text(comparison):
    name = "<script>alert(1)</script>\u202e\x00" + "n" * 200
    hostile = dataclasses.replace(comparison.compared[0], name=name)
    page = comparison_page(
        dataclasses.replace(
            comparison,
            compared=[hostile, *comparison.compared[1:]],
            places=Places.ORDER,
            warnings=[f"{name} differs."],
        )
    )
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\x00" not in page
