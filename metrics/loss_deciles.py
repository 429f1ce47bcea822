"""Tenths of the rows by loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# "1" has the smallest losses.
DECILES = tuple(str(number) for number in range(1, 11))


def choose_decile_edges(
    loss: NDArray[np.float32], member: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The losses that end a tenth each: [9] float64, ascending; none without rows.

    The k-th is the smallest loss at or below which lie k tenths of the rows, members
    and non-members weighing the same together, however many there are of each.

    Args:
      loss: [n] FIT rows' losses.
      member: [n] bool.
    """
    if not len(loss):
        return np.empty(0, np.float64)
    members = int(np.count_nonzero(member))
    nonmembers = len(member) - members
    # Whole numbers: a share of .3 is to be one exactly. A side without rows has no weight.
    weights = np.where(member, max(nonmembers, 1), max(members, 1)).astype(np.int64)
    order = np.argsort(loss, kind="stable")
    below = np.cumsum(weights[order])
    tenths = np.arange(1, len(DECILES), dtype=np.int64) * below[-1]
    positions = np.searchsorted(below * len(DECILES), tenths, side="left")
    return np.asarray(loss[order][positions], dtype=np.float64)


def decile_of(loss: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """The index in DECILES of each row's tenth, [n] int64.

    Where many rows have the same loss several edges are one, and the tenths between
    them have no rows: with half of the losses 0 there are "1" and "6" to "10".
    """
    return np.searchsorted(edges, loss.astype(np.float64), side="left").astype(np.int64)
