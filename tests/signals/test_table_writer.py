"""What is written is read back, what is not committed is not there."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals import table_writer
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import bucket_of, row_ids
from tfx_privacy.signals.table import IdentityDescription, SplitRows, TableDescription, TableLayout
from tfx_privacy.signals.table_reader import read_bucket
from tfx_privacy.signals.table_writer import TableWriter, commit, remove_rows, remove_table

LAYOUT = TableLayout(
    task=config_pb2.BINARY,
    output_kind=config_pb2.LOGITS,
    output_width=1,
    logits_source="",
    label_vocabulary=(),
    label_width=0,
    slice_features=("city",),
    input_features=(),
    has_label=False,
    has_logits=True,
    has_loss=True,
    has_units=False,
    has_weight=False,
)
IDENTITY = IdentityDescription("row", checks_duplicates=False)


def rows(first: int, n: int, *, is_member: bool = True) -> Signals:
    number = np.arange(first, first + n, dtype=np.float32)
    return Signals(
        task=config_pb2.BINARY,
        ids=row_ids(first, n, is_member=is_member),
        member=np.full(n, is_member),
        logits=number[:, None],
        loss=number,
        slices={"city": pa.array([["Zug"]] * n, pa.list_(pa.string()))},
    )


def written_rows(folder: Path, description: TableDescription) -> dict[int, list[float]]:
    return {
        bucket: sorted(
            loss for part in read_bucket(str(folder), description, bucket) for loss in part.loss
        )
        for bucket in range(description.buckets)
    }


def test_rows_lie_in_the_buckets_of_their_ids(tmp_path: Path):
    writer = TableWriter(str(tmp_path), LAYOUT, 3)
    writer.append(rows(0, 100), "train")
    writer.append(rows(100, 50, is_member=False), "eval")

    description = commit(str(tmp_path), LAYOUT, IDENTITY, 3, [writer.finish()])

    all_rows = Signals.concatenate([rows(0, 100), rows(100, 50, is_member=False)])
    bucket = bucket_of(all_rows.ids, 3)
    assert written_rows(tmp_path, description) == {
        number: np.flatnonzero(bucket == number).tolist() for number in range(3)
    }
    assert description.splits == (SplitRows("eval", False, 50), SplitRows("train", True, 100))
    assert {file.name for file in description.files} | {"table.json"} == set(os.listdir(tmp_path))
    assert sum(file.rows for file in description.files) == 150


def test_words_that_repeat_are_written_once_a_row_group(tmp_path: Path):
    layout = dataclasses.replace(LAYOUT, input_features=(("x", "word"), ("a.b", "number")))
    inputs = {
        "x": pa.array([[7]] * 10, pa.list_(pa.uint64())),
        "a.b": pa.array([[0.5]] * 10, pa.list_(pa.float32())),
    }
    with TableWriter(str(tmp_path), layout, 1) as writer:
        writer.append(dataclasses.replace(rows(0, 10), inputs=inputs), "train")
        (file,) = writer.finish().files

    group = pq.ParquetFile(tmp_path / file.name).metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    encoded = {column.path_in_schema for column in columns if "RLE_DICTIONARY" in column.encodings}
    lists = ("slice:city", "input:x", "input:a.b")
    assert encoded == {"split", *(f"{name}.list.item" for name in lists)}


def test_rows_lie_in_the_buckets_of_their_units(tmp_path: Path):
    layout = dataclasses.replace(LAYOUT, has_units=True)
    units = row_ids(0, 30, is_member=False).repeat(3, axis=0)
    writer = TableWriter(str(tmp_path), layout, 4)
    writer.append(dataclasses.replace(rows(0, 90), units=units), "train")

    description = commit(str(tmp_path), layout, IDENTITY, 4, [writer.finish()])

    bucket = bucket_of(units, 4)
    assert written_rows(tmp_path, description) == {
        number: np.flatnonzero(bucket == number).tolist() for number in range(4)
    }


def test_several_writers_make_one_table_and_attempts_that_failed_do_not_count(tmp_path: Path):
    folder = str(tmp_path)
    first, second, lost, running = (TableWriter(folder, LAYOUT, 1) for _ in range(4))
    first.append(rows(0, 3), "train")
    second.append(rows(3, 2), "train")
    # An attempt whose files are there, though nothing came of it; and one that is under way.
    lost.append(rows(3, 2), "train")
    lost.finish()
    running.append(rows(0, 3), "train")

    description = commit(folder, LAYOUT, IDENTITY, 1, [first.finish(), second.finish()])

    assert written_rows(tmp_path, description) == {0: [0, 1, 2, 3, 4]}
    assert description.splits == (SplitRows("train", True, 5),)
    assert {file.name for file in description.files} | {"table.json"} == set(os.listdir(tmp_path))


def test_rows_wait_for_row_groups_of_a_decent_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = TableWriter(str(tmp_path / "a"), LAYOUT, 1)
    for first in range(0, 1000, 100):
        writer.append(rows(first, 100), "train")
    file = writer.finish().files[0]
    assert pq.ParquetFile(tmp_path / "a" / file.name).num_row_groups == 1

    # 100 rows take some 4 kB.
    monkeypatch.setattr(table_writer, "_BUFFER_BYTES", 10_000)
    writer = TableWriter(str(tmp_path / "b"), LAYOUT, 1)
    for first in range(0, 1000, 100):
        writer.append(rows(first, 100), "train")
    file = writer.finish().files[0]
    assert 2 <= pq.ParquetFile(tmp_path / "b" / file.name).num_row_groups <= 5


def test_a_file_is_closed_before_it_has_too_many_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table_writer, "_BUFFER_BYTES", 1)
    monkeypatch.setattr(table_writer, "_GROUPS_A_FILE", 4)
    writer = TableWriter(str(tmp_path), LAYOUT, 1)
    for first in range(0, 100, 10):
        writer.append(rows(first, 10), "train")

    description = commit(str(tmp_path), LAYOUT, IDENTITY, 1, [writer.finish()])

    assert sorted(file.rows for file in description.files) == [20, 40, 40]
    assert written_rows(tmp_path, description) == {0: list(range(100))}


def test_nothing_is_in_place_before_the_end_and_nothing_stays_of_what_is_discarded(tmp_path: Path):
    writer = TableWriter(str(tmp_path), LAYOUT, 2)
    writer.append(rows(0, 10), "train")
    assert not list(tmp_path.glob("rows-*"))

    writer.discard()

    assert os.listdir(tmp_path) == []


def test_a_block_that_raises_discards(tmp_path: Path):
    def write() -> None:
        with TableWriter(str(tmp_path), LAYOUT, 1) as writer:
            writer.append(rows(0, 10), "train")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write()

    assert os.listdir(tmp_path) == []


def test_removing_rows_leaves_the_description_and_removing_the_table_other_files(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    writer = TableWriter(str(tmp_path), LAYOUT, 1)
    writer.append(rows(0, 10), "train")
    commit(str(tmp_path), LAYOUT, IDENTITY, 1, [writer.finish()])

    remove_rows(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "table.json"]

    remove_table(str(tmp_path))
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_place_that_cannot_be_written_to_is_an_error_that_names_it(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(InputError, match=r"cannot write '.*/file/table'"):
        TableWriter(str(tmp_path / "file" / "table"), LAYOUT, 1)


@pytest.mark.parametrize(
    ("n", "buckets"), [(0, 1), (1, 1), (250_000, 1), (250_001, 2), (2_000_000, 8), (10**12, 128)]
)
def test_buckets_for_rows(n: int, buckets: int):
    assert table_writer.buckets_for(n) == buckets
