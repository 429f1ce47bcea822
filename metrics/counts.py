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
class Thresholds:
    """The bins at which an attack decides, each in [0, b]. Chosen on FIT rows.

    Chosen there and judged on other rows, they cost no correction for having been
    chosen among many.

    Attributes:
      member: The attack calls the rows in this bin and above members: the bin at which
        TPR - FPR is largest.
      epsilon: As `member`, where the lower bound of epsilon is expected to be largest.
      guess_in: In the audit by canaries, the rows in this bin and above are guessed to
        be in the training data ...
      guess_out: ... and the rows below this bin to be out of it; of those between,
        nothing is said. At most `guess_in`.
    """

    member: int
    epsilon: int
    guess_in: int
    guess_out: int

    @staticmethod
    def all_at(bin_: int) -> Thresholds:
        """Every decision at one bin."""
        return Thresholds(member=bin_, epsilon=bin_, guess_in=bin_, guess_out=bin_)


@dataclasses.dataclass(frozen=True)
class ScoreEdges:
    """Where the scores of one attack are cut into bins. Chosen on FIT rows.

    Attributes:
      edges: [b - 1] float64, ascending. Bin i holds edges[i - 1] <= score < edges[i].
      thresholds: Where the attack decides.
    """

    edges: NDArray[np.float64]
    thresholds: Thresholds

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
class ControlRun:
    """One run of the attacks, or of the blind baseline, for a control.

    Attributes:
      edges: By attack.
      counts: By attack. JUDGE rows.
    """

    edges: Mapping[str, ScoreEdges]
    counts: Mapping[str, ScoreCounts]


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The counts of every attack on every slice of the JUDGE rows.

    Attributes:
      edges: By attack.
      counts: By attack and slice. The whole is there for every attack.
      slice_rows: By slice, members and non-members among the rows of the splits,
        whatever they are used for.
      controls: By the name of the run; see controls.py.
    """

    edges: Mapping[str, ScoreEdges]
    counts: Mapping[tuple[str, SliceKey], ScoreCounts]
    slice_rows: Mapping[SliceKey, tuple[int, int]] = dataclasses.field(default_factory=dict)
    controls: Mapping[str, ControlRun] = dataclasses.field(default_factory=dict)
