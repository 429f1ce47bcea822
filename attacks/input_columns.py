"""Columns of numbers, for trees, made of the features that a model is given."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfx_privacy.signals.batch import Signals

# Columns of all features together, at most.
MAX_COLUMNS = 1024

# Words that have a rank of their own; with the one code of all others, as many values
# as trees tell apart.
_WORDS = 254

# A feature in which more than this share of the words are different is a key or a
# text: it says nothing about a row that was not seen.
_NEARLY_ALL = 0.9

_LARGEST = np.finfo(np.float32).max


class Form(enum.Enum):
    """How the values of a feature become columns."""

    # Numbers, as many in every row: one column for each position.
    FIXED = "fixed"
    # Numbers, of which rows have different numbers: length, first, mean, min, max.
    RAGGED = "ragged"
    # Words: the first word's rank by frequency.
    WORD = "word"
    # The number of values alone.
    LENGTH = "length"


@dataclasses.dataclass(frozen=True)
class InputFeature:
    """How one feature becomes columns.

    Attributes:
      name: Of the feature.
      form: See Form.
      positions: [k] int64, the values that have columns (FIXED).
      words: [v] uint64, ascending, the words that have a rank (WORD).
      ranks: [v] int64, their ranks (WORD).
    """

    name: str
    form: Form
    positions: NDArray[np.int64]
    words: NDArray[np.uint64]
    ranks: NDArray[np.int64]

    @property
    def columns(self) -> int:
        return {Form.FIXED: len(self.positions), Form.RAGGED: 5}.get(self.form, 1)


@dataclasses.dataclass(frozen=True)
class InputColumns:
    """Columns of the inputs, as FIT rows suggest them. NaN stands for a missing value."""

    features: Sequence[InputFeature]

    @staticmethod
    def fit(inputs: Mapping[str, pa.Array]) -> InputColumns:
        """Chooses the columns.

        Args:
          inputs: By feature, a list array: of float32 for numbers, of uint64 for words.
        """
        found = [one for name in sorted(inputs) for one in _features(name, inputs[name])]
        return InputColumns(_within(found, MAX_COLUMNS))

    @property
    def names(self) -> tuple[str, ...]:
        """The feature of each column."""
        return tuple(one.name for one in self.features for _ in range(one.columns))

    def __call__(self, signals: Signals) -> NDArray[np.float32]:
        """The columns of n rows, [n, d].

        Raises:
          ValueError: If a feature is missing.
        """
        missing = sorted({one.name for one in self.features} - set(signals.inputs))
        if missing:
            raise ValueError(
                f"found no inputs of {', '.join(missing)}; expected those that the attack was "
                f"fitted on; there are {', '.join(sorted(signals.inputs)) or 'none'}"
            )
        columns = np.empty((len(signals), len(self.names)), np.float32)
        first = 0
        for one in self.features:
            last = first + one.columns
            columns[:, first:last] = _columns(one, _Lists.of(signals.inputs[one.name]))
            first = last
        # Infinity is larger than any number, and trees cut between numbers.
        return np.clip(columns, -_LARGEST, _LARGEST)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "names": np.array([one.name for one in self.features], np.str_),
            "forms": np.array([one.form.value for one in self.features], np.str_),
        }
        for i, one in enumerate(self.features):
            arrays |= {
                f"positions_{i}": one.positions,
                f"words_{i}": one.words,
                f"ranks_{i}": one.ranks,
            }
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> InputColumns:
        """The columns that `arrays` came from; further arrays are left alone."""
        named = zip(arrays["names"].tolist(), arrays["forms"].tolist(), strict=True)
        return InputColumns(
            [
                InputFeature(
                    name,
                    Form(form),
                    arrays[f"positions_{i}"],
                    arrays[f"words_{i}"],
                    arrays[f"ranks_{i}"],
                )
                for i, (name, form) in enumerate(named)
            ]
        )


@dataclasses.dataclass(frozen=True)
class _Lists:
    """A list array of n rows as plain arrays.

    Attributes:
      lengths: [n] int64.
      starts: [n] int64, where a row's values begin.
      values: Of all rows.
    """

    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    values: NDArray[Any]

    @staticmethod
    def of(array: pa.Array) -> _Lists:
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        lengths = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
        # Not `values`: that has the rows outside a slice, and those of nulls.
        values = array.flatten().to_numpy(zero_copy_only=False)
        return _Lists(lengths, np.cumsum(lengths) - lengths, values)

    def at(self, position: int, absent: float) -> NDArray[Any]:
        """The value at a position of each row, [n]; `absent` where a row is too short."""
        chosen = np.full(len(self.lengths), absent, self.values.dtype)
        there = self.lengths > position
        chosen[there] = self.values[self.starts[there] + position]
        return chosen


def _features(name: str, array: pa.Array) -> list[InputFeature]:
    lists = _Lists.of(array)
    nothing = (np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int64))
    shortest, longest = _range(lists.lengths)
    if pa.types.is_floating(array.type.value_type):
        if longest > 1 and shortest < longest:
            return [InputFeature(name, Form.RAGGED, *nothing)]
        positions = np.arange(longest, dtype=np.int64)
        return [InputFeature(name, Form.FIXED, positions, *nothing[1:])] if longest else []
    features = []
    words, ranks = _ranked(lists)
    if len(words):
        features.append(InputFeature(name, Form.WORD, nothing[0], words, ranks))
    if shortest < longest:
        features.append(InputFeature(name, Form.LENGTH, *nothing))
    return features


def _ranked(lists: _Lists) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The most frequent first words, ascending, and their ranks; none where all differ."""
    there = lists.lengths > 0
    words, counts = np.unique(lists.values[lists.starts[there]], return_counts=True)
    if len(words) > _NEARLY_ALL * there.sum():
        words, counts = words[:0], counts[:0]
    # Ties by the word's hash: whatever the order of the rows.
    frequent = np.sort(np.lexsort((words, -counts))[:_WORDS])
    rank = np.empty(len(frequent), np.int64)
    rank[np.lexsort((words[frequent], -counts[frequent]))] = np.arange(len(frequent))
    return words[frequent].astype(np.uint64), rank


