"""Labels of synthetic records: what the target takes them for."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.reference_models.synthesis.target_queries import Target, TargetQueries
from tfx_privacy.signals.errors import InputError

# Rows of a call of the target.
_BATCH = 10_000


@dataclasses.dataclass(frozen=True, eq=False)
class TargetLabels:
    """The target's labels of records.

    Attributes:
      labels: [n], the argmax of its probabilities; the first class of several that are equal.
      counts: [classes], how many records each class has.
    """

    labels: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def classes_missing(self) -> tuple[int, ...]:
        """Classes that the target takes no record for."""
        return tuple(np.flatnonzero(self.counts == 0).tolist())


def label_by_target(target: Target, rows: NDArray[np.float64]) -> TargetLabels:
    """Labels of records.

    Args:
      target: Called with at most 10,000 rows at a time.
      rows: [n, width], at least one.

    Raises:
      InputError: If there are no rows, or the target's answers are not probabilities.
    """
    if not len(rows):
        raise InputError("no records to label")
    ask = TargetQueries(target)
    answers = [ask(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
    labels = np.concatenate([answer.argmax(axis=1) for answer in answers])
    return TargetLabels(labels, np.bincount(labels, minlength=answers[0].shape[1]))
