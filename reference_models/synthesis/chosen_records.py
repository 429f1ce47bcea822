"""At most so many records of splits, chosen by a hash of what is in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.decode import Columns, decode
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.examples import ExampleBatch, ExampleSplit, batches_of, files_of
from tfx_privacy.signals.identity import content_ids, hash_fractions


@dataclasses.dataclass(frozen=True, eq=False)
class ChosenRecords:
    """Some of the records of splits; read from the files each time that they are gone through.

    Attributes:
      splits: Where they are.
      positions: [n], which records, counted over all files from 0, ascending.
      total: How many there are.
    """

    splits: tuple[ExampleSplit, ...]
    positions: NDArray[np.int64]
    total: int

    @staticmethod
    def choose(splits: Sequence[ExampleSplit], most: int, seed: int) -> ChosenRecords:
        """Chooses the records whose hashes are the smallest: the same of the same data.

        What is kept meanwhile is 8 bytes a record.

        Args:
          splits: Where the records are.
          most: How many are wanted.
          seed: Of the hash.

        Raises:
          InputError: If a file cannot be read, or there is no record.
        """
        parts = []
        for batch in _batches(splits):
            columns = decode(batch.records, batch.where)
            ids = content_ids(columns.features, columns.rows, columns.sequences)
            parts.append(hash_fractions(ids, seed, "records for synthesis"))
        if not parts:
            raise InputError(f"{_named(splits)} holds no record to make synthetic ones of")
        fractions = np.concatenate(parts)
        positions = np.sort(np.argsort(fractions, kind="stable")[:most])
        return ChosenRecords(tuple(splits), positions, len(fractions))

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def where(self) -> str:
        """The splits in words."""
        return _named(self.splits)

    def batches(self) -> Iterator[tuple[list[bytes], str]]:
        """Some thousand records at a time, at least one, and where they come from."""
        start = 0
        for batch in _batches(self.splits):
            end = start + len(batch.records)
            first, last = np.searchsorted(self.positions, (start, end))
            if last > first:
                here = (self.positions[first:last] - start).tolist()
                yield [batch.records[i] for i in here], batch.where
            start = end

    def decoded(self) -> Iterator[tuple[Columns, str]]:
        """As `batches`, decoded."""
        for records, where in self.batches():
            yield decode(records, where), where


def _batches(splits: Sequence[ExampleSplit]) -> Iterator[ExampleBatch]:
    for split in splits:
        for file in files_of(split):
            yield from batches_of(file)


def _named(splits: Sequence[ExampleSplit]) -> str:
    names = ", ".join(repr(split.name) for split in splits)
    return f"split {names}" if len(splits) == 1 else f"splits {names}"
