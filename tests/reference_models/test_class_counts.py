"""Classes in the pool and in halves, counted by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.reference_models import class_counts
from tfx_privacy.reference_models.class_counts import (
    ClassCounts,
    count_classes,
    require_classes,
    require_label,
)
from tfx_privacy.signals.errors import InputError

# Four records; the first model is trained on the first three of them.
INSIDE = np.array([[True, False], [True, False], [True, False], [False, True]])


def lists(values: list[object], of: pa.DataType) -> pa.Array:
    return pa.array(values, pa.large_list(of))


def test_integers_are_classes():
    column = lists([[0], [7], [7], [7]], pa.int64())

    assert count_classes(column, INSIDE).of == {"0": (1, 1, 0), "7": (3, 2, 1)}


def test_strings_are_classes_shown_as_such():
    column = lists([[b"yes"], [b"no"], [b"no"], [b"\xff"]], pa.large_binary())

    assert count_classes(column, INSIDE).of == {
        "'no'": (2, 2, 0),
        "'yes'": (1, 1, 0),
        "'\\\\xff'": (1, 0, 1),
    }


def test_one_hot_labels_and_flags_are_the_classes_that_are_set():
    column = lists([[0, 1], [1, 1], [0, 0], [1, 0]], pa.int64())

    assert count_classes(column, INSIDE).of == {"0": (2, 1, 1), "1": (2, 2, 0)}


def test_a_record_without_label_is_of_no_class():
    column = lists([[1], None, [], [1]], pa.int64())

    assert count_classes(column, INSIDE).of == {"1": (2, 1, 1)}
    assert count_classes(lists([None] * 4, pa.int64()), INSIDE).of == {}
    assert count_classes(None, INSIDE).of == {}


def test_parts_of_a_column_are_counted_as_parts():
    column = lists([[5], [0], [7], [7], [7]], pa.int64())[1:]

    assert count_classes(column, INSIDE).of == {"0": (1, 1, 0), "7": (3, 2, 1)}


def test_floats_are_no_classes():
    counts = count_classes(lists([[0.5]] * 4, pa.float32()), INSIDE)

    assert counts == ClassCounts(are_numbers=True)
    assert counts + ClassCounts({"0": (1, 1)}) == counts


def test_counts_are_added_by_class():
    total = ClassCounts({"a": (2, 1), "b": (1, 0)}) + ClassCounts({"a": (3, 3), "c": (1, 1)})

    assert total.of == {"a": (5, 4), "b": (1, 0), "c": (1, 1)}


def test_too_many_different_labels_are_no_classes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(class_counts, "_MOST_CLASSES", 2)
    two = ClassCounts({"1": (1,), "2": (1,)})

    assert (two + two).of == {"1": (2,), "2": (2,)}
    assert (two + ClassCounts({"3": (1,)})).are_numbers


def test_a_model_without_a_class_is_an_error_that_names_model_count_and_class():
    counts = ClassCounts({"0": (1, 1, 0), "7": (3, 2, 1)})

    with pytest.raises(
        InputError,
        match=r"reference model 4 of 8 \(index 3\): none of its 1,234 training records is of class "
        r"0 of the label 'digit', of which the pool has 1",
    ):
        require_classes(counts, "digit", (2, 3), {2: 3, 3: 1234}, 8)

    require_classes(counts, "digit", (2, 3), {2: 3}, 8)


def test_a_number_may_be_no_class():
    word, number = ClassCounts({"'5'": (1, 1, 0)}), ClassCounts({"-5": (1, 1, 0)})

    with pytest.raises(InputError, match=r"another seed; if this label is a quantity .* REGR"):
        require_classes(number, "age", (0, 1), {1: 9}, 2)
    with pytest.raises(InputError, match=r"another seed$"):
        require_classes(word, "age", (0, 1), {1: 9}, 2)


def test_a_label_that_is_nowhere_is_an_error():
    require_label("label", {"label"}, set())
    require_label("label_xf", {"label"}, {"label_xf"})

    with pytest.raises(
        InputError, match=r"no label 'digit' .* found the features label; Transf.*x"
    ):
        require_label("digit", {"label"}, {"x"})
