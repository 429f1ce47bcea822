"""Which values of a record to change: exactly so many, by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def choose(
    counts: NDArray[np.int64], width: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Of each row as many columns as asked, every such set equally likely.

    Args:
      counts: [n], how many, 0 to width.
      width: Columns of a row.
      generator: The source of chance; n * width numbers are taken from it.

    Returns:
      [n, width], True `counts` times in each row.
    """
    keys = generator.random((len(counts), width))
    chosen = np.zeros(keys.shape, dtype=bool)
    for count in np.unique(counts[counts > 0]).tolist():
        rows = np.flatnonzero(counts == count)
        smallest = np.argpartition(keys[rows], count - 1, axis=1)[:, :count]
        chosen[rows[:, None], smallest] = True
    return chosen
