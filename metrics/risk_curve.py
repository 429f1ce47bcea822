"""P(member | score), from scores of rows that are known to be members or not."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class RiskCurve:
    """P(member | score) as a function that never falls, piecewise linear.

    Attributes:
      scores: [k] float64, ascending.
      risks: [k] float64 in (0, 1), never falling.
    """

    scores: NDArray[np.float64]
    risks: NDArray[np.float64]

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The risk at each score, [n] float64 in (0, 1)."""
        return np.interp(scores, self.scores, self.risks)
