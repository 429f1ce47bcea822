"""Finding records by their ids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.identity import Ids


class RecordIndex:
    """Distinct ids in ascending order, and where each of n rows is among them.

    Attributes:
      size: How many distinct ids there are.
      places: [n], for each row the place of its id, in 0 .. size - 1.
    """

    def __init__(self, ids: Ids) -> None:
        """Sorts the ids, [n, 2] uint64; some may be equal."""
        self._order = np.lexsort((ids[:, 1], ids[:, 0]))
        ordered = ids[self._order]
        first = np.ones(len(ids), np.bool_)
        first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        self._starts = np.flatnonzero(first)
        self._distinct = ordered[first]
        self.size = len(self._distinct)
        self.places = np.empty(len(ids), np.int64)
        self.places[self._order] = np.cumsum(first) - 1

    def find(self, ids: Ids) -> NDArray[np.int64]:
        """The place of each of m ids among the distinct ones, [m]; -1 where it is none of them."""
        high, low = self._distinct[:, 0], self._distinct[:, 1]
        at = np.searchsorted(high, ids[:, 0])
        if not self.size:
            return np.full(len(ids), -1, np.int64)
        while True:
            here = np.minimum(at, self.size - 1)
            same = (at < self.size) & (high[here] == ids[:, 0])
            # Of ids that share a half, the next: a step at most, but for a chance of 2^-64.
            behind = same & (low[here] < ids[:, 1])
            if not behind.any():
                break
            at = at + behind
        found: NDArray[np.int64] = np.where(same & (low[here] == ids[:, 1]), at, -1)
        return found

    def a_row(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each place one of the n rows that have its id."""
        rows: NDArray[np.int64] = self._order[self._starts[places]]
        return rows
