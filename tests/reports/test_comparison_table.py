"""A comparison as rows, as a table for programs, and as plain text."""

from __future__ import annotations

import csv
import io

import pytest

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.comparison import Change, Compared, Comparison, Places
from tfx_privacy.reports.comparison_table import comparison_csv, comparison_rows
from tfx_privacy.reports.comparison_text import comparison_text
from tfx_privacy.reports.comparison_words import (
    accuracy_sentence,
    change_sentence,
    onset_sentence,
    places_sentence,
)

AUC = config_pb2.MetricSpec(name="auc")
TPR = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)


def _value(estimate, lower, upper):
    return results_pb2.MeasuredValue(
        estimate=estimate, lower=lower, upper=upper, confidence=0.95, members=400, nonmembers=300
    )


def _compared(name, place, auc, accuracies=(0.9, 0.7)):
    results = results_pb2.PrivacyResults(
        model=results_pb2.TargetModel(uri=f"/models/{name}"),
        best_attack="loss_threshold",
        best_of_attacks=[
            results_pb2.MetricValue(metric=AUC, value=_value(auc, auc - 0.02, auc + 0.02)),
            results_pb2.MetricValue(metric=TPR, value=_value(0.015, 0.01, 0.02)),
        ],
    )
    if accuracies is not None:
        train, test = accuracies
        whole = results.explanation.whole
        whole.members.accuracy.CopyFrom(_value(train, train - 0.01, train + 0.01))
        whole.nonmembers.accuracy.CopyFrom(_value(test, test - 0.01, test + 0.01))
    return Compared(name, place, results, Evidence({}, {}))


def _comparison(*compared, change=(0.1, 0.05, 0.15), places=Places.EPOCHS_OF_NAMES, warnings=()):
    return Comparison(
        compared=compared,
        places=places,
        metrics=[AUC, TPR],
        change=Change(AUC, Interval(*change), 0.95),
        warnings=warnings,
    )


@pytest.fixture
def two():
    return _comparison(_compared("epoch_1", 1, 0.51), _compared("epoch_20", 20, 0.61))


def test_a_row_has_place_accuracies_and_the_best_of_the_attacks(two):
    first, last = comparison_rows(two)
    assert (first.place, last.place) == ("1", "20")
    assert last.name.short == "epoch_20"
    assert last.best_attack == "loss_threshold"
    assert last.train_accuracy.estimate == "90.0%"
    assert last.test_accuracy.interval == "69.0% to 71.0%"
    assert [value.with_interval for value in last.values] == [
        "0.610 (0.590 to 0.630)",
        "1.5% (1.0% to 2.0%)",
    ]


def test_the_table_has_every_number_in_long_form(two):
    rows = list(csv.DictReader(io.StringIO(comparison_csv(two))))
    metrics = ["auc", "tpr_at_fpr_0.01", "train_accuracy", "test_accuracy"]
    assert [row["metric"] for row in rows] == metrics * 2
    assert rows[4] == {
        "name": "epoch_20",
        "epoch": "20",
        "order": "2",
        "model": "/models/epoch_20",
        "best_attack": "loss_threshold",
        "metric": "auc",
        "estimate": "0.61",
        "lower": "0.59",
        "upper": "0.63",
        "confidence": "0.95",
        "members": "400",
        "nonmembers": "300",
    }


def test_without_epochs_the_table_has_the_order_alone():
    comparison = _comparison(
        _compared("=1+1", 1, 0.5), _compared('b,"c"', 2, 0.5), places=Places.ORDER
    )
    rows = list(csv.DictReader(io.StringIO(comparison_csv(comparison))))
    assert {row["epoch"] for row in rows} == {""}
    # Nothing that a spreadsheet would compute; quotes and commas come back as they were.
    assert {row["name"] for row in rows} == {"'=1+1", 'b,"c"'}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            (0.1, 0.05, 0.15),
            "From epoch 1 to epoch 20 the AUC of the best attack changed by +0.100 (95% interval: "
            "+0.050 to +0.150): the model gives away more than it did.",
        ),
        (
            (-0.1, -0.15, -0.05),
            "From epoch 1 to epoch 20 the AUC of the best attack changed by -0.100 (95% interval: "
            "-0.150 to -0.050): the model gives away less than it did.",
        ),
        (
            (0.02, -0.03, 0.07),
            "From epoch 1 to epoch 20 the AUC of the best attack changed by +0.020 (95% interval: "
            "-0.030 to +0.070): the interval includes no change, so chance alone may explain the "
            "difference.",
        ),
    ],
)
def test_whether_the_change_is_real_is_said(two, change, said):
    comparison = _comparison(*two.compared, change=change)
    assert change_sentence(comparison) == said


@pytest.mark.parametrize(
    ("aucs", "said"),
    [
        # Intervals reach .02 to either side.
        ((0.51, 0.515, 0.5), "In no measurement does the interval of the AUC lie above chance."),
        ((0.53, 0.6, 0.7), "In every measurement the interval of the AUC lies above chance."),
        ((0.51, 0.6, 0.7), "From epoch 2 on the interval of the AUC lies above chance."),
        (
            (0.6, 0.51, 0.7),
            "The interval of the AUC lies above chance first at epoch 1, and in 2 of 3 "
            "measurements.",
        ),
    ],
)
def test_when_the_attacks_begin_to_succeed_is_said(aucs, said):
    compared = [_compared(f"epoch_{place}", place, auc) for place, auc in enumerate(aucs, 1)]
    assert onset_sentence(_comparison(*compared)) == said


def test_what_the_order_is_and_what_is_missing_is_said(two):
    assert places_sentence(two).endswith("epochs: the numbers that their names end with.")
    assert accuracy_sentence(two) == ""
    lacking = _comparison(two.compared[0], _compared("epoch_3", 3, 0.5, accuracies=None))
    assert "1 of 2 measurements have no accuracy" in accuracy_sentence(lacking)


def test_the_terminal_shows_it_all_in_100_columns(two):
    hostile = _compared("\x1b[31m[red]name\u202e" + "y" * 300, 30, 0.6)
    text = comparison_text(_comparison(*two.compared, hostile, warnings=["The seeds differ."]))
    assert "   20  epoch_20                  70.0%          0.610 (0.590 to 0.630)" in text
    assert "- The seeds differ." in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.split("\n")) <= 100
