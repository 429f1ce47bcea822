"""The counts of all slices at once, of any rows, to be added up in any order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics.counts import SliceKey, SparseCounts
from tfx_privacy.metrics.slicing import SliceRows

# Numbers from here on are drawn by chance: those of slices that come last.
CHANCE_FROM = 1 << 63
# So many slices are told apart; how many more there are is estimated.
MOST_SEEN = 1 << 18


@dataclasses.dataclass(frozen=True)
class _Cells:
    """One attack's scores in all slices.

    Attributes:
      codes: [c] int64, ascending: slice * bins + bin, a slice by its place among the
        keys. Cells without a row are not there.
      members: [c] int64.
      nonmembers: [c] int64.
      bins: How many bins there are.
    """

    codes: NDArray[np.int64]
    members: NDArray[np.int64]
    nonmembers: NDArray[np.int64]
    bins: int


@dataclasses.dataclass(frozen=True)
class SliceTotals:
    """How many rows are in each slice, and how their scores fell into bins.

    Every slice has a number, the same wherever it is counted, and the `most` slices
    with the smallest numbers are measured. What is left out of a part on that rule
    would be left out of the sum, so parts add up to exactly what one pass over all rows
    gives.

    Attributes:
      most: Slices that are measured, at most.
      numbers: [d] uint64, ascending: every slice seen; the first MOST_SEEN of them.
      rows: [d, 2] int64, members and non-members among the rows of the splits.
      keys: The slices that are measured: the first `most`, or all.
      cells: By attack.
    """

    most: int
    numbers: NDArray[np.uint64]
    rows: NDArray[np.int64]
    keys: tuple[SliceKey, ...]
    cells: Mapping[str, _Cells]

    def __add__(self, other: SliceTotals) -> SliceTotals:
        parts = (self, other)
        numbers = np.union1d(self.numbers, other.numbers)[:MOST_SEEN]
        rows = np.zeros((len(numbers), 2), np.int64)
        keys: dict[int, SliceKey] = {}
        for part in parts:
            seen = part.numbers <= numbers[-1] if len(numbers) else np.zeros(0, np.bool_)
            # A part has each number once, so that adding at indices loses nothing.
            rows[np.searchsorted(numbers, part.numbers[seen])] += part.rows[seen]
            keys.update(zip(part.numbers.tolist(), part.keys, strict=False))
        measured = numbers[: self.most]
        attacks = dict.fromkeys([*self.cells, *other.cells])
        return SliceTotals(
            most=self.most,
            numbers=numbers,
            rows=rows,
            keys=tuple(keys[number] for number in measured.tolist()),
            cells={
                attack: _joined(
                    [part._renumbered(attack, measured) for part in parts if attack in part.cells]
                )
                for attack in attacks
            },
        )

    def slice_rows(self) -> dict[SliceKey, tuple[int, int]]:
        """Members and non-members of the splits in each slice that is measured."""
        rows = self.rows[: len(self.keys)].tolist()
        return {key: (row[0], row[1]) for key, row in zip(self.keys, rows, strict=True)}

    def counts(self) -> dict[tuple[str, SliceKey], SparseCounts]:
        """By attack and slice; slices without a scored row are not there."""
        counts = {}
        for attack, cells in self.cells.items():
            ends = np.searchsorted(cells.codes, np.arange(len(self.keys) + 1) * cells.bins)
            for place, key in enumerate(self.keys):
                part = slice(ends[place], ends[place + 1])
                if part.start < part.stop:
                    counts[attack, key] = SparseCounts(
                        (cells.codes[part] - place * cells.bins).astype(np.int32),
                        cells.members[part],
                        cells.nonmembers[part],
                        cells.bins,
                    )
        return counts

    def left_out(self) -> tuple[int, int]:
        """How many slices are not measured, and the rows of the splits in the largest.

        With MOST_SEEN slices or more the first is an estimate: chance numbers lie
        evenly, so the largest that was kept tells how many there are.
        """
        left = len(self.numbers) - len(self.keys)
        if not left:
            return 0, 0
        if len(self.numbers) == MOST_SEEN:
            by_chance = int(np.count_nonzero(self.numbers >= CHANCE_FROM))
            share = (int(self.numbers[-1]) + 1 - CHANCE_FROM) / CHANCE_FROM
            if by_chance > 1 and share > 0:
                left += round((by_chance - 1) / share) - by_chance
        return left, int(self.rows[len(self.keys) :].sum(axis=1).max())

    def _renumbered(self, attack: str, measured: NDArray[np.uint64]) -> _Cells:
        """An attack's cells with the slices' places among those that are measured."""
        cells = self.cells[attack]
        places = np.searchsorted(measured, self.numbers[: len(self.keys)])
        of_slice, bin_ = np.divmod(cells.codes, cells.bins)
        kept = places[of_slice] < len(measured)
        # The numbers ascend, and so do places: codes stay in order.
        codes = places[of_slice][kept] * cells.bins + bin_[kept]
        return _Cells(codes, cells.members[kept], cells.nonmembers[kept], cells.bins)


def count_rows_in_slices(
    slices: SliceRows, numbers: NDArray[np.uint64], member: NDArray[np.bool_], most: int
) -> SliceTotals:
    """How many rows are in each slice.

    Args:
      slices: Which rows are in which slice.
      numbers: The number of each of `slices.keys`, [s] uint64, each another.
      member: [n] bool.
      most: Slices to measure, at most.
    """
    sides = np.stack(
        [
            np.bincount(slices.slices[of_side], minlength=len(slices.keys))
            for of_side in (member[slices.rows], ~member[slices.rows])
        ],
        axis=1,
    ).astype(np.int64, copy=False)
    order = np.argsort(numbers)
    return SliceTotals(
        most=most,
        numbers=numbers[order][:MOST_SEEN],
        rows=sides[order][:MOST_SEEN],
        keys=tuple(slices.keys[place] for place in order[:most]),
        cells={},
    )


def count_scores_in_slices(
    slices: SliceRows,
    numbers: NDArray[np.uint64],
    member: NDArray[np.bool_],
    bins: Mapping[str, tuple[NDArray[np.int64], int]],
    most: int,
) -> SliceTotals:
    """How the scores of rows fell into bins, slice by slice. Rows are not counted again.

    Args:
      slices: Which rows are in which slice.
      numbers: The number of each of `slices.keys`, [s] uint64, each another.
      member: [n] bool.
      bins: By attack, the bin of each row's score, [n] int64, and how many bins there are.
      most: Slices to measure, at most.
    """
    empty = SliceRows(slices.keys, slices.rows[:0], slices.slices[:0])
    seen = count_rows_in_slices(empty, numbers, member, most)
    places = np.argsort(np.argsort(numbers))[slices.slices]
    measured = places < most
    rows, places = slices.rows[measured], places[measured]
    cells = {}
    for attack, (of_row, n_bins) in bins.items():
        codes = places * n_bins + of_row[rows]
        sides = [_cells_of_side(codes[of_side]) for of_side in (member[rows], ~member[rows])]
        (ins, n_ins), (outs, n_outs) = sides
        cells[attack] = _joined(
            [
                _Cells(ins, n_ins, np.zeros_like(n_ins), n_bins),
                _Cells(outs, np.zeros_like(n_outs), n_outs, n_bins),
            ]
        )
    return dataclasses.replace(seen, cells=cells)


def _cells_of_side(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    occupied, rows = np.unique(codes, return_counts=True)
    return occupied, rows.astype(np.int64, copy=False)


def _joined(parts: Sequence[_Cells]) -> _Cells:
    """The cells of all parts, those of the same code added up."""
    codes = np.concatenate([part.codes for part in parts])
    # Sorted runs one after the other: a stable sort merges them.
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))

    def added(sides: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        rows = np.concatenate(sides)[order]
        # Of no cells at all there is nothing to start a sum at.
        return np.add.reduceat(rows, starts) if len(starts) else rows

    return _Cells(
        codes=codes[starts],
        members=added([part.members for part in parts]),
        nonmembers=added([part.nonmembers for part in parts]),
        bins=parts[0].bins,
    )
