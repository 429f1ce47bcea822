"""Spread within a class, by hand and against its definition."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.evaluation.class_spread import spread, spread_by_class
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals


def test_two_classes_by_hand():
    """Column of variance 8/3: class 0 has variance 2, class 1 none; the second never varies."""
    columns = np.array([[0, 7], [2, 7], [4, 7], [4, 7]], np.float32)
    found = spread(columns, np.array([5, 5, 9, 9]))
    assert found == {5: pytest.approx((2 / (11 / 3)) ** 0.5), 9: 0.0}


def test_missing_values_and_single_rows():
    columns = np.array([[0, np.nan], [2, 1], [4, 3], [6, np.nan]], np.float32)
    found = spread(columns, np.array([0, 0, 1, 1]))
    # The second column is there twice, once in each class.
    assert found == {
        0: pytest.approx((2 / (20 / 3)) ** 0.5),
        1: pytest.approx((2 / (20 / 3)) ** 0.5),
    }
    assert spread(columns, np.array([0, 0, 0, 1])).keys() == {0}


def test_a_small_class_does_not_look_narrower_for_being_small():
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(20_100, 30)).astype(np.float32)
    # A hundred rows in fifty classes of two, the rest in one class.
    classes = np.concatenate([np.repeat(np.arange(50), 2), np.full(20_000, 50)])
    found = spread(columns, classes)
    small = np.mean([found[number] ** 2 for number in range(50)])
    assert small == pytest.approx(1.0, abs=0.15)
    assert found[50] == pytest.approx(1.0, abs=0.01)


def test_more_columns_than_are_worked_on_at_once():
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(50, 150)).astype(np.float32)
    classes = rng.integers(0, 3, 50)
    ratios = [
        columns[classes == 2].var(axis=0, ddof=1, dtype=np.float64)
        / columns.var(axis=0, ddof=1, dtype=np.float64)
    ]
    assert spread(columns, classes)[2] == pytest.approx(np.sqrt(np.mean(ratios)))


@pytest.fixture
def selection():
    label = np.array([0, 0, 1, 1])
    ids = np.zeros((4, 2), np.uint64)
    rows = Signals(
        config_pb2.MULTICLASS, ids, np.array([True, False] * 2), label,
        logits=np.array([[0, 1], [0, 1], [0, 5], [0, 9]], np.float32),
    )  # fmt: skip
    inputs = {
        "age": pa.array([[1.0], [3.0], [5.0], [5.0]], pa.list_(pa.float32())),
        "name": pa.array([[1], [2], [3], [4]], pa.list_(pa.uint64())),
    }
    with_inputs = Signals(rows.task, ids, rows.member, label, inputs=inputs)
    return Selection(results_pb2.Records(), rows, rows, with_inputs, rows, rows, rows)


def test_numeric_inputs_come_before_logits(selection):
    assert spread_by_class(selection) == {0: pytest.approx((2 / (11 / 3)) ** 0.5), 1: 0.0}


def test_words_have_no_spread_and_logits_stand_in(selection):
    del selection.fit_inputs.inputs["age"]
    found = spread_by_class(selection)
    assert found[0] == 0.0
    assert found[1] == pytest.approx((8 / np.var([1, 1, 5, 9], ddof=1)) ** 0.5)


@pytest.mark.parametrize("task", [config_pb2.REGRESSION, config_pb2.MULTICLASS])
@pytest.mark.parametrize("rows", [0, 2])
def test_without_labels_or_rows_there_are_no_classes(task, rows):
    ids = np.zeros((rows, 2), np.uint64)
    blank = Signals(task, ids, np.ones(rows, np.bool_), logits=np.zeros((rows, 3), np.float32))
    nothing = Selection(results_pb2.Records(), blank, blank, blank, blank, blank, blank)
    assert spread_by_class(nothing) == {}
