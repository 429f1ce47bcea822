"""One attack held against one limit: what is claimed, and how surely."""

from __future__ import annotations

import dataclasses

from tfx_privacy.metrics.counts import SliceKey
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric

# PASS needs the upper bound at this one-sided level within the limit.
PASS_ALPHA = 0.025
# Two-sided, of the intervals shown: each bound at PASS_ALPHA.
CONFIDENCE = 1.0 - 2.0 * PASS_ALPHA

# The threshold's place in the list, the attack and the slice.
ClaimName = tuple[int, str, SliceKey]


@dataclasses.dataclass(frozen=True)
class BaselineValue:
    """What a change is counted from.

    Attributes:
      interval: The metric in the baseline, each bound at PASS_ALPHA.
      members: Judged there.
      nonmembers: Judged there.
      shared_members: Judged in both measurements, and members in both; 0 where the
        difference is unpaired.
      shared_nonmembers: Likewise.
    """

    interval: Interval
    members: int
    nonmembers: int
    shared_members: int
    shared_nonmembers: int

    @property
    def paired(self) -> bool:
        return self.shared_members + self.shared_nonmembers > 0


@dataclasses.dataclass(frozen=True)
class Claim:
    """One attack, on the whole or on one slice, held against one limit.

    Attributes:
      threshold: The threshold's place in the list.
      metric: What is limited.
      limit: The largest value, or the largest rise, allowed.
      attack: The attack's name.
      slice: Where; () for the whole.
      members: Judged.
      nonmembers: Judged.
      rows: Rows of the splits there, both sides together, whatever they are used for.
      interval: The metric or its rise, each bound at PASS_ALPHA.
      p_value: Of "it is at most the limit"; before correction.
      baseline: What a rise is counted from; None where the limit is absolute.
    """

    threshold: int
    metric: Metric
    limit: float
    attack: str
    slice: SliceKey
    members: int
    nonmembers: int
    rows: int
    interval: Interval
    p_value: float
    baseline: BaselineValue | None = None

    @property
    def name(self) -> ClaimName:
        return self.threshold, self.attack, self.slice
