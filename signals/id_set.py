"""A set of records, in no order: how many there are, and a digest of their ids."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfx_privacy.signals.identity import Ids, mixed_ids

_MASK = (1 << 64) - 1


@dataclasses.dataclass(frozen=True)
class IdSet:
    """Counted and summed, so that parts can be added in any order and grouping.

    A record that comes twice counts twice: two sets are equal where the same ids come
    equally often, but for a chance of some 2^-128.

    Attributes:
      records: How many.
      sums: Of a hash of each id, modulo 2^64 in each half.
    """

    records: int = 0
    sums: tuple[int, int] = (0, 0)

    @staticmethod
    def of(ids: Ids) -> IdSet:
        """The set of ids [n, 2]."""
        first, second = np.add.reduce(mixed_ids(ids), axis=0, dtype=np.uint64).tolist()
        return IdSet(len(ids), (first, second))

    def __add__(self, other: IdSet) -> IdSet:
        first, second = (a + b & _MASK for a, b in zip(self.sums, other.sums, strict=True))
        return IdSet(self.records + other.records, (first, second))

    @property
    def digest(self) -> str:
        """32 hexadecimal digits."""
        return "".join(f"{half:016x}" for half in self.sums)
