"""Counts at many edges put together into the few bars of a histogram."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges

_BARS = 20
# Bars with fewer records of a side than this would show noise.
_FEWEST_A_BAR = 20
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Histogram:
    """How the scores of members and non-members are spread over k bars.

    Attributes:
      starts: [k - 1] float64, the score at which each bar but the first begins.
      members: [k] int64.
      nonmembers: [k] int64.
      threshold_bar: The attack calls the records of this bar and above members;
        k where it calls none so.
    """

    starts: NDArray[np.float64]
    members: NDArray[np.int64]
    nonmembers: NDArray[np.int64]
    threshold_bar: int

    @property
    def bars(self) -> int:
        """How many bars there are."""
        return len(self.members)


def histogram(counts: ScoreCounts, edges: ScoreEdges) -> Histogram:
    """Merges bins until each bar holds about the same share of records.

    Members and non-members weigh alike in this, whatever their numbers. Scores
    differ too much from attack to attack for bars of equal width: on most of them
    all records would stand in one bar. If the attack could not tell members from
    non-members, each side would have the same share in each bar. One bar begins at
    the attack's threshold.

    Args:
      counts: Rows of both sides.
      edges: Where the scores were cut, and the threshold.
    """
    fewest = min(counts.n_members, counts.n_nonmembers)
    bars = int(np.clip(fewest // _FEWEST_A_BAR, 2, _BARS))
    weight = (counts.members / counts.n_members + counts.nonmembers / counts.n_nonmembers) / 2
    share_below = np.concatenate([[0.0], np.cumsum(weight)])
    cuts = _cuts(share_below, edges.thresholds.member, bars)
    bounds = np.concatenate([[0], cuts])
    return Histogram(
        starts=edges.edges[cuts - 1],
        members=np.add.reduceat(counts.members, bounds),
        nonmembers=np.add.reduceat(counts.nonmembers, bounds),
        threshold_bar=(
            int(np.searchsorted(bounds, edges.thresholds.member))
            if share_below[edges.thresholds.member] > 0
            else 0
        ),
    )


def _cuts(share_below: NDArray[np.float64], threshold: int, bars: int) -> NDArray[np.int64]:
    """The bins that bars but the first begin at: the threshold, and on both sides equal shares.

    Args:
      share_below: [b + 1] float64, the share of records below each bin.
      threshold: In [0, b].
      bars: How many bars are wanted; ties may leave fewer.
    """
    below = float(share_below[threshold])
    if not 0 < below < 1:
        wanted = np.linspace(0, 1, bars + 1)[1:-1]
        cuts = np.searchsorted(share_below, wanted - _ROUNDING)
    else:
        bars_below = int(np.clip(round(bars * below), 1, bars - 1))
        wanted_below = np.linspace(0, below, bars_below + 1)[1:-1]
        wanted_above = np.linspace(below, 1, bars - bars_below + 1)[1:-1]
        lower, upper = (
            np.searchsorted(share_below, wanted - _ROUNDING)
            for wanted in (wanted_below, wanted_above)
        )
        cuts = np.concatenate([lower, [threshold], upper])
    cuts = np.unique(cuts)
    return cuts[(cuts > 0) & (cuts < len(share_below) - 1)]
