"""The columns of a signals table and its description, there and back."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.table import (
    IdentityDescription,
    SplitRows,
    TableDescription,
    TableFile,
    TableLayout,
    arrow_schema,
    from_table,
    ids_from_arrow,
    ids_to_arrow,
    to_record_batch,
)

LAYOUT = TableLayout(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.PROBABILITIES,
    output_width=3,
    logits_source="the input of Softmax 'probs'",
    label_vocabulary=("red", "green", "blue"),
    label_width=0,
    slice_features=("city", "a.b"),
    input_features=(("age", "number"), ("city", "word"), ("a.b", "number")),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=True,
    has_weight=True,
)
DESCRIPTION = TableDescription(
    **{field.name: getattr(LAYOUT, field.name) for field in dataclasses.fields(LAYOUT)},
    identity=IdentityDescription("content", "", "00ff", "user"),
    splits=(SplitRows("eval", False, 3), SplitRows("train", True, 4), SplitRows("more", True, 5)),
    buckets=2,
    files=(TableFile("rows-00000-a.parquet", 0, 7), TableFile("rows-00001-b.parquet", 1, 5)),
)


def signals(rows: int, seed: int = 0) -> Signals:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 2**64, (rows, 2), np.uint64)
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=ids,
        member=rng.random(rows) < 0.5,
        label=rng.integers(0, 3, rows),
        logits=rng.normal(size=(rows, 3)).astype(np.float32),
        loss=rng.random(rows).astype(np.float32),
        units=ids[::-1].copy(),
        weight=rng.random(rows).astype(np.float32),
        slices={
            "city": pa.array([[["x"], [], ["y", "z"]][i % 3] for i in range(rows)],
                             pa.list_(pa.string())),
            "a.b": pa.array([[str(i)] for i in range(rows)], pa.list_(pa.string())),
        },
        inputs={
            "age": pa.array([[[], [i]][i % 2] for i in range(rows)], pa.list_(pa.float32())),
            "city": pa.array([[2**64 - 1, i] for i in range(rows)], pa.list_(pa.uint64())),
            "a.b": pa.array([[i, 1, 2] for i in range(rows)], pa.list_(pa.float32())),
        },
    )  # fmt: skip


def assert_same(found: Signals, expected: Signals) -> None:
    assert found.task == expected.task
    for name in ("ids", "member", "label", "logits", "loss", "entropy", "units", "weight"):
        left, right = getattr(found, name), getattr(expected, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.dtype == right.dtype, name
            np.testing.assert_array_equal(left, right, name)
    for lists in ("slices", "inputs"):
        left, right = getattr(found, lists), getattr(expected, lists)
        assert left.keys() == right.keys()
        for key in left:
            assert left[key].type == right[key].type
            assert left[key].to_pylist() == right[key].to_pylist()


def test_rows_come_back_as_they_were():
    rows = signals(10)

    batch = to_record_batch(rows, "train", arrow_schema(LAYOUT))

    assert batch.column(batch.schema.get_field_index("split")).to_pylist() == ["train"] * 10
    assert_same(from_table(pa.Table.from_batches([batch]), LAYOUT), rows)


def test_rows_in_pieces_that_start_within_a_buffer_come_back():
    rows = signals(10)
    batch = to_record_batch(rows, "train", arrow_schema(LAYOUT))
    pieces = pa.Table.from_batches([batch.slice(3, 2), batch.slice(7, 1)])

    found = from_table(pieces, LAYOUT)

    assert_same(found, rows.take(np.array([3, 4, 7])))
    assert_same(from_table(pieces.slice(0, 2), LAYOUT), rows.take(np.array([3, 4])))
    assert found.slices["city"].offsets[0].as_py() == 0


@pytest.mark.parametrize("task", [config_pb2.MULTILABEL, config_pb2.REGRESSION])
def test_labels_of_several_numbers_come_back(task: config_pb2.Task.ValueType):
    layout = dataclasses.replace(
        LAYOUT, task=task, label_width=2, slice_features=(), input_features=()
    )
    label = np.array([[0, 1], [1, 0.5]], np.float32)
    rows = dataclasses.replace(signals(2), task=task, label=label, slices={}, inputs={})

    batch = to_record_batch(rows, "train", arrow_schema(layout))

    assert_same(from_table(pa.Table.from_batches([batch]), layout), rows)


def test_a_table_of_losses_has_neither_logits_nor_label():
    layout = TableLayout(
        **dataclasses.asdict(LAYOUT)
        | {"output_width": 0, "slice_features": (), "input_features": ()}
        | dict.fromkeys(("has_label", "has_logits", "has_units", "has_weight"), False)
    )

    assert arrow_schema(layout).names == ["id", "member", "split", "loss"]


def test_a_table_of_entropies_has_them_in_the_place_of_logits():
    absent = ("has_label", "has_logits", "has_loss", "has_units", "has_weight")
    layout = TableLayout(
        **dataclasses.asdict(LAYOUT)
        | {"output_width": 0, "slice_features": (), "input_features": (), "has_entropy": True}
        | dict.fromkeys(absent, False)
    )
    nothing = dict.fromkeys(("label", "logits", "loss", "units", "weight"))
    entropy = np.array([0, 0.25, 3], np.float32)
    rows = dataclasses.replace(signals(3), entropy=entropy, slices={}, inputs={}, **nothing)

    batch = to_record_batch(rows, "train", arrow_schema(layout))

    assert batch.schema.names == ["id", "member", "split", "entropy"]
    assert_same(from_table(pa.Table.from_batches([batch]), layout), rows)


def test_rows_without_a_column_that_the_table_has_are_refused():
    rows = dataclasses.replace(signals(2), loss=None)

    with pytest.raises(ValueError, match="column 'loss'"):
        to_record_batch(rows, "train", arrow_schema(LAYOUT))


def test_ids_are_sixteen_bytes_that_read_as_they_are_printed():
    ids = np.array([[0x0123456789ABCDEF, 1], [2**64 - 1, 0]], np.uint64)

    column = ids_to_arrow(ids)

    assert column.type == pa.binary(16)
    assert column[0].as_py().hex() == "0123456789abcdef0000000000000001"
    assert ids_from_arrow(column).tolist() == ids.tolist()
    assert ids_from_arrow(column.slice(1)).tolist() == ids[1:].tolist()


def test_the_description_comes_back_and_counts():
    assert TableDescription.from_json(DESCRIPTION.to_json()) == DESCRIPTION
    assert json.loads(DESCRIPTION.to_json())["task"] == "MULTICLASS"
    assert (DESCRIPTION.members, DESCRIPTION.nonmembers) == (9, 3)


def test_a_description_of_another_version_is_refused():
    text = DESCRIPTION.to_json().replace('"schema_version": 5', '"schema_version": 4')

    with pytest.raises(InputError, match="schema version 4: expected 5"):
        TableDescription.from_json(text)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema_version": 5}'])
def test_what_is_no_description_is_refused(text: str):
    with pytest.raises(InputError, match="not the description of a signals table"):
        TableDescription.from_json(text)


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (IdentityDescription("content", features_digest="ab"), "content (features ab)"),
        (IdentityDescription("key", "trip"), "the key feature 'trip'"),
        (IdentityDescription("row", unit_feature="user", checks_duplicates=False),
         "row number; duplicates are not checked; unit 'user'"),
    ],
)  # fmt: skip
def test_the_identity_in_words(identity: IdentityDescription, expected: str):
    assert expected in identity.in_words()
