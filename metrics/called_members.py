"""An attack that decides by itself which rows are members: how often it is right."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.checks import require_one_sided_error
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.precision import Precision

# Members and non-members count equally, however many rows there are of each.
_EQUAL = Precision(0.5)


@dataclasses.dataclass(frozen=True)
class CalledMembers:
    """JUDGE rows and those of them that are called members; at least one row a side.

    Attributes:
      members: Rows that are members.
      members_called: Of these, how many are called so.
      nonmembers: Rows that are not.
      nonmembers_called: Of these, how many are called members.
    """

    members: int
    members_called: int
    nonmembers: int
    nonmembers_called: int

    def precision(self, alpha: float) -> Interval:
        """Of rows called members the share that are, where sides are of equal size.

        TPR / (TPR + FPR), with the bounds of metrics/precision.py; 1/2 where no row is
        called a member.

        Args:
          alpha: One-sided error of each bound, in (0, 0.5).
        """
        return _EQUAL.measure(self._counts(), Thresholds.all_at(1), alpha)

    def recall(self, alpha: float) -> Interval:
        """Of members the share called so, with the interval of Clopper and Pearson 1934.

        Args:
          alpha: One-sided error of each bound, in (0, 0.5).
        """
        require_one_sided_error(alpha)
        return Interval(
            self.members_called / self.members,
            float(clopper_pearson.lower_bound(self.members_called, self.members, alpha)),
            float(clopper_pearson.upper_bound(self.members_called, self.members, alpha)),
        )

    def _counts(self) -> ScoreCounts:
        """Two bins: not called, called."""
        return ScoreCounts(
            np.array([self.members - self.members_called, self.members_called]),
            np.array([self.nonmembers - self.nonmembers_called, self.nonmembers_called]),
        )
