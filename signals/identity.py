"""Identities: what makes two rows the same, and what a row is used for by chance.

An id is 128 bits, kept as two uint64. That of a row's content is a sum over all
its values, modulo 2^64 in each half, of a pseudo-random function of (feature,
type, position, value). A sum does not depend on the order of features, so equal
examples have equal ids however they were serialised; and it is computed column by
column, without a loop over rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ids = NDArray[np.uint64]

# Longer lists of numbers are hashed as bytes: from about here on that costs less.
_LONG_LIST = 64
# 2^64 over the golden ratio: Weyl's sequence of SplitMix64.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def content_ids(features: Mapping[str, pa.Array], rows: int, sequences: Ids | None = None) -> Ids:
    """Ids of examples by their content.

    Two rows have the same id where they have the same values, in the same order,
    of the same types under the same feature names. A feature that is absent and
    one with an empty list are the same (TensorFlow's parsers see no difference).
    Floats are the same where their bits are: 0.0 is not -0.0, and a NaN is itself.

    Args:
      features: By name, a list array of int64, float32 or bytes for all rows.
      rows: The number of rows.
      sequences: [n, 2], a digest of what else a row has, or None.

    Returns:
      [n, 2] uint64.
    """
    ids = np.zeros((rows, 2), np.uint64)
    for name, column in features.items():
        ids += _column_sums(column, name)
    if sequences is not None:
        ids += sequences
    return ids


def value_ids(column: pa.Array) -> Ids:
    """Ids by the values of one feature: of a key feature, or of the unit's.

    Args:
      column: A list array of int64, float32 or bytes.

    Returns:
      [n, 2] uint64; equal exactly where the values are.
    """
    return _column_sums(column, "")


def word_hashes(values: pa.Array) -> NDArray[np.uint64]:
    """A hash of 64 bits for each of n byte strings; each distinct one is hashed once.

    Args:
      values: large_binary, none of them null.

    Returns:
      [n] uint64; equal exactly where the values are, but for a chance of 2^-64.
    """
    return _words_of(values)[0]


def row_ids(first: int, rows: int, *, is_member: bool) -> Ids:
    """Ids by side and row number, for rows of which nothing else is known."""
    ids = np.empty((rows, 2), np.uint64)
    ids[:, 0] = is_member
    ids[:, 1] = np.arange(first, first + rows, dtype=np.uint64)
    return ids


def names_digest(names: Iterable[str]) -> str:
    """A digest of a set of feature names, in hexadecimal."""
    text = json.dumps(sorted(set(names)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def hash_fractions(ids: Ids, seed: int, salt: str) -> NDArray[np.float64]:
    """A number in [0, 1) for each id: uniform, and the same on every machine.

    Args:
      ids: [n, 2] uint64.
      seed: Of the whole measurement.
      salt: What the numbers are for; different salts give independent numbers.

    Returns:
      [n] float64, multiples of 2^-53.
    """
    key = _two_words(f"{seed}\0{salt}".encode())
    hashed = _mix_splitmix(ids[:, 0] + key[0])
    hashed = _mix_murmur(hashed ^ _mix_splitmix(ids[:, 1] + key[1]))
    return (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mixed_ids(ids: Ids) -> Ids:
    """A hash of each id in both halves, [n, 2] uint64: sums of them tell sets of ids apart."""
    first = _mix_splitmix(ids[:, 0] + _GOLDEN)
    second = _mix_murmur(ids[:, 1] ^ first)
    return np.stack([_mix_splitmix(first ^ second), _mix_murmur(first + second)], axis=1)


def bucket_of(keys: Ids, buckets: int) -> NDArray[np.int64]:
    """The bucket of the signals table that a row is in, [n] in 0 .. buckets - 1.

    Args:
      keys: [n, 2] uint64: units where there are units, ids otherwise.
      buckets: How many there are.
    """
    return (hash_fractions(keys, 0, "bucket") * buckets).astype(np.int64)


def _column_sums(column: pa.Array, name: str) -> Ids:
    lengths = np.diff(column.offsets.to_numpy())
    if pa.types.is_large_binary(column.type.value_type) or lengths.max(initial=0) <= _LONG_LIST:
        return _sums_by_value(column, name, lengths)
    return _sums_by_list(column, name, lengths)


def _sums_by_value(column: pa.Array, name: str, lengths: NDArray[np.int64]) -> Ids:
    values = column.values
    words = _words_of(values)
    salts = _salts(name, values.type, int(lengths.max(initial=0)))
    starts = column.offsets.to_numpy()
    sums = np.empty((len(column), 2), np.uint64)
    if len(values) == len(column) and (lengths == 1).all():
        for lane, mix in enumerate(_MIXERS):
            sums[:, lane] = mix(words[lane] + salts[0, lane])
        return sums
    position = np.arange(len(values)) - np.repeat(starts[:-1], lengths)
    for lane, mix in enumerate(_MIXERS):
        hashed = mix(words[lane] + salts[position, lane])
        running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashed, dtype=np.uint64)])
        sums[:, lane] = running[starts[1:]] - running[starts[:-1]]
    return sums


def _sums_by_list(column: pa.Array, name: str, lengths: NDArray[np.int64]) -> Ids:
    sums = np.zeros((len(column), 2), np.uint64)
    short = np.flatnonzero((lengths > 0) & (lengths <= _LONG_LIST))
    if len(short):
        sums[short] = _sums_by_value(pc.take(column, pa.array(short)), name, lengths[short])
    numbers = column.values.to_numpy()
    content = memoryview(np.ascontiguousarray(numbers).view(np.uint8))  # type: ignore[arg-type]
    ends = column.offsets.to_numpy() * numbers.itemsize
    long = np.flatnonzero(lengths > _LONG_LIST)
    digests = b"".join(
        hashlib.blake2b(content[ends[row] : ends[row + 1]], digest_size=16).digest() for row in long
    )
    words = np.frombuffer(digests, "<u8").reshape(-1, 2)
    # No value stands at this position, since longer lists are not hashed by value.
    salts = _salts(name, column.values.type, _LONG_LIST + 1)[_LONG_LIST]
    for lane, mix in enumerate(_MIXERS):
        sums[long, lane] = mix(words[:, lane] + salts[lane])
    return sums


def _words_of(values: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """64 bits of each value for each half of an id."""
    if pa.types.is_large_binary(values.type):
        distinct = values.dictionary_encode()
        digests = b"".join(
            hashlib.blake2b(value.as_buffer(), digest_size=16).digest()
            for value in distinct.dictionary
        )
        words = np.frombuffer(digests, "<u8").reshape(-1, 2)[distinct.indices.to_numpy()]
        return words[:, 0], words[:, 1]
    numbers = values.to_numpy()
    bits = numbers.view(np.uint32) if numbers.dtype == np.float32 else numbers
    word = bits.astype(np.uint64)
    return word, word


def _salts(name: str, value_type: pa.DataType, positions: int) -> Ids:
    """A random-looking number for each position of a feature's list, and each half."""
    feature = f"{value_type}\0{name}".encode("utf-8", "surrogateescape")
    start = _two_words(feature)
    steps = np.arange(1, max(positions, 1) + 1, dtype=np.uint64) * _GOLDEN
    lanes = [mix(start[lane] + steps) for lane, mix in enumerate(_MIXERS)]
    return np.stack(lanes, axis=1)


def _two_words(content: bytes) -> NDArray[np.uint64]:
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return np.frombuffer(digest, "<u8").astype(np.uint64)


def _mix_splitmix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Stafford's mix 13, the output function of SplitMix64 (Steele, Lea, Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _mix_murmur(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The 64-bit finaliser of MurmurHash3 (Appleby 2011)."""
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


# The two halves of an id use different functions, so that no two rows agree in
# one half because they agree in the other.
_MIXERS = (_mix_splitmix, _mix_murmur)
