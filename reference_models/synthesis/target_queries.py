"""The target as an attacker sees it: a callable, each row of whose answers is a distribution."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError

# Rows [m, width] of features to probabilities [m, classes].
Target = Callable[[NDArray[np.float64]], NDArray[np.generic]]

# What a target is asked about: rows, or serialised records.
Asked = TypeVar("Asked", bound=Sized)

# A service may round what it returns.
_SUM_TOLERANCE = 0.01


class TargetQueries(Generic[Asked]):
    """Calls a target, checks what it answers, and counts the rows it was asked about."""

    def __init__(self, target: Callable[[Asked], NDArray[np.generic]]) -> None:
        self._target = target
        self._classes: int | None = None
        self._count = 0

    @property
    def count(self) -> int:
        """Rows the target was asked about so far."""
        return self._count

    @property
    def classes(self) -> int:
        """Classes that it answers with; 0 before the first call."""
        return self._classes or 0

    def __call__(self, rows: Asked) -> NDArray[np.float64]:
        """Probabilities of rows.

        Args:
          rows: [m, width], or m serialised records; m at least 1.

        Returns:
          [m, classes]; all calls give as many classes.

        Raises:
          InputError: If the answer has another shape, values that are no probabilities, or rows
            that do not sum to 1.
        """
        answer = np.asarray(self._target(rows))
        self._count += len(rows)
        if answer.ndim != 2 or len(answer) != len(rows) or answer.shape[1] < 2:
            raise _wrong(
                f"an array of shape {answer.shape} for {len(rows)} rows",
                f"({len(rows)}, classes) with at least two classes",
            )
        if self._classes is not None and answer.shape[1] != self._classes:
            raise _wrong(f"{answer.shape[1]} classes", f"{self._classes} as in earlier calls")
        if answer.dtype.kind not in "fiu":
            raise _wrong(f"values of type {answer.dtype}", "numbers")
        self._classes = answer.shape[1]
        probabilities = answer.astype(np.float64)
        _check_distributions(probabilities)
        return probabilities


def _check_distributions(answer: NDArray[np.float64]) -> None:
    for what, bad in (
        ("values that are not finite", ~np.isfinite(answer).all(axis=1)),
        ("negative values", (answer < 0).any(axis=1)),
        ("rows that do not sum to 1", np.abs(answer.sum(axis=1) - 1) > _SUM_TOLERANCE),
    ):
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            shown = np.array2string(answer[first], precision=3, threshold=8, edgeitems=3)
            raise _wrong(
                f"{what} in {int(bad.sum())} of {len(answer)} rows, the first of them {first}: "
                f"{shown}",
                "probabilities (are these logits?)",
            )


def _wrong(found: str, expected: str) -> InputError:
    return InputError(f"the target returned {found}, expected {expected}")
