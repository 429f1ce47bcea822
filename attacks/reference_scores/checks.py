"""What goes into a score with reference models fits together: shapes, finite, some on a side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def check_queries(
    target: NDArray[np.float64], references: NDArray[np.float64], inside: NDArray[np.bool_]
) -> None:
    """Of several queries a record: target [n, q], references [n, k, q], inside [n, k].

    Raises:
      ValueError: If shapes do not fit together, or a value is not finite.
    """
    check_references(references, inside, dimensions=3)
    expected = (references.shape[0], references.shape[2])
    if target.shape != expected:
        raise ValueError(
            f"found values of the target of shape {target.shape}; expected {expected}, from those "
            f"of the reference models, {references.shape}"
        )
    _check_finite(target, "the target")


def check_records(
    target: NDArray[np.float64], references: NDArray[np.float64], inside: NDArray[np.bool_]
) -> None:
    """Of one value a record: target [n], references [n, k], inside [n, k].

    Raises:
      ValueError: If shapes do not fit together, or a value is not finite.
    """
    check_references(references, inside, dimensions=2)
    if target.shape != references.shape[:1]:
        raise ValueError(
            f"found values of the target of shape {target.shape}; expected "
            f"{references.shape[:1]}, from those of the reference models, {references.shape}"
        )
    _check_finite(target, "the target")


def check_references(
    references: NDArray[np.float64], inside: NDArray[np.bool_], *, dimensions: int
) -> None:
    """Of the reference models alone: [n, k] or [n, k, q] values, and inside [n, k].

    Raises:
      ValueError: If shapes do not fit together, or a value is not finite.
    """
    if references.ndim != dimensions or 0 in references.shape[1:]:
        raise ValueError(
            f"found values of reference models of shape {references.shape}; expected "
            f"{dimensions} dimensions: records, models{', queries' if dimensions == 3 else ''}"
        )
    if inside.shape != references.shape[:2] or inside.dtype != np.bool_:
        raise ValueError(
            f"found `inside` of shape {inside.shape} and dtype {inside.dtype}; expected "
            f"{references.shape[:2]} and bool, one for each record and reference model"
        )
    _check_finite(references, "the reference models")


def check_log_probabilities(values: NDArray[np.float64], whose: str) -> None:
    """Logarithms of probabilities, of any shape.

    Raises:
      ValueError: If a value is not finite, or above 0.
    """
    _check_finite(values, whose)
    if (values > 0).any():
        raise ValueError(
            f"found {values.max()} among the log-probabilities of {whose}; expected none above 0"
        )


def check_all_outside(inside: NDArray[np.bool_]) -> None:
    """Each record was left out by some reference model.

    Raises:
      ValueError: If not.
    """
    trained_by_all = int(inside.all(axis=1).sum())
    if trained_by_all:
        raise ValueError(
            f"found {trained_by_all} of {len(inside)} records that every reference model was "
            "trained on; expected at least one model without each record"
        )


def _check_finite(values: NDArray[np.float64], whose: str) -> None:
    wrong = values.size - int(np.isfinite(values).sum())
    if wrong:
        raise ValueError(
            f"found {wrong} of {values.size} values of {whose} that are not finite; expected none"
        )
