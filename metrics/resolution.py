"""How much the quantisation of scores can hide."""

from __future__ import annotations

from tfx_privacy.metrics.checks import require_both_sides
from tfx_privacy.metrics.counts import ScoreCounts


def resolution(counts: ScoreCounts) -> float:
    """Half the probability that a member and a non-member fall into the same bin.

    The AUC of the scores themselves lies at most so far from that of their bins.

    Raises:
      ValueError: If a side has no rows.
    """
    require_both_sides(counts)
    shares = counts.members / counts.n_members
    return float(shares @ (counts.nonmembers / counts.n_nonmembers)) / 2.0
