"""Tabular features with a domain each, and records of them as rows of a matrix.

What every synthesis needs to know about the data: which values a feature may take.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError

# Codes are float64, which tells all integers up to this one apart.
_MOST_VALUES = 2**53


@dataclasses.dataclass(frozen=True)
class Binary:
    """A feature of two values, in rows as 0 and 1.

    Attributes:
      values: What the two codes stand for.
    """

    values: tuple[Hashable, Hashable] = (0, 1)

    def __post_init__(self) -> None:
        _check_values("binary", self.values)
        if len(self.values) != 2:
            raise InputError(f"a binary feature has two values, found {self.values!r}")


@dataclasses.dataclass(frozen=True)
class Categorical:
    """A feature of finitely many values, in rows as codes 0 to len(values) - 1.

    Attributes:
      values: What the codes stand for. `range(n)` says how many there are, and no more.
    """

    values: tuple[Hashable, ...] | range

    def __post_init__(self) -> None:
        _check_values("categorical", self.values)


@dataclasses.dataclass(frozen=True)
class BoundedReal:
    """A real number in [low, high], in rows as it is."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise InputError(
                f"a bounded real feature needs finite low <= high, found low {self.low}, "
                f"high {self.high}"
            )
        if not math.isfinite(self.high - self.low):
            raise InputError(f"the range from {self.low} to {self.high} is too wide for float64")


Kind = Binary | Categorical | BoundedReal


