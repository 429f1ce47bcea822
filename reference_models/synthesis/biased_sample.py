"""Non-uniform sampling: real records whose classes have other shares than in the population."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError


def biased_sample(
    labels: NDArray[np.int64],
    shares: Mapping[int, float],
    size: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Rows drawn without replacement so that classes have given shares.

    Args:
      labels: [n], the class of each row.
      shares: By class, positive or 0, not all 0; they are divided by their sum. Classes not named
        are left out.
      size: Rows to draw. Of a class come its share of them, rounded so that they add up (largest
        remainders first).
      generator: The source of chance.

    Returns:
      [size], positions in labels, in random order.

    Raises:
      InputError: If shares are negative or all 0, or a class has fewer rows than are to be drawn.
    """
    classes = sorted(shares)
    weights = np.array([shares[label] for label in classes], dtype=np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise InputError(
            f"shares of classes must be finite, not negative and not all 0, found {dict(shares)}"
        )
    if size < 0:
        raise InputError(f"the size of a sample must be at least 0, found {size}")
    drawn = [
        _draw_class(labels, label, count, generator)
        for label, count in zip(classes, _apportion(weights, size).tolist(), strict=True)
    ]
    return generator.permutation(np.concatenate(drawn))


def unequal_shares(classes: int, ratio: float, generator: np.random.Generator) -> dict[int, float]:
    """Shares of classes 0 to classes - 1 in a geometric sequence, in random order.

    Args:
      classes: How many, at least 1.
      ratio: The largest share over the smallest, at least 1.
      generator: The source of chance.

    Raises:
      InputError: If there are no classes, or the ratio is below 1.
    """
    if classes < 1 or not 1 <= ratio < np.inf:
        raise InputError(
            f"expected at least 1 class and a finite ratio of at least 1, found {classes} and "
            f"{ratio}"
        )
    weights = generator.permutation(np.geomspace(1.0, ratio, classes))
    return dict(enumerate((weights / weights.sum()).tolist()))


def _draw_class(
    labels: NDArray[np.int64], label: int, count: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    rows = np.flatnonzero(labels == label)
    if count > len(rows):
        raise InputError(
            f"{count} rows of class {label} are to be drawn, but only {len(rows)} of the "
            f"{len(labels)} rows are of that class: ask for fewer rows, or a smaller share of it"
        )
    drawn: NDArray[np.int64] = generator.choice(rows, size=count, replace=False)
    return drawn


def _apportion(weights: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """How many of `size` each weight gets, by largest remainders."""
    exact = weights / weights.sum() * size
    counts: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    # Ties go to the first, and rounding errors of a sum do not make one remainder the larger.
    remainders = np.round(exact - counts, 9)
    largest = np.argsort(-remainders, kind="stable")[: size - int(counts.sum())]
    counts[largest] += 1
    return counts
