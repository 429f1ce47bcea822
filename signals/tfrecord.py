"""TFRecord files: the records in them, checked."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, cast

import google_crc32c

from tfx_privacy.signals import files
from tfx_privacy.signals.errors import InputError

# A record is its length, a checksum of that, the bytes, and a checksum of those.
# https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
_HEAD = struct.Struct("<QI")
_FOOT = struct.Struct("<I")
_MASK = 0xA282EAD8
_BUFFER_BYTES = 1 << 20


def read_records(path: str) -> Iterator[bytes]:
    """The records of a TFRecord file, gzip if its name ends in `.gz`.

    Beam's own reader takes ten times as long and does not notice where a gzip
    file has lost its end.

    Raises:
      InputError: If the file cannot be read, is cut off, or fails its checksums.
    """
    with _open(path) as stream:
        number = 0
        try:
            while head := stream.read(_HEAD.size):
                yield _rest_of_record(head, stream)
                number += 1
        except (_CorruptError, EOFError, zlib.error, OSError) as error:
            raise InputError(
                f"cannot read {path!r} as a TFRecord file: after {number} good records: {error}"
            ) from error


def write_records(path: str, records: Iterable[bytes]) -> None:
    """Writes a TFRecord file that appears whole, gzip if its name ends in `.gz`.

    The same records make the same bytes: the file holds no name and no time.

    Raises:
      InputError: If the file cannot be written.
    """
    content = b"".join(_framed(record) for record in records)
    files.write_bytes_whole(path, gzip.compress(content, mtime=0) if _is_gzip(path) else content)


class RecordWriter:
    """Writes records as they come; made by `open_to_write`."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._stream: BinaryIO | None = None

    def write(self, records: Sequence[bytes]) -> None:
        """Adds records.

        Raises:
          InputError: If the file cannot be written.
        """
        content = b"".join(map(_framed, records))
        with self._explained():
            if self._stream is None:
                self._stream = self._open(content)
            self._stream.write(content)

    def finish(self) -> None:
        """Writes what is waiting to be written.

        Raises:
          InputError: If the file cannot be written.
        """
        self.write([])
        with self._explained():
            if self._stream is not None and self._stream is not self._file:
                self._stream.close()
            self._file.flush()

    def _open(self, start: bytes) -> BinaryIO:
        if not _is_gzip(self._path):
            return self._file
        # Without the name and the time, which would be kept in the file.
        packed = gzip.GzipFile("", "wb", _gzip_level(start), self._file, mtime=0)
        return cast(BinaryIO, packed)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"cannot write {self._path!r}: {error}") from error


@contextlib.contextmanager
def open_to_write(path: str) -> Iterator[RecordWriter]:
    """A TFRecord file to be filled, which appears when the block ends, unless it raises.

    Gzip if its name ends in `.gz`. The same records in the same batches make the same
    bytes. Records that gzip hardly makes smaller, images for instance, are stored in its
    format as they are: packing them would take longer than all else.

    Raises:
      InputError: If the file cannot be written.
    """
    with files.open_whole(path) as file:
        writer = RecordWriter(path, file)
        yield writer
        writer.finish()


def _gzip_level(start: bytes) -> int:
    """The fastest level that saves something, judged by the start of what is written."""
    sample = start[:_SAMPLE_BYTES]
    return 1 if len(zlib.compress(sample, 1)) < _WORTH_PACKING * len(sample) else 0


# Of this much, packing must save a quarter.
_SAMPLE_BYTES = 1 << 18
_WORTH_PACKING = 0.75


def records_in_start(path: str, prefix_bytes: int) -> tuple[int, int]:
    """How many records begin in the first bytes of a file, for estimates.

    Args:
      path: A TFRecord file that can be read.
      prefix_bytes: How many bytes of the file, as it lies there, to look at.

    Returns:
      The number of records, and the number of bytes they were found in.
    """
    with files.open_to_read(path) as stream:
        prefix = stream.read(prefix_bytes)
    data = zlib.decompressobj(wbits=31).decompress(prefix) if _is_gzip(path) else prefix
    records, position = 0, 0
    while position + _HEAD.size <= len(data):
        length, _ = _HEAD.unpack_from(data, position)
        position += _HEAD.size + length + _FOOT.size
        records += 1
    return records, len(prefix)


class _CorruptError(Exception):
    """What is wrong with a record."""


def _rest_of_record(head: bytes, stream: BinaryIO) -> bytes:
    if len(head) < _HEAD.size:
        raise _CorruptError("the file ends within a record's length; it was cut off")
    length, length_checksum = _HEAD.unpack(head)
    if _masked_checksum(head[:8]) != length_checksum:
        raise _CorruptError(
            "the next record's length fails its checksum; the file is damaged or of another format"
        )
    rest = stream.read(length + _FOOT.size)
    if len(rest) < length + _FOOT.size:
        raise _CorruptError(
            f"the file ends within a record of {length} bytes, of which "
            f"{min(len(rest), length)} are there; it was cut off"
        )
    record = rest[:length]
    if _masked_checksum(record) != _FOOT.unpack_from(rest, length)[0]:
        raise _CorruptError("the next record fails its checksum; the file is damaged")
    return record


def _framed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    head = _HEAD.pack(len(record), _masked_checksum(length))
    return head + record + _FOOT.pack(_masked_checksum(record))


def _masked_checksum(data: bytes) -> int:
    checksum = int(google_crc32c.value(data))
    return (((checksum >> 15) | (checksum << 17)) + _MASK) & 0xFFFFFFFF


@contextlib.contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    with files.open_to_read(path) as stream:
        content = gzip.GzipFile(fileobj=stream, mode="rb") if _is_gzip(path) else stream
        # GzipFile and Beam's streams are read by Python code, which this calls less often.
        yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, content), _BUFFER_BYTES))


def _is_gzip(path: str) -> bool:
    return path.endswith(".gz")
