"""The ROC curve of a score, from its counts."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfx_privacy.metrics.checks import require_both_sides
from tfx_privacy.metrics.counts import ScoreCounts


@dataclasses.dataclass(frozen=True)
class Roc:
    """True-positive rate against false-positive rate, from the strictest threshold on.

    Point k calls the k highest bins members. Between the points the curve is a
    straight line: the attacker who calls a share of the rows of the next bin
    members, at random.

    Attributes:
      fpr: [b + 1] float64, ascending from 0 to 1.
      tpr: [b + 1] float64, ascending from 0 to 1.
    """

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]

    @staticmethod
    def from_counts(counts: ScoreCounts) -> Roc:
        """The curve of the rows that were counted.

        Raises:
          ValueError: If a side has no rows.
        """
        require_both_sides(counts)
        return Roc(fpr=_shares_from_top(counts.nonmembers), tpr=_shares_from_top(counts.members))

    def point(self, threshold_bin: int) -> int:
        """The index of the point at which bin `threshold_bin` and above are called members."""
        return len(self.fpr) - 1 - threshold_bin

    def tpr_at(self, fpr: ArrayLike) -> NDArray[np.float64]:
        """The curve's height at false-positive rates in [0, 1]; the top of vertical steps."""
        rates = np.asarray(fpr, dtype=np.float64)
        left = np.searchsorted(self.fpr, rates, side="right") - 1
        right = np.minimum(left + 1, len(self.fpr) - 1)
        run = self.fpr[right] - self.fpr[left]
        along = np.where(run > 0, (rates - self.fpr[left]) / np.where(run > 0, run, 1.0), 0.0)
        height = self.tpr[left] + along * (self.tpr[right] - self.tpr[left])
        return np.asarray(height, dtype=np.float64)


def _shares_from_top(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.zeros(len(counts) + 1, np.float64)
    np.cumsum(counts[::-1], out=shares[1:])
    shares /= shares[-1]
    return shares
