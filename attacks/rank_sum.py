"""The AUC of scores, and how far it is beyond chance: the Mann-Whitney statistic."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def rank_sum_auc(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> tuple[float, float]:
    """The AUC, and how many standard deviations of chance it lies above .5.

    The deviation is that where the sides do not differ, with ties (Lehmann 1975,
    Nonparametrics, section 1.4).

    Args:
      scores: [n], the higher, the more member-like.
      member: [n], with rows of both sides.
    """
    m, n = int(member.sum()), int((~member).sum())
    _, values, ties = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[values]
    area = (float(ranks[member].sum()) - m * (m + 1) / 2) / (m * n)
    # Ties make it smaller.
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / ((m + n) * (m + n - 1))
    variance = (m + n + 1 - tied) / (12 * m * n)
    return area, (area - 0.5) / math.sqrt(variance) if variance > 0 else 0.0
