"""TFRecord files as TensorFlow writes them, and damaged ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.tfrecord import open_to_write, read_records, records_in_start

RECORDS = [b"one", b"", b"three" * 1000, bytes(range(256))]


def write(path: Path, records: list[bytes] = RECORDS) -> str:
    import tensorflow as tf

    options = tf.io.TFRecordOptions(compression_type="GZIP" if path.suffix == ".gz" else "")
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in records:
            writer.write(record)
    return str(path)


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_reads_what_tensorflow_wrote(tmp_path: Path, name: str):
    assert list(read_records(write(tmp_path / name))) == RECORDS


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_a_file_without_records_has_none(tmp_path: Path, name: str):
    assert list(read_records(write(tmp_path / name, []))) == []


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 100, 300])
@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_a_file_that_was_cut_off_is_an_error_that_names_it(tmp_path: Path, name: str, cut: int):
    path = write(tmp_path / name, [bytes([i]) * 50 for i in range(100)])
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) - cut])

    with pytest.raises(InputError, match=f"cannot read '{path}' as a TFRecord file: after "):
        list(read_records(path))


@pytest.mark.parametrize(
    ("position", "what"),
    [(2, "record's length fails its checksum"), (14, "record fails its checksum")],
)
def test_a_flipped_bit_is_found(tmp_path: Path, position: int, what: str):
    path = write(tmp_path / "plain")
    content = bytearray(Path(path).read_bytes())
    content[position] ^= 4
    Path(path).write_bytes(content)

    with pytest.raises(InputError, match=f"after 0 good records: the next {what}"):
        list(read_records(path))


def test_the_error_says_how_many_records_were_good(tmp_path: Path):
    path = write(tmp_path / "plain")
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:-5])

    with pytest.raises(InputError, match=r"after 3 good records: .* a record of 256 bytes, of "):
        list(read_records(path))


def test_a_file_of_another_format_is_an_error(tmp_path: Path):
    (tmp_path / "text.gz").write_text("id,label\n" * 100)
    (tmp_path / "text").write_text("id,label\n" * 100)

    with pytest.raises(InputError, match="Not a gzipped file"):
        list(read_records(str(tmp_path / "text.gz")))
    with pytest.raises(InputError, match="damaged or of another format"):
        list(read_records(str(tmp_path / "text")))


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path):
    with pytest.raises(InputError, match=r"cannot read '.*/nowhere'"):
        list(read_records(str(tmp_path / "nowhere")))


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_records_are_counted_in_the_start_of_a_file(tmp_path: Path, name: str):
    noise = random.Random(0)
    path = write(tmp_path / name, [noise.randbytes(200) for _ in range(1000)])
    size = Path(path).stat().st_size

    assert records_in_start(path, 1 << 30) == (1000, size)
    # Records of 216 bytes; noise does not shrink by more than a percent or two.
    records, read = records_in_start(path, size // 4)
    assert read == size // 4
    assert records == pytest.approx(250, abs=5)


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_tensorflow_reads_what_was_written_bit_by_bit(tmp_path: Path, name: str):
    import tensorflow as tf

    for path in (tmp_path / "one" / name, tmp_path / "two" / name):
        with open_to_write(str(path)) as writer:
            writer.write(RECORDS[:2])
            writer.write([])
            writer.write(RECORDS[2:])

    read = tf.data.TFRecordDataset(str(path), "GZIP" if path.suffix == ".gz" else "")
    assert [record.numpy() for record in read] == RECORDS
    assert path.read_bytes() == (tmp_path / "one" / name).read_bytes()


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_nothing_written_is_a_file_without_records(tmp_path: Path, name: str):
    with open_to_write(str(tmp_path / name)):
        pass

    assert list(read_records(str(tmp_path / name))) == []


def test_noise_is_stored_and_text_is_packed(tmp_path: Path):
    noise, text = random.Random(0).randbytes(100_000), b"the same " * 10_000
    for name, record in (("noise.gz", noise), ("text.gz", text)):
        with open_to_write(str(tmp_path / name)) as writer:
            writer.write([record])
        assert list(read_records(str(tmp_path / name))) == [record]

    assert (tmp_path / "noise.gz").stat().st_size > len(noise)
    assert (tmp_path / "text.gz").stat().st_size < len(text) / 20


def test_a_writer_that_fails_leaves_no_file(tmp_path: Path):
    def fail() -> None:
        with open_to_write(str(tmp_path / "packed.gz")) as writer:
            writer.write(RECORDS)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert list(tmp_path.iterdir()) == []
