"""TFRecord files: the records in them, checked."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import zlib
from collections.abc import Iterable, Iterator
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
