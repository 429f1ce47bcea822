"""Counts of scores between fixed edges: all that evidence is computed from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# The features and values that make a slice, sorted by feature; () is the whole.
SliceKey = tuple[tuple[str, str], ...]
WHOLE: SliceKey = ()


@dataclasses.dataclass(frozen=True)
class ScoreEdges:
    """Where the scores of one attack are cut into bins. Chosen on FIT rows.

    Attributes:
      edges: [b - 1] float64, ascending. Bin i holds edges[i - 1] <= score < edges[i].
      threshold_bin: The attack calls the rows in this bin and above members: the
        bin at which TPR - FPR is largest on FIT rows. In [0, b].
    """

    edges: NDArray[np.float64]
    threshold_bin: int

    @property
    def bins(self) -> int:
        return len(self.edges) + 1


@dataclasses.dataclass(frozen=True)
class ScoreCounts:
    """How many members and non-members fell into each bin.

    Attributes:
      members: [b] int64.
      nonmembers: [b] int64.
    """

    members: NDArray[np.int64]
    nonmembers: NDArray[np.int64]

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        return ScoreCounts(self.members + other.members, self.nonmembers + other.nonmembers)

    @property
    def n_members(self) -> int:
        return int(self.members.sum())

    @property
    def n_nonmembers(self) -> int:
        return int(self.nonmembers.sum())


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The counts of every attack on every slice of the JUDGE rows.

    Attributes:
      edges: By attack.
      counts: By attack and slice. The whole is there for every attack.
    """

    edges: Mapping[str, ScoreEdges]
    counts: Mapping[tuple[str, SliceKey], ScoreCounts]
