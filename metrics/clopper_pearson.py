"""Exact bounds of a share (Clopper and Pearson 1934)."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special


def lower_bound(count: ArrayLike, total: ArrayLike, alpha: ArrayLike) -> NDArray[np.float64]:
    """The lower bound of a share of which `count` of `total` were seen.

    The alpha quantile of Beta(count, total - count + 1), 0 at a count of 0 (Clopper
    and Pearson 1934, Biometrika 26; in the form of Brown, Cai and DasGupta 2001,
    equation 4).

    Args:
      count: How many were seen, in [0, total]; any shape. Real numbers are allowed:
        a piecewise-linear ROC gives them.
      total: Out of how many, at least 1; an effective number need not be whole.
      alpha: One-sided error, in (0, 1).

    Returns:
      The bound, in [0, 1], of the shape that the arguments have together.
    """
    out_of = np.asarray(total, dtype=np.float64)
    seen = np.minimum(np.maximum(np.asarray(count, dtype=np.float64), 0.0), out_of)
    some = seen > 0
    bound = special.betaincinv(np.where(some, seen, 1.0), out_of - seen + 1.0, alpha)
    return np.asarray(np.where(some, bound, 0.0), dtype=np.float64)


def upper_bound(count: ArrayLike, total: ArrayLike, alpha: ArrayLike) -> NDArray[np.float64]:
    """The upper bound of a share of which `count` of `total` were seen.

    The mirror image of `lower_bound`; the arguments are the same.
    """
    unseen = np.asarray(total, dtype=np.float64) - np.asarray(count, dtype=np.float64)
    return 1.0 - lower_bound(unseen, total, alpha)


def lower_bounds_of_many(
    counts: NDArray[np.int64], total: int, alpha: float
) -> NDArray[np.float64]:
    """`lower_bound` at thousands of counts, as near as `distances_below` is.

    Args:
      counts: [k] int64, in [0, total].
      total: At least 1.
      alpha: One-sided error, in (0, 1).
    """
    return np.asarray(counts / total - distances_below(counts, total, alpha), dtype=np.float64)


def distances_below(
    counts: NDArray[np.int64] | NDArray[np.float64], total: int, alpha: float
) -> NDArray[np.float64]:
    """How far `lower_bound` lies below count / total, at thousands of counts for a hundred's cost.

    Between counts that stand close by the distance is interpolated: off by less than 1%.

    Args:
      counts: [k], in [0, total]; real numbers are allowed.
      total: At least 1.
      alpha: One-sided error, in (0, 1).
    """
    knots, distances = _distances_below(total, alpha)
    return np.interp(counts, knots, distances)


@functools.lru_cache(maxsize=1024)
def _distances_below(total: int, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    near_zero = np.unique(np.geomspace(1.0, max(1.0, total / 2.0), 64).round())
    knots = np.unique(np.concatenate(([0.0], near_zero, total - near_zero, [float(total)])))
    return knots, knots / total - lower_bound(knots, total, alpha)
