"""Serialized examples as columns, and what is said of those that cannot be decoded."""

from __future__ import annotations

import pyarrow as pa
import pytest
import tensorflow as tf

from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.errors import InputError


def feature(*values: int | float | bytes) -> tf.train.Feature:
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def example(**features: tf.train.Feature) -> bytes:
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def sequence_example(context: dict, **lists: list) -> bytes:
    feature_lists = {name: tf.train.FeatureList(feature=steps) for name, steps in lists.items()}
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=feature_lists),
    ).SerializeToString()


def test_columns_hold_lists_of_each_type():
    records = [
        example(i=feature(1, 2), f=feature(0.5), b=feature(b"x")),
        example(i=feature(3), unset=tf.train.Feature()),
    ]

    columns = decode(records, "test")

    assert columns.rows == 2
    assert columns.features["i"].to_pylist() == [[1, 2], [3]]
    assert columns.features["f"].to_pylist() == [[0.5], None]
    assert columns.features["b"].to_pylist() == [[b"x"], None]
    assert columns.features["f"].type == pa.large_list(pa.float32())
    # A feature that no row has a value of has no type either.
    assert set(columns.features) == {"i", "f", "b"}
    assert columns.sequences is None


def test_examples_without_any_feature_are_rows():
    assert decode([example(), b""], "test").rows == 2


def test_what_is_no_example_is_an_error_that_says_which():
    records = [example(a=feature(1)), b"id,label\n1,0\n", example(a=feature(1))]

    with pytest.raises(
        InputError, match=r"^split 'eval': record 1 of 3 .* found 13 bytes starting with b'id,label"
    ):
        decode(records, "split 'eval'")


def test_a_feature_of_two_types_is_an_error_that_names_it():
    with pytest.raises(InputError, match=r'do not agree on the type of a feature: .*"a"'):
        decode([example(a=feature(1)), example(a=feature(0.5))], "split 'eval'")


def test_a_sequence_example_reads_as_its_context_and_a_digest():
    plain = example(a=feature(1))
    one = sequence_example({"a": feature(1)}, x=[feature(1), feature(2)])
    other = sequence_example({"a": feature(1)}, x=[feature(2), feature(1)])

    columns = decode([plain, one, other, one], "test")

    assert columns.features["a"].to_pylist() == [[1]] * 4
    assert columns.sequences is not None
    digests = columns.sequences.tolist()
    assert digests[0] == [0, 0]
    assert digests[1] == digests[3] != digests[2]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"", False),
        (example(), False),
        (example(a=feature(*range(1000))), False),
        (example(a=feature(b"x" * 100_000)), False),
        (sequence_example({"a": feature(1)}), False),
        (sequence_example({}, x=[feature(1)]), True),
        (sequence_example({"a": feature(b"x" * 100_000)}, x=[feature(1)]), True),
    ],
)
def test_sequence_examples_are_told_by_their_feature_lists(record: bytes, expected: bool):
    assert (decode([record], "test").sequences is not None) is expected
