"""Which rows are in which slice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics.counts import SliceKey
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

# What slices by signals are called in keys, whatever the label's feature is called.
SIGNAL_FEATURES: Mapping[config_pb2.SignalSlice.ValueType, str] = {
    config_pb2.CLASS: "label",
    config_pb2.LOSS_DECILE: "loss decile",
    config_pb2.CORRECTNESS: "prediction",
}


@dataclasses.dataclass(frozen=True)
class FeatureValues:
    """The values of one feature in n rows; a row has any number of them.

    Attributes:
      offsets: [n + 1] int64. Row i has the codes offsets[i] - offsets[0] up to
        offsets[i + 1] - offsets[0].
      codes: int64, indices into `vocabulary`.
      vocabulary: The values.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int64]
    vocabulary: Sequence[str]

    @staticmethod
    def of_rows(rows: Iterable[Sequence[str]]) -> FeatureValues:
        """The values of each row, from lists of strings."""
        values = [list(row) for row in rows]
        flat = [value for row in values for value in row]
        vocabulary, codes = np.unique(np.array(flat, dtype=np.str_), return_inverse=True)
        lengths = [len(row) for row in values]
        offsets = np.concatenate(([0], np.cumsum(np.array(lengths, dtype=np.int64))))
        return FeatureValues(offsets, codes.astype(np.int64), vocabulary.tolist())


@dataclasses.dataclass(frozen=True)
class SliceRows:
    """Which of n rows are in which slice: the same for every attack.

    Attributes:
      keys: The slices. Not the whole.
      rows: [p] int64, a row.
      slices: [p] int64, the index in `keys` of a slice that the row is in. Each pair
        stands once.
    """

    keys: tuple[SliceKey, ...]
    rows: NDArray[np.int64]
    slices: NDArray[np.int64]

    def among(self, chosen: NDArray[np.bool_]) -> SliceRows:
        """The same for the rows of a mask [n] alone, numbered as they are left."""
        kept = chosen[self.rows]
        numbers = np.cumsum(chosen) - 1
        return SliceRows(self.keys, numbers[self.rows[kept]], self.slices[kept])


def slice_rows(
    specs: Iterable[config_pb2.SlicingSpec], features: Mapping[str, FeatureValues]
) -> SliceRows:
    """Finds the slices of a batch of rows, with the meaning of tfma.SlicingSpec.

    `feature_keys` make one slice for each value, or combination of values, that
    occurs; a row with several values of a feature is in a slice of each, a row with
    none in no slice of that spec. `feature_values` keep the rows that have the value
    given, compared as numbers where both are. `signals` are crossed with the keys as
    features of the names in SIGNAL_FEATURES. The empty spec stands for the whole, which
    is counted anyway, and adds nothing.

    Args:
      specs: What to slice by.
      features: By name, the values in each row; all of the same number of rows. Signals
        are among them where a spec has any.

    Raises:
      ValueError: If a feature is missing, or a spec names one feature twice.
    """
    keys: dict[SliceKey, int] = {}
    rows_parts: list[NDArray[np.int64]] = []
    slices_parts: list[NDArray[np.int64]] = []
    for spec in specs:
        _require_features(spec, features)
        if not spec_features(spec):
            continue
        rows, local, local_keys = _rows_of_spec(spec, features)
        index = np.array([keys.setdefault(key, len(keys)) for key in local_keys], dtype=np.int64)
        rows_parts.append(rows)
        slices_parts.append(index[local] if len(index) else local)
    if not rows_parts:
        nothing = np.empty(0, dtype=np.int64)
        return SliceRows((), nothing, nothing)
    rows, slices = _distinct_pairs(np.concatenate(rows_parts), np.concatenate(slices_parts))
    return SliceRows(tuple(keys), rows, slices)


def spec_features(spec: config_pb2.SlicingSpec) -> list[str]:
    """The features in the keys of a spec's slices, signals among them, sorted."""
    signals = (SIGNAL_FEATURES[signal] for signal in spec.signals)
    return sorted({*spec.feature_keys, *spec.feature_values, *signals})


def _rows_of_spec(
    spec: config_pb2.SlicingSpec, features: Mapping[str, FeatureValues]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[SliceKey]]:
    """Pairs of a row and a slice of one spec, and the keys of its slices."""
    names = spec_features(spec)
    n_rows = len(features[names[0]].offsets) - 1
    rows = np.arange(n_rows, dtype=np.int64)
    combined = np.zeros(n_rows, dtype=np.int64)
    found: list[tuple[tuple[str, str], ...]] = [()]
    for name in names:
        values = features[name]
        if name in spec.feature_values:
            wanted = spec.feature_values[name]
            has = _rows_with_value(values, wanted)
            keep = has[rows]
            rows, combined = rows[keep], combined[keep]
            found = [(*key, (name, wanted)) for key in found]
        else:
            rows, combined, found = _cross(rows, combined, found, name, values)
    # What a later feature left without rows is no slice.
    present, combined = np.unique(combined, return_inverse=True)
    return rows, combined.astype(np.int64), [found[i] for i in present]


def _cross(
    rows: NDArray[np.int64],
    combined: NDArray[np.int64],
    found: list[tuple[tuple[str, str], ...]],
    name: str,
    values: FeatureValues,
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[tuple[tuple[str, str], ...]]]:
    """Splits each pair of a row and a slice by the row's values of one more feature."""
    start = values.offsets - values.offsets[0]
    lengths = np.diff(start)[rows]
    total = int(lengths.sum())
    pair = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
    within = np.arange(total, dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    codes = values.codes[start[rows][pair] + within]
    size = max(1, len(values.vocabulary))
    occurring, crossed = np.unique(combined[pair] * size + codes, return_inverse=True)
    keys = [
        (*found[int(code) // size], (name, values.vocabulary[int(code) % size]))
        for code in occurring
    ]
    return rows[pair], crossed.astype(np.int64), keys


def _rows_with_value(values: FeatureValues, wanted: str) -> NDArray[np.bool_]:
    matching = np.array([same_value(value, wanted) for value in values.vocabulary], dtype=np.bool_)
    rows = np.repeat(np.arange(len(values.offsets) - 1), np.diff(values.offsets))
    has = np.zeros(len(values.offsets) - 1, dtype=np.bool_)
    if len(matching):
        has[rows[matching[values.codes]]] = True
    return has


def same_value(value: str, wanted: str) -> bool:
    """Whether two values are the same, compared as numbers where both are."""
    if value == wanted:
        return True
    try:
        return float(value) == float(wanted)
    except ValueError:
        return False


def _distinct_pairs(
    rows: NDArray[np.int64], slices: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each pair once: a value may stand twice in a row, a slice come from two specs."""
    order = np.lexsort((rows, slices))
    rows, slices = rows[order], slices[order]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = (np.diff(rows) != 0) | (np.diff(slices) != 0)
    return rows[first], slices[first]


def _require_features(spec: config_pb2.SlicingSpec, features: Mapping[str, FeatureValues]) -> None:
    both = sorted(set(spec.feature_keys) & set(spec.feature_values))
    if both:
        raise ValueError(
            f"slicing spec: found {', '.join(both)} in both feature_keys and feature_values, "
            "expected each feature in one of them"
        )
    missing = sorted(set(spec_features(spec)) - set(features))
    if missing:
        raise ValueError(
            f"slicing spec: found no values of {', '.join(missing)}, "
            f"expected features among {', '.join(sorted(features)) or 'none'}"
        )
