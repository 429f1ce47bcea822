"""Splits of examples: which files they are, and what comes out of them."""

from __future__ import annotations

import random
from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.testing.util import assert_that, equal_to

from tfx_privacy.signals import examples
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import (
    ExampleFile,
    ExampleSplit,
    ReadBatches,
    batches_of,
    check_apart,
    estimate_rows,
    files_of,
    peek,
)


def write(path: Path, records: list[bytes]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = tf.io.TFRecordOptions(compression_type="GZIP" if path.suffix == ".gz" else "")
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in records:
            writer.write(record)
    return str(path)


def split(*patterns: str | Path, name: str = "train", is_member: bool = True) -> ExampleSplit:
    return ExampleSplit(name, is_member, tuple(map(str, patterns)))


def numbered(first: int, n: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, first + n)]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Ten records in three shards of two artifacts, packed or not, one of them empty."""
    write(tmp_path / "a" / "Split-train" / "data-00000-of-00002.gz", numbered(0, 4))
    write(tmp_path / "a" / "Split-train" / "data-00001-of-00002.gz", [])
    write(tmp_path / "b" / "Split-train" / "data", numbered(4, 6))
    return tmp_path


def test_files_of_several_patterns_are_sorted_and_there_once(shards: Path):
    patterns = (shards / "b/Split-train/*", shards / "a/Split-train/*", shards / "a/*/data-00000*")

    found = files_of(split(*patterns))

    assert [Path(file.path).relative_to(shards).as_posix() for file in found] == [
        "a/Split-train/data-00000-of-00002.gz",
        "a/Split-train/data-00001-of-00002.gz",
        "b/Split-train/data",
    ]
    assert all(file.size == Path(file.path).stat().st_size for file in found)
    assert all((file.split, file.is_member) == ("train", True) for file in found)


def test_a_pattern_without_a_folder_is_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write(tmp_path / "train-0.tfrecord", [b"x"])
    monkeypatch.chdir(tmp_path)
    for pattern in ("train-*.tfrecord", "train-0.tfrecord"):
        assert [file.path for file in files_of(split(pattern))] == ["./train-0.tfrecord"]


def test_a_pattern_without_files_is_an_error_that_names_split_and_pattern(shards: Path):
    with pytest.raises(InputError, match=r"split 'train': no file matches '.*nothing-\*'"):
        files_of(split(shards / "a/Split-train/*", shards / "nothing-*"))


def test_a_split_without_patterns_is_an_error():
    with pytest.raises(InputError, match="split 'train' has no files"):
        files_of(split())


def test_a_scheme_that_no_file_system_has_is_an_error():
    with pytest.raises(
        InputError, match=r"split 'train': cannot look for files at 'nosuch://a/\*'"
    ):
        files_of(split("nosuch://a/*"))


def test_the_first_records_come_from_as_many_files_as_it_takes(shards: Path):
    both = split(shards / "a/Split-train/*", shards / "b/Split-train/*")

    assert peek(both, 2) == numbered(0, 2)
    assert peek(both, 7) == numbered(0, 7)
    assert peek(both, 100) == numbered(0, 10)


def test_an_empty_split_is_an_error_that_names_it(shards: Path):
    with pytest.raises(InputError, match=r"split 'eval' is empty: 1 files match '.*data-00001"):
        peek(split(shards / "a/Split-train/data-00001*", name="eval"), 5)


def test_a_damaged_file_is_an_error_that_names_it(shards: Path):
    path = shards / "b" / "Split-train" / "data"
    path.write_bytes(path.read_bytes()[:-3])

    with pytest.raises(InputError, match=f"cannot read '{path}'"):
        peek(split(path), 100)


def test_members_and_non_members_must_be_different_files(shards: Path):
    train = split(shards / "a/Split-train/*")
    check_apart([train, split(shards / "b/*/*", name="eval", is_member=False)])

    (shards / "link").symlink_to(shards / "a")
    same = split(shards / "link/Split-train/data-00000*", name="eval", is_member=False)
    with pytest.raises(
        InputError, match="members and non-members are the same file: splits 'train' and 'eval'"
    ):
        check_apart([train, same])


def test_a_file_must_not_be_read_for_two_splits_of_a_side(shards: Path):
    with pytest.raises(InputError, match="examples would be read twice: splits 'train' and 'more'"):
        check_apart([split(shards / "a/*/*"), split(shards / "a/*/*", name="more")])


def test_batches_are_bounded_in_rows_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "data.gz", [b"x" * 100] * 25)
    file = ExampleFile("train", True, path, 0)

    assert [len(batch.records) for batch in batches_of(file)] == [25]
    monkeypatch.setattr(examples, "_BATCH_ROWS", 10)
    assert [(batch.first, len(batch.records)) for batch in batches_of(file)] == [
        (0, 10), (10, 10), (20, 5)
    ]  # fmt: skip
    monkeypatch.setattr(examples, "_BATCH_BYTES", 400)
    assert [len(batch.records) for batch in batches_of(file)] == [4] * 6 + [1]


def test_a_pipeline_reads_every_record_once(shards: Path):
    found = [
        *files_of(split(shards / "a/Split-train/*")),
        *files_of(split(shards / "b/Split-train/*", name="eval", is_member=False)),
    ]

    with beam.Pipeline() as pipeline:
        records = (
            pipeline
            | ReadBatches(found)
            | beam.FlatMap(lambda batch: [(batch.source.split, record) for record in batch.records])
        )
        expected = [("train", record) for record in numbered(0, 4)]
        expected += [("eval", record) for record in numbered(4, 6)]
        assert_that(records, equal_to(expected))


@pytest.mark.parametrize("name", ["data", "data.gz"])
def test_rows_are_estimated_by_the_largest_file(tmp_path: Path, name: str):

    noise = random.Random(0)
    for folder, rows in (("a", 30_000), ("b", 500), ("c", 0)):
        write(tmp_path / folder / name, [noise.randbytes(60) for _ in range(rows)])

    estimate = estimate_rows(files_of(split(tmp_path / "*" / name)))

    assert estimate == pytest.approx(30_500, rel=0.03)


def test_no_rows_are_estimated_where_there_are_none(tmp_path: Path):
    path = write(tmp_path / "data", [])

    assert estimate_rows(files_of(split(path))) == 0
