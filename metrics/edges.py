"""Where scores are cut into bins, and counting them there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics.choose_thresholds import choose_thresholds
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, Thresholds

# Bins an attack's scores are cut into, at most.
MAX_BINS = 2048


def choose_edges(
    scores: NDArray[np.float64], member: NDArray[np.bool_], max_bins: int = MAX_BINS
) -> ScoreEdges:
    """Chooses edges and thresholds from the scores of FIT rows.

    Half of the edges are quantiles at equal steps, for the body of the curve; half
    are quantiles at levels 1 - q with q in equal ratios from 1/2 down to one row, for
    TPR at small FPR. Members and non-members have their own, in equal numbers, so
    that neither side's tail is lost in the other's bulk. Edges are scores that occur:
    a score that many rows share gets an edge of its own.

    Args:
      scores: [n] float64, higher is more member-like.
      member: [n] bool; at least one row a side.
      max_bins: Bins at most, at least 2.

    Returns:
      Edges, the first of which is the smallest score; the bin below it is empty on
      FIT rows. Thresholds are at edges; see `choose_thresholds`.

    Raises:
      ValueError: If a side has no rows, a score is NaN or infinite, or max_bins < 2.
    """
    if max_bins < 2:
        raise ValueError(f"max_bins: found {max_bins}, expected at least 2")
    _require_scores(scores, member)
    sides = (np.sort(scores[member]), np.sort(scores[~member]))
    if min(len(side) for side in sides) == 0:
        raise ValueError(
            f"no edges: found scores of {len(sides[0])} members and {len(sides[1])} non-members, "
            "expected at least one of each"
        )
    edges = np.unique(scores)
    if len(edges) > max_bins - 1:
        per_side = (max_bins - 2) // 2
        edges = np.unique(
            np.concatenate(([edges[0]], *(_quantiles(side, per_side) for side in sides)))
        )
    counts = count_scores(scores, member, ScoreEdges(edges, Thresholds.all_at(0)))
    return ScoreEdges(edges, choose_thresholds(counts))


def bin_scores(scores: NDArray[np.float64], edges: ScoreEdges) -> NDArray[np.int64]:
    """The bin of each score, [n] int64 in [0, edges.bins).

    Raises:
      ValueError: If a score is NaN or infinite.
    """
    _require_finite(scores)
    return np.searchsorted(edges.edges, scores, side="right").astype(np.int64, copy=False)


def count_scores(
    scores: NDArray[np.float64], member: NDArray[np.bool_], edges: ScoreEdges
) -> ScoreCounts:
    """Counts members and non-members in each bin.

    Args:
      scores: [n] float64.
      member: [n] bool.
      edges: Where to cut.

    Raises:
      ValueError: If a score is NaN or infinite, or the lengths differ.
    """
    _require_scores(scores, member)
    return count_bins(bin_scores(scores, edges), member, edges.bins)


def count_bins(bins: NDArray[np.int64], member: NDArray[np.bool_], n_bins: int) -> ScoreCounts:
    """Counts members and non-members in each bin, of rows whose bins are known.

    Args:
      bins: [n] int64 in [0, n_bins), as from `bin_scores`.
      member: [n] bool.
      n_bins: How many bins there are.

    Raises:
      ValueError: If the lengths differ, or a bin is not in [0, n_bins).
    """
    if bins.shape != member.shape:
        raise ValueError(
            f"bins and membership: found shapes {bins.shape} and {member.shape}, "
            "expected one value a row in both"
        )
    if len(bins) and not 0 <= bins.min() <= bins.max() < n_bins:
        raise ValueError(f"bins: found {bins.min()} to {bins.max()}, expected 0 to {n_bins - 1}")
    return ScoreCounts(
        members=np.bincount(bins[member], minlength=n_bins).astype(np.int64, copy=False),
        nonmembers=np.bincount(bins[~member], minlength=n_bins).astype(np.int64, copy=False),
    )


def _quantiles(ordered: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """`number` order statistics: half at equal steps, half towards the top."""
    rows = len(ordered)
    steps = np.arange(number // 2) / (number // 2)
    from_top = np.geomspace(1.0 / rows, 0.5, number - number // 2)
    levels = np.concatenate((steps, 1.0 - from_top))
    # Rounding: 1 - 1/rows is to be the last row but none, whatever its last bit.
    positions = np.clip(np.round(levels * rows), 0, rows - 1).astype(np.int64)
    return np.asarray(ordered[positions], dtype=np.float64)


def _require_scores(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> None:
    if scores.shape != member.shape or scores.ndim != 1:
        raise ValueError(
            f"scores and membership: found shapes {scores.shape} and {member.shape}, "
            "expected one value a row in both"
        )
    _require_finite(scores)


def _require_finite(scores: NDArray[np.float64]) -> None:
    wrong = int(np.count_nonzero(~np.isfinite(scores)))
    if wrong:
        raise ValueError(
            f"scores: found NaN or infinity in {wrong} of {len(scores)} rows, expected numbers"
        )
