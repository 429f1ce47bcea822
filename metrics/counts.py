"""Counts of scores between fixed edges: all that evidence is computed from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

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

    # Every metric asks for these, several times.
    @functools.cached_property
    def n_members(self) -> int:
        return int(self.members.sum())

    @functools.cached_property
    def n_nonmembers(self) -> int:
        return int(self.nonmembers.sum())


def without_empty_bins(
    counts: ScoreCounts, thresholds: Thresholds
) -> tuple[ScoreCounts, Thresholds]:
    """The same rows at the same decisions, in the occupied bins alone.

    No metric tells the two apart, but for the last bits of its sums: an empty bin is a
    step of no length of every curve. With a hundred rows in two thousand bins it takes
    far less time.

    Raises:
      ValueError: If a threshold is outside the bins.
    """
    bins = len(counts.members)
    decisions = (thresholds.member, thresholds.epsilon, thresholds.guess_in, thresholds.guess_out)
    if not 0 <= min(decisions) <= max(decisions) <= bins:
        raise ValueError(f"thresholds: found {thresholds}, expected bins from 0 to {bins}")
    occupied = np.flatnonzero((counts.members != 0) | (counts.nonmembers != 0))
    if len(occupied) == bins:
        return counts, thresholds
    places = np.searchsorted(occupied, decisions).tolist()
    return (
        ScoreCounts(counts.members[occupied], counts.nonmembers[occupied]),
        Thresholds(*places),
    )


@dataclasses.dataclass(frozen=True)
class SparseCounts:
    """The same without the empty bins: a slice of a hundred rows fills a hundred at most.

    Attributes:
      occupied: [k] int32, ascending: the bins into which some row fell.
      members: [k] int64, how many members fell into each of them.
      nonmembers: [k] int64.
      bins: How many bins there are, empty ones too.
    """

    occupied: NDArray[np.int32]
    members: NDArray[np.int64]
    nonmembers: NDArray[np.int64]
    bins: int

    @staticmethod
    def of(counts: ScoreCounts) -> SparseCounts:
        """Leaves the empty bins out."""
        occupied = np.flatnonzero((counts.members != 0) | (counts.nonmembers != 0))
        return SparseCounts(
            occupied.astype(np.int32),
            counts.members[occupied],
            counts.nonmembers[occupied],
            len(counts.members),
        )

    def dense(self) -> ScoreCounts:
        """Every bin again."""
        counts = ScoreCounts(np.zeros(self.bins, np.int64), np.zeros(self.bins, np.int64))
        counts.members[self.occupied] = self.members
        counts.nonmembers[self.occupied] = self.nonmembers
        return counts


class CountsTable(Mapping[tuple[str, SliceKey], ScoreCounts]):
    """Counts by attack and slice, kept without empty bins; whoever asks gets every bin.

    A thousand slices of seven attacks have millions of bins, of which few are filled.
    """

    def __init__(self, sparse: Mapping[tuple[str, SliceKey], SparseCounts]) -> None:
        self._sparse = dict(sparse)

    @staticmethod
    def of(counts: Mapping[tuple[str, SliceKey], ScoreCounts]) -> CountsTable:
        """The same counts without empty bins; a table as it is."""
        if isinstance(counts, CountsTable):
            return counts
        return CountsTable({place: SparseCounts.of(part) for place, part in counts.items()})

    def __getitem__(self, place: tuple[str, SliceKey]) -> ScoreCounts:
        return self._sparse[place].dense()

    def __contains__(self, place: object) -> bool:
        return place in self._sparse

    def __iter__(self) -> Iterator[tuple[str, SliceKey]]:
        return iter(self._sparse)

    def __len__(self) -> int:
        return len(self._sparse)

    def sparse(self, place: tuple[str, SliceKey]) -> SparseCounts:
        """The counts as they are kept.

        Raises:
          KeyError: If nothing was counted there.
        """
        return self._sparse[place]


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
      counts: By attack and slice; a CountsTable where slices can be many. The whole is
        there for every attack.
      slice_rows: By slice, members and non-members among the rows of the splits,
        whatever they are used for.
      controls: By the name of the run; see controls.py.
    """

    edges: Mapping[str, ScoreEdges]
    counts: Mapping[tuple[str, SliceKey], ScoreCounts]
    slice_rows: Mapping[SliceKey, tuple[int, int]] = dataclasses.field(default_factory=dict)
    controls: Mapping[str, ControlRun] = dataclasses.field(default_factory=dict)
