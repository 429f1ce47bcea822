"""Inputs as columns of numbers: what each kind of feature becomes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.attacks.input_columns import MAX_COLUMNS, Form, InputColumns
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

NAN = np.nan


def numbers(rows):
    return pa.array(rows, pa.list_(pa.float32()))


def words(rows):
    return pa.array(rows, pa.list_(pa.uint64()))


def with_inputs(inputs):
    rows = len(next(iter(inputs.values())))
    return Signals(
        task=config_pb2.BINARY,
        ids=np.zeros((rows, 2), np.uint64),
        member=np.zeros(rows, np.bool_),
        inputs=inputs,
    )


def columns_of(inputs, of=None):
    made = InputColumns.fit(inputs)
    return made.names, made(with_inputs(inputs if of is None else of))


def test_one_number_at_most_is_one_column():
    names, columns = columns_of({"x": numbers([[1.5], [], [-2.0]])})

    assert names == ("x",)
    np.testing.assert_array_equal(columns, [[1.5], [NAN], [-2.0]])


def test_as_many_numbers_in_every_row_are_a_column_each():
    fitted = {"x": numbers([[1, 2, 3], [4, 5, 6]])}

    names, columns = columns_of(fitted, of={"x": numbers([[7, 8, 9], [1], [1, 2, 3, 4]])})

    assert names == ("x", "x", "x")
    np.testing.assert_array_equal(columns, [[7, 8, 9], [1, NAN, NAN], [1, 2, 3]])


def test_different_numbers_of_numbers_are_summarised():
    _, columns = columns_of({"x": numbers([[3, 1, 2, 6], [], [5]])})

    # Length, first, mean, min, max.
    np.testing.assert_array_equal(
        columns, [[4, 3, 3, 1, 6], [0, NAN, NAN, NAN, NAN], [1] + [5] * 4]
    )


def test_words_are_ranked_by_frequency_of_the_first():
    rows = [[7, 1], [7], [7], [5], [5], [9], []]

    names, columns = columns_of({"w": words(rows)}, of={"w": words([[9], [5], [7, 2], [4], []])})

    assert names == ("w", "w")
    # 7 is the most frequent, then 5, 9; 4 is unknown. Beside it, the number of words.
    np.testing.assert_array_equal(columns, [[2, 1], [1, 1], [0, 2], [3, 1], [NAN, 0]])


def test_all_but_the_254_most_frequent_words_have_one_code():
    common = [[k] for k in range(300) for _ in range(3)] + [[k] for k in range(10)]

    _, columns = columns_of({"w": words(common)}, of={"w": words([[0], [299], [12345]])})

    # The words 0 to 9 stand four times; of those that stand three times, 244 by value.
    assert columns[0, 0] < 10
    assert columns[1, 0] == columns[2, 0] == 254


def test_words_that_are_nearly_all_different_carry_nothing():
    assert columns_of({"key": words([[k] for k in range(100)])})[0] == ()
    # Whether there is one may carry something.
    some = [[k] if k % 2 else [] for k in range(100)]
    names, columns = columns_of({"key": words(some)})
    assert names == ("key",)
    np.testing.assert_array_equal(columns[:, 0], np.arange(100) % 2)


def test_infinity_is_a_large_number_and_nan_is_missing():
    _, columns = columns_of({"x": numbers([[np.inf], [-np.inf], [NAN]])})

    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(columns, [[largest], [-largest], [NAN]])


def test_large_inputs_are_thinned_out_evenly():
    image = numbers(np.arange(2 * 3000, dtype=np.float32).reshape(2, 3000).tolist())
    inputs = {"image": image, "x": numbers([[1], [2]]), "y": numbers([[1, 2], []])}

    names, columns = columns_of(inputs)

    assert len(names) <= MAX_COLUMNS
    assert set(names) == {"image", "x", "y"}
    pixels = columns[0, np.array(names) == "image"]
    assert len(pixels) > 900
    assert pixels[0] == 0
    assert pixels[-1] == 2999
    assert set(np.diff(pixels)) <= {2, 3, 4}


def test_more_features_than_columns():
    inputs = {f"x{k:04}": numbers([[k, k, k], [k]]) for k in range(1500)}

    names, _ = columns_of(inputs)

    assert 0 < len(names) <= MAX_COLUMNS
    assert min(names) < "x0010"
    assert max(names) > "x1490"


def test_a_row_in_any_slice_of_the_arrays():
    generator = np.random.default_rng(0)
    lists = [generator.normal(size=generator.integers(0, 40)).tolist() for _ in range(200)]
    inputs = {"x": numbers(lists), "w": words([[int(k)] for k in generator.integers(0, 9, 200)])}
    made = InputColumns.fit(inputs)
    expected = made(with_inputs(inputs))

    for first, size in ((0, 1), (37, 5), (199, 1), (50, 150)):
        part = {name: array.slice(first, size) for name, array in inputs.items()}
        np.testing.assert_array_equal(made(with_inputs(part)), expected[first : first + size])


def test_arrays_and_back():
    inputs = {"a": numbers([[1], [2]]), "b": words([[1], [1]]), "c": numbers([[1, 2], []])}
    made = InputColumns.fit(inputs)

    again = InputColumns.from_arrays(made.arrays())

    assert [one.form for one in again.features] == [Form.FIXED, Form.WORD, Form.RAGGED]
    np.testing.assert_array_equal(again(with_inputs(inputs)), made(with_inputs(inputs)))


def test_a_missing_feature_is_named():
    made = InputColumns.fit({"x": numbers([[1]]), "y": numbers([[1]])})

    with pytest.raises(ValueError, match=r"no inputs of y;.*there are x"):
        made(with_inputs({"x": numbers([[1]])}))
