"""What each row is used for: decided by hashes of ids, so the same on every run."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.identity import Ids, hash_fractions

# The share of rows, or of units, that attacks are fitted on.
FIT_SHARE = 1 / 3


class Role(enum.IntEnum):
    """What a row is used for."""

    # Attacks, thresholds and bin edges come from these rows and from no others.
    FIT = 0
    # Every interval and verdict comes from these.
    JUDGE = 1
    # Left out: its id occurs more than once in members and non-members together.
    DUPLICATE = 2
    # Left out: another row of the same unit was taken.
    SAME_UNIT = 3


def assign_roles(
    ids: Ids, units: Ids | None, seed: int, *, check_duplicates: bool
) -> NDArray[np.int8]:
    """The role of every row of one bucket of a signals table.

    Rows whose id occurs more than once are left out on both sides: leaving out
    only those that members and non-members share would show leaks that are not
    there. For the same reason the one row of a unit is chosen from the unit's
    members and non-members together.

    Args:
      ids: [n, 2], of all rows of the bucket, members and non-members.
      units: [n, 2], the rows' units, or None where every row is a unit.
      seed: Of the whole measurement.
      check_duplicates: Whether equal ids mean equal rows.

    Returns:
      [n] int8, values of `Role`.
    """
    basis = ids if units is None else units
    fit = hash_fractions(basis, seed, "fit") < FIT_SHARE
    roles = np.where(fit, Role.FIT, Role.JUDGE).astype(np.int8)
    duplicate = repeats(ids) if check_duplicates else np.zeros(len(ids), np.bool_)
    if units is not None:
        candidates = np.flatnonzero(~duplicate)
        roles[candidates[_not_chosen(ids[candidates], units[candidates], seed)]] = Role.SAME_UNIT
    roles[duplicate] = Role.DUPLICATE
    return roles


def repeats(ids: Ids) -> NDArray[np.bool_]:
    """Whether each id occurs more than once, [n] bool."""
    order = _order(ids)
    same = _same_as_previous(ids[order])
    repeated = same.copy()
    repeated[:-1] |= same[1:]
    result = np.empty(len(ids), np.bool_)
    result[order] = repeated
    return result


def on_both_sides(ids: Ids, member: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each id occurs among members and among non-members, [n] bool."""
    order = _order(ids)
    group = np.cumsum(~_same_as_previous(ids[order])) - 1
    groups = int(group[-1]) + 1 if len(group) else 0
    sides = [np.bincount(group[member[order] == side], minlength=groups) for side in (True, False)]
    result = np.empty(len(ids), np.bool_)
    result[order] = ((sides[0] > 0) & (sides[1] > 0))[group]
    return result


def _not_chosen(ids: Ids, units: Ids, seed: int) -> NDArray[np.bool_]:
    """All rows of each unit but the one with the smallest hash."""
    chance = hash_fractions(ids, seed, "unit")
    # Ids break the ties of hashes, so that the order of the rows does not matter.
    order = np.lexsort((ids[:, 1], ids[:, 0], chance, units[:, 1], units[:, 0]))
    result = np.empty(len(ids), np.bool_)
    result[order] = _same_as_previous(units[order])
    return result


def _order(ids: Ids) -> NDArray[np.int64]:
    return np.asarray(np.lexsort((ids[:, 1], ids[:, 0])), np.int64)


def _same_as_previous(ordered: Ids) -> NDArray[np.bool_]:
    same = np.zeros(len(ordered), np.bool_)
    same[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    return same
