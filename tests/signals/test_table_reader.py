"""A table is read bucket by bucket, in batches, and only the columns that are wanted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import table_reader, table_writer
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import row_ids
from tfx_privacy.signals.table import IdentityDescription, TableDescription, TableLayout
from tfx_privacy.signals.table_reader import (
    read_bucket,
    read_description,
    read_keys,
    require_unique_ids,
)
from tfx_privacy.signals.table_writer import TableWriter, commit

LAYOUT = TableLayout(
    task=config_pb2.MULTICLASS,
    output_kind=config_pb2.LOGITS,
    output_width=3,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=("city", "a.b", "slice:c"),
    input_features=(("x", "number"), ("a.b", "word")),
    has_label=True,
    has_logits=True,
    has_loss=True,
    has_units=True,
    has_weight=True,
)


def rows(n: int) -> Signals:
    rng = np.random.default_rng(n)
    words = pa.array([[str(i)] for i in range(n)], pa.list_(pa.string()))
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=row_ids(0, n, is_member=True),
        member=np.arange(n) % 2 == 0,
        label=rng.integers(0, 3, n),
        logits=rng.normal(size=(n, 3)).astype(np.float32),
        loss=np.arange(n, dtype=np.float32),
        units=row_ids(0, n, is_member=False),
        weight=rng.random(n).astype(np.float32),
        slices=dict.fromkeys(LAYOUT.slice_features, words),
        inputs={
            "x": pa.array([[i, i + 0.5] for i in range(n)], pa.list_(pa.float32())),
            "a.b": pa.array([[i] * (i % 3) for i in range(n)], pa.list_(pa.uint64())),
        },
    )


def write(
    folder: Path, signals: Signals, buckets: int = 1, layout: TableLayout = LAYOUT
) -> TableDescription:
    writer = TableWriter(str(folder), layout, buckets)
    for start in range(0, len(signals), 64):
        writer.append(signals.take(np.arange(start, min(start + 64, len(signals)))), "train")
    identity = IdentityDescription("key", "k")
    return commit(str(folder), layout, identity, buckets, [writer.finish()])


ALL = ("label", "logits", "loss", "units", "weight", "slices", "inputs")


def test_all_columns_come_back(tmp_path: Path):
    expected = rows(500)
    description = write(tmp_path, expected, buckets=3)

    parts = [
        part for bucket in range(3) for part in read_bucket(str(tmp_path), description, bucket, ALL)
    ]

    found = Signals.concatenate(parts).sorted_by_id()
    for name in ("ids", "member", "label", "logits", "loss", "units", "weight"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    for feature in LAYOUT.slice_features:
        assert found.slices[feature].equals(expected.slices[feature])
    for feature, _ in LAYOUT.input_features:
        assert found.inputs[feature].equals(expected.inputs[feature])
    # 1,000 numbers of 4 bytes, 499 words of 8 and two times 500 offsets of 4.
    assert description.input_bytes == 4_000 + 499 * 8 + 4_000


@pytest.mark.parametrize("row_groups", ["one", "many"])
@pytest.mark.parametrize("batch_rows", [1, 99, 100_000])
def test_batches_are_bounded_and_rows_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_groups: str, batch_rows: int
):
    if row_groups == "many":
        monkeypatch.setattr(table_writer, "_BUFFER_BYTES", 1)
    description = write(tmp_path, rows(200))

    parts = list(read_bucket(str(tmp_path), description, 0, batch_rows=batch_rows))

    assert max(map(len, parts)) <= batch_rows
    assert np.concatenate([part.loss for part in parts]).tolist() == list(range(200))


def test_only_the_columns_that_are_wanted_are_read(tmp_path: Path):
    description = write(tmp_path, rows(10))

    (part,) = read_bucket(str(tmp_path), description, 0, ("loss", "slices"))

    assert part.loss is not None
    assert len(part.ids) == len(part.member) == 10
    assert [part.label, part.logits, part.units, part.weight] == [None] * 4
    assert set(part.slices) == set(LAYOUT.slice_features)
    (bare,) = read_bucket(str(tmp_path), description, 0, ())
    assert bare.slices == {}
    assert bare.inputs == {}


def test_inputs_are_read_where_they_are_asked_for_and_only_there(tmp_path: Path):
    description = write(tmp_path, rows(10))

    (part,) = read_bucket(str(tmp_path), description, 0)
    assert part.inputs == {}
    assert part.weight is not None

    (part,) = read_bucket(str(tmp_path), description, 0, ("inputs",))
    assert set(part.inputs) == {"x", "a.b"}
    assert part.weight is None


@pytest.mark.parametrize("row_groups", ["one", "many"])
def test_batches_of_wide_rows_are_bounded_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_groups: str
):
    if row_groups == "many":
        monkeypatch.setattr(table_writer, "_BUFFER_BYTES", 1)
    # An id is 16 bytes, a row's inputs 8 + 4 and on average 8 + 4.
    monkeypatch.setattr(table_reader, "_BATCH_BYTES", 400)
    expected = rows(200)
    description = write(tmp_path, expected)

    parts = list(read_bucket(str(tmp_path), description, 0, ("inputs",)))

    assert 3 <= max(map(len, parts)) <= 400 // 36
    found = Signals.concatenate(parts)
    np.testing.assert_array_equal(found.ids, expected.ids)
    assert found.inputs["a.b"].equals(expected.inputs["a.b"])


def test_columns_that_the_table_lacks_are_none(tmp_path: Path):
    layout = dataclasses.replace(LAYOUT, has_weight=False, slice_features=(), input_features=())
    bare = dataclasses.replace(rows(10), weight=None, slices={}, inputs={})
    description = write(tmp_path, bare, layout=layout)

    (part,) = read_bucket(str(tmp_path), description, 0, ALL)

    assert part.weight is None
    assert part.slices == {}
    assert part.inputs == {}
    assert description.input_bytes == 0


def test_entropies_are_read_where_logits_are_asked_for(tmp_path: Path):
    layout = dataclasses.replace(LAYOUT, output_width=0, has_logits=False, has_entropy=True)
    entropy = np.arange(10, dtype=np.float32)
    description = write(
        tmp_path, dataclasses.replace(rows(10), logits=None, entropy=entropy), layout=layout
    )

    assert read_description(str(tmp_path)) == description
    for columns in (("logits",), None):
        (part,) = read_bucket(str(tmp_path), description, 0, columns)
        assert part.logits is None
        np.testing.assert_array_equal(part.entropy, entropy)
    (part,) = read_bucket(str(tmp_path), description, 0, ("loss",))
    assert part.entropy is None


def test_keys_are_in_the_order_of_the_rows(tmp_path: Path):
    description = write(tmp_path, rows(300), buckets=2)

    for bucket in range(2):
        keys = read_keys(str(tmp_path), description, bucket)
        signals = Signals.concatenate(list(read_bucket(str(tmp_path), description, bucket)))
        assert (keys.ids == signals.ids).all()
        assert (keys.member == signals.member).all()
        assert (keys.units == signals.units).all()


def test_an_empty_bucket_has_no_rows(tmp_path: Path):
    description = write(tmp_path, rows(1), buckets=4)
    filled = {file.bucket for file in description.files}
    empty = next(bucket for bucket in range(4) if bucket not in filled)

    keys = read_keys(str(tmp_path), description, empty)

    assert keys.ids.shape == keys.units.shape == (0, 2)
    assert list(read_bucket(str(tmp_path), description, empty)) == []


def test_the_description_is_read(tmp_path: Path):
    description = write(tmp_path, rows(10))

    assert read_description(str(tmp_path)) == description


def test_a_folder_without_a_table_is_an_error_that_names_it(tmp_path: Path):
    with pytest.raises(InputError, match=f"'{tmp_path}' holds no signals table"):
        read_description(str(tmp_path))


def test_a_damaged_table_is_an_error_that_names_the_file(tmp_path: Path):
    description = write(tmp_path, rows(10))
    path = tmp_path / description.files[0].name
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(InputError, match=f"cannot read '{path}' of the signals table"):
        list(read_bucket(str(tmp_path), description, 0))

    (tmp_path / "table.json").write_text("{")
    with pytest.raises(InputError, match=r"table\.json': not the description"):
        read_description(str(tmp_path))


@pytest.mark.parametrize("has_units", [True, False])
def test_repeated_ids_are_counted_though_they_lie_in_different_buckets(
    tmp_path: Path, has_units: bool
):
    layout = dataclasses.replace(LAYOUT, has_units=has_units)
    signals = rows(100)
    signals = signals if has_units else dataclasses.replace(signals, units=None)
    description = write(tmp_path / "good", signals, buckets=5, layout=layout)
    require_unique_ids(str(tmp_path / "good"), description, "key feature 'k'")

    # Each with a unit of its own, so in any bucket.
    signals.ids[[3, 50, 90, 91]] = signals.ids[[2, 2, 89, 89]]
    description = write(tmp_path / "bad", signals, buckets=5, layout=layout)

    with pytest.raises(InputError, match="key feature 'k' is not unique: 6 of 100 rows"):
        require_unique_ids(str(tmp_path / "bad"), description, "key feature 'k'")
