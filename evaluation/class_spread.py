"""How far the rows of a class lie apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfx_privacy.attacks.input_columns import InputColumns
from tfx_privacy.evaluation.class_rows import has_classes
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.signals.batch import Signals

# Columns worked on at once: rows may be many and wide.
_COLUMNS_AT_ONCE = 64


def spread_by_class(selection: Selection) -> Mapping[int, float]:
    """Spread within each class, of FIT rows of both sides together.

    It is of the numeric inputs, where FIT rows keep some, and else of the logits.

    Returns:
      By class; without those of fewer than two rows, and empty where there are no
      classes or no numbers.
    """
    if not has_classes(selection.fit.task) or not len(selection.fit):
        return {}
    for rows, columns in (
        (selection.fit_inputs, _numeric_inputs(selection.fit_inputs)),
        (selection.fit, selection.fit.logits),
    ):
        if columns is not None and columns.shape[1] and rows.label is not None:
            return spread(columns, rows.label.astype(np.int64))
    return {}


def spread(columns: NDArray[np.float32], classes: NDArray[np.int64]) -> dict[int, float]:
    """The spread of the rows of each class around the class's mean.

    The root mean square, over columns, of the standard deviation from the class's mean
    in units of the column's standard deviation over all rows. Variances are unbiased
    (divided by n - 1), so that a small class does not look narrower for being small.
    Columns that do not vary are left out.

    Args:
      columns: [n, d]; NaN stands for a missing value.
      classes: [n] int64.

    Returns:
      By class; without those of which no column has two values.
    """
    names, codes = np.unique(classes, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names)))
    total, counted = np.zeros(len(names)), np.zeros(len(names), np.int64)
    for first in range(0, columns.shape[1], _COLUMNS_AT_ONCE):
        part = columns[order, first : first + _COLUMNS_AT_ONCE].astype(np.float64)
        overall = _variances(part, np.zeros(1, np.int64))[0]
        varying = overall > 0.0
        ratios = _variances(part[:, varying], starts) / overall[varying]
        known = np.isfinite(ratios)
        total += np.where(known, ratios, 0.0).sum(axis=1)
        counted += known.sum(axis=1)
    return {
        int(name): float(np.sqrt(total[index] / counted[index]))
        for index, name in enumerate(names)
        if counted[index]
    }


def _variances(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The variance of each column in each run of rows, [runs, d]; NaN below two values."""
    there = ~np.isnan(values)
    numbers = np.add.reduceat(there, starts, axis=0, dtype=np.int64)
    filled = np.where(there, values, 0.0)
    means = np.add.reduceat(filled, starts, axis=0) / np.maximum(numbers, 1)
    lengths = np.diff(np.append(starts, len(values)))
    residuals = np.where(there, values - np.repeat(means, lengths, axis=0), 0.0)
    squares = np.add.reduceat(residuals**2, starts, axis=0)
    return np.where(numbers >= 2, squares / np.maximum(numbers - 1, 1), np.nan)


def _numeric_inputs(rows: Signals) -> NDArray[np.float32] | None:
    numeric = {
        name: column
        for name, column in rows.inputs.items()
        if pa.types.is_floating(column.type.value_type)
    }
    if not numeric or not len(rows):
        return None
    return InputColumns.fit(numeric)(rows)
