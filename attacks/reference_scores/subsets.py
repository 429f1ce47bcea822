"""Which of the reference models to use, to see what fewer of them would have shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class ReferenceSubset:
    """Some of the reference models.

    Attributes:
      size: How many they are, an even number.
      models: [size], their indices among all, ascending: whole pairs.
    """

    size: int
    models: NDArray[np.int64]


def reference_subsets(k: int) -> Iterator[ReferenceSubset]:
    """Subsets of 2, 4, 8, ... and of all k models, smallest first.

    Models 2j and 2j + 1 stay together, since a record is then in exactly half of a
    subset too. Of each size come as many as have no model in common, k // size: their
    mean says what so many models show with less chance than one of them does.

    Args:
      k: The number of reference models, even and at least 2.

    Raises:
      ValueError: If k is odd or less than 2.
    """
    if k < 2 or k % 2:
        raise ValueError(
            f"found {k} reference models; expected complementary pairs, an even number of models"
        )
    return (
        ReferenceSubset(size, np.arange(start, start + size, dtype=np.int64))
        for size in _sizes(k)
        for start in range(0, k - size + 1, size)
    )


def _sizes(k: int) -> list[int]:
    """2, 4, 8, ... below k, and k."""
    return [2**power for power in range(1, k.bit_length()) if 2**power < k] + [k]
