"""Serialized examples as columns."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tfx_bsl.coders import example_coder

from tfx_privacy.signals.errors import InputError


@dataclasses.dataclass(frozen=True)
class Columns:
    """n examples as columns.

    Attributes:
      features: By name, a list array of n rows: large_list of int64, float32 or
        large_binary. A row without the feature is null; one with an empty list
        is empty or null. For a tf.SequenceExample these are its context.
      sequences: [n, 2] uint64, a digest of the row's feature lists; 0 where it
        has none. None where no row has any.
      rows: n.
    """

    features: dict[str, pa.Array]
    sequences: NDArray[np.uint64] | None
    rows: int


def decode(records: Sequence[bytes], where: str) -> Columns:
    """Decodes tf.Examples, or tf.SequenceExamples, into columns.

    A serialized tf.SequenceExample reads as a tf.Example of its context. Its
    feature lists are only digested, which is slow: some 50 us a row.

    Args:
      records: Serialized examples.
      where: Where they come from, for errors: "split 'train'".

    Raises:
      InputError: If a record is no example, or two of them hold different types
        under one feature name.
    """
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    try:
        batch = decoder.DecodeBatch(list(records))
    except RuntimeError as error:
        raise InputError(_what_is_wrong(records, where, error)) from error
    features = {
        name: column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if not pa.types.is_null(column.type)
    }
    return Columns(features, _sequence_digests(records), len(records))


def _what_is_wrong(records: Sequence[bytes], where: str, error: RuntimeError) -> str:
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    for number, record in enumerate(records):
        try:
            decoder.DecodeBatch([record])
        except RuntimeError:
            return (
                f"{where}: record {number} of {len(records)} read together is no serialized "
                f"tf.Example: found {len(record)} bytes starting with {record[:16]!r}"
            )
    return f"{where}: the examples do not agree on the type of a feature: {error}"


def _sequence_digests(records: Sequence[bytes]) -> NDArray[np.uint64] | None:
    suspects = [row for row, record in enumerate(records) if _has_second_field(record)]
    digests = np.zeros((len(records), 2), np.uint64)
    for row in suspects:
        if content := _feature_lists(records[row]):
            digest = hashlib.blake2b(content, digest_size=16).digest()
            digests[row] = np.frombuffer(digest, "<u8")
    return digests if digests.any() else None


def _has_second_field(record: bytes) -> bool:
    # Field 1 of a tf.Example and of a tf.SequenceExample is its features, or context:
    # a tag byte, a varint of the length, the bytes. An example has nothing else.
    if record[:1] != b"\x0a":
        return bool(record)
    length = 0
    for position in range(1, min(len(record), 11)):
        byte = record[position]
        length |= (byte & 0x7F) << (7 * (position - 1))
        if byte < 0x80:
            return len(record) > position + 1 + length
    return True


def _feature_lists(record: bytes) -> bytes:
    # TensorFlow's protos come with all of TensorFlow, which other examples do without.
    from tensorflow.core.example import example_pb2

    example = example_pb2.SequenceExample.FromString(record)
    return bytes(example.feature_lists.SerializeToString(deterministic=True))
