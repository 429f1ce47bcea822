"""Members and non-members of FIT rows: both must be there, and count the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def check_sides(member: NDArray[np.bool_]) -> None:
    """Raises ValueError where a side has no rows."""
    members = int(member.sum())
    if members == 0 or members == len(member):
        raise ValueError(
            f"found {members} members and {len(member) - members} non-members to fit an attack on; "
            "expected at least one of each"
        )


def smaller_side(member: NDArray[np.bool_]) -> int:
    """The number of members or of non-members, whichever is smaller."""
    members = int(member.sum())
    return min(members, len(member) - members)


def balancing_weights(member: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A weight for each row, [n]: each side has half of the total weight, which is n.

    Raises:
      ValueError: If a side has no rows.
    """
    check_sides(member)
    share = member.mean()
    return np.where(member, 0.5 / share, 0.5 / (1 - share))


def balanced_folds(
    member: NDArray[np.bool_], folds: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """A fold for each row at random, [n] in 0 .. folds - 1.

    Each side is dealt out evenly, the last fold getting one row less where it does
    not come out even. Each fold has rows of a side that has at least `folds` rows.
    """
    fold = np.empty(len(member), np.int64)
    for side in (member, ~member):
        rows = generator.permutation(np.flatnonzero(side))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def sample_of_both(
    member: NDArray[np.bool_], rows: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """So many rows at most, at random, half of them of each side where there are enough.

    Returns:
      Indices of the rows, in rising order; all rows where there are no more than wanted.
    """
    if len(member) <= rows:
        return np.arange(len(member))
    sides = [generator.permutation(np.flatnonzero(side)) for side in (member, ~member)]
    smaller = min(len(side) for side in sides)
    # What one side does not need is the other's.
    room = max(rows - smaller, rows - rows // 2)
    return np.sort(np.concatenate([side[:room] for side in sides]))
