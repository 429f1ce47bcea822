"""Input features as the matrix of numbers that ML Privacy Meter's scripts expect."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfx_privacy.signals.inputs import WORD, InputFeature

# Of lists that differ in length no more than these values are kept: one row with a long
# list would make the matrix wide for all.
MOST_OF_A_LIST = 1_024
# float32 holds every whole number below this.
WORD_CODES = 1 << 24
# Of a part of the matrix that is in memory.
_PART_NUMBERS = 8 << 20


@dataclasses.dataclass
class _Lengths:
    """How many values the rows have of a feature, of rows that have any."""

    shortest: int = 0
    longest: int = 0
    longer_than_kept: int = 0

    def count(self, lengths: NDArray[np.int64]) -> None:
        there = lengths[lengths > 0]
        if not len(there):
            return
        shortest = int(there.min())
        self.shortest = min(self.shortest, shortest) if self.longest else shortest
        self.longest = max(self.longest, int(there.max()))
        self.longer_than_kept += int((there > MOST_OF_A_LIST).sum())

    @property
    def width(self) -> int:
        if self.shortest == self.longest:
            return self.longest
        return min(self.longest, MOST_OF_A_LIST)


class FeatureLengths:
    """Finds the columns of the matrix: sees every row once, in batches."""

    def __init__(self, features: Sequence[InputFeature]) -> None:
        self._features = tuple(features)
        self._lengths = {name: _Lengths() for name, _ in features}

    def count(self, inputs: Mapping[str, pa.Array]) -> None:
        """Adds rows.

        Args:
          inputs: As in Signals.
        """
        for name, lengths in self._lengths.items():
            lengths.count(_lengths_of(inputs[name]))

    def layout(self) -> FeatureLayout:
        """The columns for the rows that were counted."""
        columns, start = [], 0
        for name, kind in self._features:
            lengths = self._lengths[name]
            cut = lengths.longer_than_kept if lengths.width < lengths.longest else 0
            columns.append(FeatureColumns(name, kind, start, lengths.width, cut))
            start += lengths.width
        return FeatureLayout(tuple(columns))


@dataclasses.dataclass(frozen=True)
class FeatureColumns:
    """The columns of one feature.

    Attributes:
      feature: Its name.
      kind: "number" or "word".
      first_column: The first of its columns.
      columns: How many it has: as many as the longest row has values of it.
      rows_cut: Rows that have more values; their first ones are kept.
    """

    feature: str
    kind: str
    first_column: int
    columns: int
    rows_cut: int


@dataclasses.dataclass(frozen=True)
class FeatureLayout:
    """Which column of the matrix holds what."""

    features: tuple[FeatureColumns, ...]

    @property
    def columns(self) -> int:
        """Columns of the matrix."""
        return sum(one.columns for one in self.features)

    @property
    def rows_a_part(self) -> int:
        """How many rows of the matrix take some 32 MB."""
        return max(1, _PART_NUMBERS // max(self.columns, 1))

    def to_json(self) -> str:
        """The layout for readers of the matrix."""
        content = {
            "columns": self.columns,
            "missing": "NaN",
            "word": f"a hash of the word, a whole number below {WORD_CODES}; equal words have "
            "equal numbers, and two words the same one by chance in 1 of 16.8 million pairs",
            "features": [dataclasses.asdict(one) for one in self.features],
        }
        return json.dumps(content, indent=2) + "\n"

    def matrix(self, inputs: Mapping[str, pa.Array], rows: int) -> NDArray[np.float32]:
        """Rows of the matrix, [rows, columns] float32; NaN where a row has no value.

        Args:
          inputs: As in Signals.
          rows: How many they are.
        """
        found = np.full((rows, self.columns), np.nan, np.float32)
        for one in self.features:
            if one.columns:
                part = found[:, one.first_column : one.first_column + one.columns]
                _fill(part, inputs[one.feature], one.kind)
        return found


def _lengths_of(column: pa.Array) -> NDArray[np.int64]:
    return np.asarray(pc.list_value_length(column).to_numpy(zero_copy_only=False), np.int64)


def _fill(part: NDArray[np.float32], column: pa.Array, kind: str) -> None:
    lengths, values = _lengths_of(column), column.flatten().to_numpy()
    numbers = (values % WORD_CODES if kind == WORD else values).astype(np.float32)
    if (lengths == part.shape[1]).all():
        part[:] = numbers.reshape(part.shape)
        return
    starts = np.cumsum(lengths) - lengths
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(numbers)) - np.repeat(starts, lengths)
    kept = place < part.shape[1]
    part[row[kept], place[kept]] = numbers[kept]
