"""Judged records by membership probability, whole and class by class."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics.risk_histogram import shown_edges

_MEMBER, _NONMEMBER = 0, 1


@dataclasses.dataclass
class Counted:
    """Records of a class, or all.

    Attributes:
      bins: [2, b] int64, members first.
      sums: [2] float64, of their membership probabilities.
    """

    bins: NDArray[np.int64]
    sums: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.bins.sum())

    def mean(self, side: int) -> float | None:
        """The mean probability of members (0) or non-members (1); None without any."""
        count = int(self.bins[side].sum())
        return float(self.sums[side]) / count if count else None


class RiskCounts:
    """Counts of membership probability, added to bucket by bucket."""

    def __init__(self, prior: float) -> None:
        self.edges = np.array(shown_edges(prior), np.float64)
        self.whole = self._nothing()
        self.classes: dict[int, Counted] = {}

    def add(
        self,
        risk: NDArray[np.float64],
        member: NDArray[np.bool_],
        classes: NDArray[np.int64] | None,
    ) -> None:
        """Adds records.

        Args:
          risk: [n].
          member: [n].
          classes: [n]; None where there are none.
        """
        self._count(self.whole, risk, member)
        if classes is None or not len(classes):
            return
        order = np.argsort(classes, kind="stable")
        labels, starts = np.unique(classes[order], return_index=True)
        for label, rows in zip(labels.tolist(), np.split(order, starts[1:]), strict=True):
            counted = self.classes.setdefault(label, self._nothing())
            self._count(counted, risk[rows], member[rows])

    def largest_classes(self, most: int) -> list[int]:
        """The classes with the most records, by rising number."""
        order = sorted(self.classes, key=lambda label: (-self.classes[label].rows, label))
        return sorted(order[:most])

    def _nothing(self) -> Counted:
        return Counted(np.zeros((2, len(self.edges) - 1), np.int64), np.zeros(2))

    def _count(
        self, counted: Counted, risk: NDArray[np.float64], member: NDArray[np.bool_]
    ) -> None:
        for side, rows in ((_MEMBER, member), (_NONMEMBER, ~member)):
            bins = np.searchsorted(self.edges[1:-1], risk[rows])
            counted.bins[side] += np.bincount(bins, minlength=len(self.edges) - 1)
            counted.sums[side] += float(risk[rows].sum())
