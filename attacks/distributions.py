"""Distributions of scores, each known from a sample, without ties beyond its ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The rows of all groups from which a tail's scale is estimated: a tenth, but not so few
# that the scale is a matter of one or two rows.
_TAIL_SHARE = 0.1
_TAIL_ROWS = 10


@dataclasses.dataclass(frozen=True)
class Distributions:
    """What share of each group's sample lies below a score, as log-odds.

    At a value of the sample the share is F = (rows below it + half of those at it) / n,
    in between F is linear. Beyond the smallest and the largest value the log-odds of F
    go on in a straight line, which is an exponential tail. Its scale is that of all
    groups' rows together (the mean excess over the start of their outer tenth, Hill's
    estimator where scores are logarithms): a group's own few rows tell nothing of its
    tail, and far out the order of rows of different groups is then that of their scores.

    Attributes:
      values: [v] float64, the distinct values of each group in ascending order, one
        group after the other.
      shares: [v] float64, F there, in (0, 1).
      starts: [g + 1] int64, where each group begins, and the end.
      scales: [2] float64, positive: how far it is in the lower and in the upper tail to
        a log-odds of one less, or more.
    """

    values: NDArray[np.float64]
    shares: NDArray[np.float64]
    starts: NDArray[np.int64]
    scales: NDArray[np.float64]

    @staticmethod
    def fit(scores: NDArray[np.float64], group: NDArray[np.int64], groups: int) -> Distributions:
        """The distributions of samples; the order of their rows is of no consequence.

        Args:
          scores: [n] float64, finite; n is at least 1.
          group: [n] int64 in [0, groups), whose sample each score belongs to.
          groups: How many there are; each has at least one row.

        Raises:
          ValueError: If a group has no rows.
        """
        rows = np.bincount(group, minlength=groups)
        if groups == 0 or rows.min() == 0:
            raise ValueError(
                f"found {rows.tolist()} scores in groups; expected one or more in each"
            )
        order = np.lexsort((scores, group))
        sorted_scores, sorted_group = scores[order], group[order]
        changes = (np.diff(sorted_scores) != 0) | (np.diff(sorted_group) != 0)
        first = np.flatnonzero(np.concatenate([[True], changes]))
        equal = np.diff(np.append(first, len(scores)))
        of_value = sorted_group[first]
        below = first - (np.cumsum(rows) - rows)[of_value]
        ascending = np.sort(scores)
        return Distributions(
            values=sorted_scores[first],
            shares=(below + equal / 2) / rows[of_value],
            starts=np.searchsorted(of_value, np.arange(groups + 1)).astype(np.int64),
            scales=np.array([_tail_scale(-ascending[::-1]), _tail_scale(ascending)]),
        )

    def log_odds(
        self, scores: NDArray[np.float64], group: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The log-odds of F at each score, in its group's distribution, [n].

        Args:
          scores: [n] float64, finite.
          group: [n] int64.
        """
        start, last = self.starts[group], self.starts[group + 1] - 1
        # The values on both sides; one and the same beyond an end.
        above = self._first_above(scores, group)
        left = np.maximum(above - 1, start)
        right = np.minimum(above, last)
        gap = self.values[right] - self.values[left]
        inside = np.clip(scores, self.values[start], self.values[last])
        step = (inside - self.values[left]) / np.where(gap > 0, gap, 1.0)
        share = self.shares[left] + step * (self.shares[right] - self.shares[left])
        beyond = np.where(
            scores < inside,
            (scores - inside) / self.scales[0],
            (scores - inside) / self.scales[1],
        )
        log_odds: NDArray[np.float64] = np.log(share) - np.log1p(-share) + beyond
        return log_odds

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Distributions:
        """The distributions that `arrays` came from; further arrays are left alone."""
        names = [field.name for field in dataclasses.fields(Distributions)]
        return Distributions(**{name: arrays[name] for name in names})

    def _first_above(
        self, scores: NDArray[np.float64], group: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Where in `values` the first of the group above the score is, or the group's end.

        A binary search for all rows at once, each within its group.
        """
        low, high = self.starts[group], self.starts[group + 1]
        for _ in range(int(np.diff(self.starts).max()).bit_length()):
            middle = (low + high) // 2
            # Where nothing is left to search, middle may be the next group's start.
            value = self.values[np.minimum(middle, len(self.values) - 1)]
            goes_up = (low < high) & (value <= scores)
            low, high = np.where(goes_up, middle + 1, low), np.where(goes_up, high, middle)
        return low


def _tail_scale(ascending: NDArray[np.float64]) -> float:
    """The mean excess of the largest values over the largest of the others."""
    rows = len(ascending)
    tail = min(max(int(np.ceil(_TAIL_SHARE * rows)), _TAIL_ROWS), rows - 1)
    if tail == 0:
        return 1.0
    scale = float((ascending[-tail:] - ascending[-tail - 1]).mean())
    return scale if scale > 0 else 1.0