def _within(features: Sequence[InputFeature], limit: int) -> list[InputFeature]:
    """The features with so many columns in all, evenly spaced ones where there are more."""
    if len(features) > limit:
        chosen = _spaced(len(features), limit)
        features = [features[i] for i in chosen]
    fixed = sum(one.columns for one in features if one.form == Form.FIXED)
    others = sum(one.columns for one in features if one.form != Form.FIXED)
    if fixed + others <= limit:
        return list(features)
    share = max(limit - others, 0) / max(fixed, 1)
    kept = []
    for one in features:
        if one.form == Form.FIXED:
            number = min(len(one.positions), max(1, int(len(one.positions) * share)))
            positions = one.positions[_spaced(len(one.positions), number)]
            one = dataclasses.replace(one, positions=positions)
        kept.append(one)
    # Where one column a feature is too many still: as many features as there is room for.
    total = np.cumsum([one.columns for one in kept])
    if total[-1] <= limit:
        return kept
    room = int(len(kept) * limit / total[-1])
    return [kept[i] for i in _spaced(len(kept), room)][:room]


def _spaced(number: int, wanted: int) -> NDArray[np.int64]:
    """So many of 0 .. number - 1, at even distances, from the first to the last."""
    return np.unique(np.linspace(0, number - 1, wanted).round().astype(np.int64))


def _columns(feature: InputFeature, lists: _Lists) -> NDArray[np.float32]:
    """[n, columns]."""
    if feature.form == Form.LENGTH:
        return lists.lengths[:, None].astype(np.float32)
    if feature.form == Form.FIXED:
        return np.stack([lists.at(int(k), np.nan) for k in feature.positions], axis=1)
    if feature.form == Form.RAGGED:
        return _summary(lists)
    found = lists.at(0, 0)
    place = np.minimum(np.searchsorted(feature.words, found), len(feature.words) - 1)
    known = feature.words[place] == found
    codes = np.where(known, feature.ranks[place], len(feature.words)).astype(np.float32)
    codes[lists.lengths == 0] = np.nan
    return codes[:, None]


def _summary(lists: _Lists) -> NDArray[np.float32]:
    """Length, first, mean, min, max of each row, [n, 5]."""
    summary = np.full((len(lists.lengths), 5), np.nan, np.float32)
    summary[:, 0] = lists.lengths
    there = lists.lengths > 0
    if there.any():
        starts = lists.starts[there]
        summary[there, 1] = lists.values[starts]
        # Each row's sum by itself: a running sum would carry rounding from row to row.
        sums = np.add.reduceat(lists.values.astype(np.float64), starts)
        summary[there, 2] = sums / lists.lengths[there]
        summary[there, 3] = np.minimum.reduceat(lists.values, starts)
        summary[there, 4] = np.maximum.reduceat(lists.values, starts)
    return summary


def _range(lengths: NDArray[np.int64]) -> tuple[int, int]:
    return (int(lengths.min()), int(lengths.max())) if len(lengths) else (0, 0)
