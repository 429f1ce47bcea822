"""Input features: what an example says by itself, for attackers that never see the model.

Numbers stay numbers; a string is kept as a hash of 64 bits, which tells it from any
other and is no text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pyarrow as pa

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import word_hashes

NUMBER, WORD = "number", "word"

# The name of a feature, and NUMBER or WORD.
InputFeature = tuple[str, str]

_TYPES = {NUMBER: pa.list_(pa.float32()), WORD: pa.list_(pa.uint64())}


def input_type(kind: str) -> pa.DataType:
    """The type of an input column: list<float32> for NUMBER, list<uint64> for WORD."""
    return _TYPES[kind]


def kind_of(column: pa.Array) -> str:
    """NUMBER or WORD, for a list array of int64, float32 or bytes."""
    return WORD if pa.types.is_large_binary(column.type.value_type) else NUMBER


def choose_inputs(
    spec: config_pb2.InputSpec,
    samples: Mapping[str, Mapping[str, pa.Array]],
    never_by_default: Collection[str],
) -> tuple[InputFeature, ...]:
    """Which features are inputs, and of which kind they are, judged by samples.

    Args:
      spec: The features that are named, and those that are excluded.
      samples: Of each source ("split 'train'"), decoded examples by feature name.
      never_by_default: Features that are inputs only where they are named.

    Returns:
      The features, sorted by name.

    Raises:
      InputError: If a feature that is named is in no sample, or one is numbers in one
        sample and strings in another.
    """
    found = {name for features in samples.values() for name in features}
    unknown = sorted(set(spec.feature_keys) - found)
    if unknown:
        raise InputError(
            f"inputs.feature_keys names {unknown[0]!r}, which is in none of the first examples of "
            f"{', '.join(samples)}. Features found: {', '.join(sorted(found)) or 'none'}"
        )
    chosen = set(spec.feature_keys) or found - set(never_by_default)
    chosen -= set(spec.excluded_feature_keys)
    return tuple((name, _kind_in_all(name, samples)) for name in sorted(chosen))


def _kind_in_all(name: str, samples: Mapping[str, Mapping[str, pa.Array]]) -> str:
    kinds = {
        where: kind_of(features[name]) for where, features in samples.items() if name in features
    }
    first = next(iter(kinds.values()))
    for where, kind in kinds.items():
        _require_kind(name, kind, first, where)
    return first


def input_columns(
    features: Mapping[str, pa.Array], rows: int, wanted: Iterable[InputFeature], where: str
) -> dict[str, pa.Array]:
    """The inputs of decoded examples.

    Numbers become float32: whole numbers beyond 2^24 lose their last digits.

    Args:
      features: By name, a list array of int64, float32 or bytes for all rows.
      rows: The number of rows.
      wanted: The features that are inputs; what else the examples have is left out.
      where: Where the rows come from, for errors: "split 'train'".

    Returns:
      By name a list array of `input_type`; where a row has nothing its list is empty.

    Raises:
      InputError: If a feature is of another kind than it should be.
    """
    columns = {}
    for name, kind in wanted:
        column = features.get(name)
        if column is not None:
            _require_kind(name, kind_of(column), kind, where)
        columns[name] = _input_column(column, kind, rows)
    return columns


def _require_kind(name: str, found: str, expected: str, where: str) -> None:
    if found != expected:
        words = {NUMBER: "numbers", WORD: "strings"}
        raise InputError(
            f"{where}: feature {name!r} holds {words[found]}: expected {words[expected]}, as in "
            "other examples. To leave the feature out, name it in inputs.excluded_feature_keys"
        )


def _input_column(column: pa.Array | None, kind: str, rows: int) -> pa.Array:
    if column is None:
        return pa.ListArray.from_arrays(
            pa.array(np.zeros(rows + 1, np.int32)), pa.array([], input_type(kind).value_type)
        )
    # Missing rows are null in `column`. Offsets without a bitmap make them empty.
    offsets = pa.array(column.offsets.to_numpy().astype(np.int32))
    if kind == WORD:
        return pa.ListArray.from_arrays(offsets, pa.array(word_hashes(column.values)))
    numbers = column.values.to_numpy().astype(np.float32, copy=False)
    return pa.ListArray.from_arrays(offsets, pa.array(numbers))