@dataclasses.dataclass(frozen=True)
class Feature:
    """A named feature of a record.

    Attributes:
      name: As in the examples.
      kind: The domain of each of its values.
      shape: () for one value; otherwise that of a dense tensor of values of the same domain.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """How many columns of a row it takes."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class FeatureTable:
    """The features of a record, and what can be done with rows of them.

    Rows are [n, width] float64: columns in the order of the features, several for a feature with
    a shape; codes for binary and categorical features.

    Attributes:
      features: At least one; names differ.
    """

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        counts = collections.Counter(self.names)
        if repeated := sorted(name for name, count in counts.items() if count > 1):
            raise InputError(f"features {repeated} come more than once")
        if not self.width:
            raise InputError("a table needs at least one feature with at least one value")

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(feature.name for feature in self.features)

    @functools.cached_property
    def width(self) -> int:
        """Columns of a row."""
        return sum(feature.width for feature in self.features)

    @functools.cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of each column."""
        return tuple(kind for each in self.features for kind in [each.kind] * each.width)

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """What messages call each column: its feature's name, with a position if it has several."""
        return tuple(
            each.name if each.shape == () else f"{each.name}{[int(i) for i in position]}"
            for each in self.features
            for position in np.ndindex(each.shape)
        )

    def draw(self, rows: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Records drawn uniformly over the domain, [rows, width]."""
        return self._from_uniform(generator.random((rows, self.width)), np.arange(self.width))

    def redraw(
        self,
        rows: NDArray[np.float64],
        chosen: NDArray[np.bool_],
        generator: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Copies of records with chosen values drawn anew, uniformly over their domains.

        Args:
          rows: [n, width].
          chosen: [n, width], which values. The new one may be the old one.
          generator: The source of chance.
        """
        changed = rows.copy()
        at, column = np.nonzero(chosen)
        changed[at, column] = self._from_uniform(generator.random(len(at)), column)
        return changed

    def perturb(
        self,
        rows: NDArray[np.float64],
        chosen: NDArray[np.bool_],
        generator: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Copies of records with chosen values changed: binary ones flipped, others drawn anew.

        Args:
          rows: [n, width].
          chosen: [n, width], which values.
          generator: The source of chance.
        """
        flipped = chosen & self._is_binary
        changed = self.redraw(rows, chosen & ~self._is_binary, generator)
        changed[flipped] = 1.0 - changed[flipped]
        return changed

    def checked(self, rows: NDArray[np.generic]) -> NDArray[np.float64]:
        """Rows as float64.

        Raises:
          InputError: If they are not [n, width], or a value is outside its domain.
        """
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise InputError(
                f"rows of shape {rows.shape} found, expected (n, {self.width}) for the "
                f"{len(self.features)} features"
            )
        values = rows.astype(np.float64)
        inside = (values >= self._low) & (values <= self._high)
        inside &= self._is_real | (values == np.floor(values))
        if not inside.all():
            row, column = (int(first) for first in np.argwhere(~inside)[0])
            codes = "" if self._is_real[column] else "the codes "
            raise InputError(
                f"feature {self.columns[column]!r} has the value {values[row, column]} in row "
                f"{row}, outside its domain, {codes}{self._low[column]:g} to "
                f"{self._high[column]:g} ({int((~inside).sum())} such values in all)"
            )
        return values

    def encode(self, columns: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float64]:
        """Rows [n, width] of values as they stand in the data.

        Args:
          columns: By feature, [n, *shape]. Others than the table's are ignored.

        Raises:
          InputError: If a feature is missing, has another shape, or a value outside its domain.
        """
        if lacking := [name for name in self.names if name not in columns]:
            raise InputError(f"features {lacking} are missing; found {sorted(columns)}")
        lengths = {name: len(columns[name]) for name in self.names}
        if len(set(lengths.values())) > 1:
            raise InputError(f"features have different numbers of rows: {lengths}")
        return self.checked(
            np.concatenate([_encoded(each, columns[each.name]) for each in self.features], axis=1)
        )

    def decode(self, rows: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
        """Values as they stand in the data, by feature, [n, *shape]; what `encode` takes."""
        ends = np.cumsum([feature.width for feature in self.features])
        parts = np.split(rows, ends[:-1], axis=1)
        return {
            feature.name: _decoded(feature.kind, part).reshape((len(rows), *feature.shape))
            for feature, part in zip(self.features, parts, strict=True)
        }

    def _from_uniform(
        self, uniform: NDArray[np.float64], column: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Values of given columns from numbers uniform in [0, 1)."""
        # A code c is drawn where the number falls into [c, c + 1) / count.
        span = np.where(self._is_real, self._high - self._low, self._high + 1)[column]
        value = self._low[column] + uniform * span
        value = np.where(self._is_real[column], value, np.floor(value))
        return np.minimum(value, self._high[column])

    @functools.cached_property
    def _is_binary(self) -> NDArray[np.bool_]:
        return np.array([isinstance(kind, Binary) for kind in self.kinds])

    @functools.cached_property
    def _is_real(self) -> NDArray[np.bool_]:
        return np.array([isinstance(kind, BoundedReal) for kind in self.kinds])

    @functools.cached_property
    def _low(self) -> NDArray[np.float64]:
        return np.array([_bounds(kind)[0] for kind in self.kinds])

    @functools.cached_property
    def _high(self) -> NDArray[np.float64]:
        return np.array([_bounds(kind)[1] for kind in self.kinds])


def _bounds(kind: Kind) -> tuple[float, float]:
    if isinstance(kind, BoundedReal):
        return kind.low, kind.high
    return 0.0, float(len(kind.values) - 1)


def _check_values(what: str, values: Sequence[Hashable]) -> None:
    if not values:
        raise InputError(f"a {what} feature needs at least one value, found none")
    if isinstance(values, range):
        if len(values) > _MOST_VALUES:
            raise InputError(f"a {what} feature has at most 2**53 values, found {len(values)}")
    elif len(set(values)) < len(values):
        raise InputError(f"values of a {what} feature come more than once: {values!r}")


def _encoded(feature: Feature, column: NDArray[np.generic]) -> NDArray[np.float64]:
    """Columns [n, width] of a feature's values."""
    if column.shape[1:] not in (feature.shape, (feature.shape or (1,))):
        raise InputError(
            f"feature {feature.name!r} has shape {column.shape}, expected (n, "
            f"{', '.join(str(size) for size in feature.shape) or '1'})"
        )
    flat = column.reshape(len(column), feature.width)
    kind = feature.kind
    if isinstance(kind, BoundedReal):
        return flat.astype(np.float64)
    found, inverse = np.unique(flat, return_inverse=True)
    codes = np.array(_codes(feature.name, kind, found.tolist()), dtype=np.float64)
    return codes[inverse].reshape(flat.shape)


def _codes(name: str, kind: Binary | Categorical, found: list[Hashable]) -> list[int]:
    """The code of each of the values that a feature takes."""
    known = kind.values
    example = next(iter(known))
    values = [_as_in_domain(value, example) for value in found]
    codes: dict[Hashable, int]
    if isinstance(known, range):
        # Not gone through: it may be long.
        integers = [value for value in values if isinstance(value, int)]
        codes = {value: known.index(value) for value in integers if value in known}
    else:
        codes = {value: code for code, value in enumerate(known)}
    if outside := [value for value in values if value not in codes]:
        shown = ", ".join(repr(value) for value in itertools.islice(known, 5))
        raise InputError(
            f"feature {name!r} has the value {outside[0]!r}, which is not in its domain of "
            f"{len(known)} values ({shown}{', ...' if len(known) > 5 else ''})"
        )
    return [codes[value] for value in values]


def _as_in_domain(value: Hashable, example: Hashable) -> Hashable:
    """A value of the type the domain has: text may come as bytes, integers as floats."""
    if isinstance(value, bytes) and isinstance(example, str):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, float) and isinstance(example, int) and value.is_integer():
        return int(value)
    return value


def _decoded(kind: Kind, codes: NDArray[np.float64]) -> NDArray[np.generic]:
    if isinstance(kind, BoundedReal):
        return codes
    positions = codes.astype(np.int64)
    if isinstance(kind.values, range):
        return np.asarray(kind.values.start + kind.values.step * positions)
    # NumPy would pad text and bytes to one length.
    text = isinstance(kind.values[0], (bytes, str))
    return np.array(kind.values, dtype=object if text else None)[positions]
