"""Statistics-based synthesis: each feature drawn independently from its marginal.

Shokri et al. 2017, section V.C: the attacker knows statistics of the population, not records.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.reference_models.synthesis.features import BoundedReal, FeatureTable
from tfx_privacy.signals.errors import InputError

# Bins of a real feature, equally full. A value that many records share fills bins of no width.
_BINS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class CodeMarginal:
    """Shares of the codes of a binary or categorical column.

    Attributes:
      codes: [m], those with a share.
      shares: [m], positive or 0, of sum 1.
    """

    codes: NDArray[np.float64]
    shares: NDArray[np.float64]

    def draw(self, rows: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Codes, [rows], each with the probability of its share."""
        drawn: NDArray[np.float64] = generator.choice(self.codes, size=rows, p=self.shares)
        return drawn


@dataclasses.dataclass(frozen=True, eq=False)
class BinMarginal:
    """A histogram of a real column, uniform within each bin.

    Attributes:
      low: [m], where each bin begins.
      high: [m], where it ends; at `low` for a single value.
      shares: [m], positive or 0, of sum 1.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    shares: NDArray[np.float64]

    def draw(self, rows: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Values, [rows]."""
        chosen = generator.choice(len(self.shares), size=rows, p=self.shares)
        low, high = self.low[chosen], self.high[chosen]
        # Rounding must not lead out of the domain.
        values: NDArray[np.float64] = np.clip(
            low + generator.random(rows) * (high - low), low, high
        )
        return values


@dataclasses.dataclass(frozen=True, eq=False)
class RangeMarginal:
    """A histogram of a column of codes that stand in an order, uniform within each bin.

    Attributes:
      first: [m], the first code of each bin.
      last: [m], its last.
      shares: [m], positive or 0, of sum 1.
    """

    first: NDArray[np.float64]
    last: NDArray[np.float64]
    shares: NDArray[np.float64]

    def draw(self, rows: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Codes, [rows]."""
        chosen = generator.choice(len(self.shares), size=rows, p=self.shares)
        first, last = self.first[chosen], self.last[chosen]
        codes = first + np.floor(generator.random(rows) * (last - first + 1))
        drawn: NDArray[np.float64] = np.minimum(codes, last)
        return drawn


Marginal = CodeMarginal | RangeMarginal | BinMarginal


@dataclasses.dataclass(frozen=True, eq=False)
class Marginals:
    """The distribution of each column, by itself.

    Attributes:
      columns: One a column of a row.
    """

    columns: tuple[Marginal, ...]

    def draw(self, rows: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Records, [rows, width], whose values are independent of each other."""
        return np.stack([column.draw(rows, generator) for column in self.columns], axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class ClassMarginals:
    """Marginals within each class: an attacker who knows more than `Marginals` has.

    Attributes:
      of_class: By class.
    """

    of_class: Mapping[int, Marginals]

    def draw(
        self, classes: NDArray[np.int64], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Records of given classes, [n, width] for classes [n].

        Raises:
          InputError: If a class has no marginals.
        """
        if unknown := sorted(set(classes.tolist()) - set(self.of_class)):
            raise InputError(
                f"no marginals of classes {unknown}; there are those of {sorted(self.of_class)}"
            )
        if not classes.size:
            raise InputError("no class to draw a record of")
        parts, places = [], []
        for label in np.unique(classes).tolist():
            places.append(np.flatnonzero(classes == label))
            parts.append(self.of_class[label].draw(len(places[-1]), generator))
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]


def marginals(features: FeatureTable, rows: NDArray[np.generic]) -> Marginals:
    """The marginals of data.

    A column of codes has the shares it has in the data; a real one a histogram of 100 equally
    full bins between its quantiles.

    Args:
      features: The domain.
      rows: [n, width].

    Raises:
      InputError: If there are no rows, or a value is outside its domain.
    """
    values = features.checked(rows)
    if not len(values):
        raise InputError("no rows to take marginals of")
    return Marginals(
        tuple(
            _real(column) if isinstance(kind, BoundedReal) else _codes(column)
            for kind, column in zip(features.kinds, values.T, strict=True)
        )
    )


def marginals_per_class(
    features: FeatureTable, rows: NDArray[np.generic], labels: NDArray[np.int64]
) -> ClassMarginals:
    """The marginals of data within each class.

    Args:
      features: The domain.
      rows: [n, width].
      labels: [n], the class of each.

    Raises:
      InputError: If there are no rows, not as many as labels, or a value is outside its domain.
    """
    if labels.shape != rows.shape[:1]:
        raise InputError(f"{len(rows)} rows need as many labels, found shape {labels.shape}")
    if not len(rows):
        raise InputError("no rows to take marginals of")
    return ClassMarginals(
        {label: marginals(features, rows[labels == label]) for label in np.unique(labels).tolist()}
    )


def _codes(column: NDArray[np.float64]) -> CodeMarginal:
    codes, counts = np.unique(column, return_counts=True)
    return CodeMarginal(codes, counts / counts.sum())


def _real(column: NDArray[np.float64]) -> BinMarginal:
    edges = np.quantile(column, np.linspace(0, 1, _BINS + 1))
    return BinMarginal(edges[:-1], edges[1:], np.full(_BINS, 1 / _BINS))
