"""The counts of an attack on all judged records, where a plot can be made of them."""

from __future__ import annotations

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts


def whole_counts(evidence: Evidence, attack: str) -> ScoreCounts | None:
    """The counts of both sides; None where there are none, or a side has no records."""
    counts = evidence.counts.get((attack, WHOLE))
    if counts is None or not counts.n_members or not counts.n_nonmembers:
        return None
    return counts
