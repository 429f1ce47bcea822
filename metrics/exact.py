"""What scores themselves say, uncut by bins: for parity with other tools.

No interval belongs to these numbers, and no verdict comes from them: the largest
advantage and the largest precision are chosen on the rows they are measured on, so
both are too high where nothing leaks. Evidence is made of counts; see measure.py.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

# TF Privacy's: rates up to here count as none in its positive predictive value.
_NOBODY = 1e-3


@dataclasses.dataclass(frozen=True)
class ExactValues:
    """An attack on rows whose membership is known, over every threshold of its score.

    Attributes:
      auc: The share of pairs of a member and a non-member whose member has the higher
        score (the Mann-Whitney statistic over m n); ties count half.
      max_advantage: The largest |TPR - FPR|, in [0, 1]. TF Privacy's attacker advantage:
        that of Yeom et al. 2018, Definition 4, at the best threshold in sample, for an
        attacker who may also call the low scores members.
      ppv: The largest share of members among the rows called members, in [0, 1]. TF
        Privacy's positive predictive value: that of Jayaraman et al. 2021, at the best
        threshold in sample. A threshold whose TPR and FPR are both at most .001 calls so
        few that TF Privacy takes the share of members among all rows for it.
      members: Rows of members.
      nonmembers: Rows of non-members.
    """

    auc: float
    max_advantage: float
    ppv: float
    members: int
    nonmembers: int


def exact_values(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> ExactValues:
    """Measures scores over every threshold, in O(n log n).

    Args:
      scores: [n] float64, higher is more member-like.
      member: [n] bool; at least one row a side.

    Raises:
      ValueError: If a side has no rows, a score is NaN or infinite, or lengths differ.
    """
    _require_scores(scores, member)
    members, nonmembers = int(member.sum()), int((~member).sum())
    if min(members, nonmembers) == 0:
        raise ValueError(
            f"cannot measure: found scores of {members} members and {nonmembers} non-members, "
            "expected at least one of each"
        )
    called_members, called_nonmembers = _called(scores, member)
    tpr, fpr = called_members / members, called_nonmembers / nonmembers
    # Between two thresholds the curve is a straight line: rows of one score are ties.
    area = float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]))) / 2.0
    somebody = (tpr > _NOBODY) | (fpr > _NOBODY)
    precision = called_members[somebody] / (called_members + called_nonmembers)[somebody]
    return ExactValues(
        auc=area,
        max_advantage=float(np.abs(tpr - fpr).max()),
        # The last calls all members, so the share among all rows, that of nobody, is in it.
        ppv=float(precision.max()),
        members=members,
        nonmembers=nonmembers,
    )


def _called(
    scores: NDArray[np.float64], member: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Members and non-members with at least each score that occurs, from nobody to all."""
    order = np.argsort(-scores, kind="stable")
    falling, called = scores[order], np.cumsum(member[order])
    # The last row of each score: a threshold takes all rows of a score or none.
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    members = np.concatenate(([0], called[last])).astype(np.int64, copy=False)
    everybody = np.concatenate(([0], last + 1)).astype(np.int64, copy=False)
    return members, everybody - members


def _require_scores(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> None:
    if scores.shape != member.shape or scores.ndim != 1:
        raise ValueError(
            f"scores and membership: found shapes {scores.shape} and {member.shape}, "
            "expected one value a row in both"
        )
    wrong = int(np.count_nonzero(~np.isfinite(scores)))
    if wrong:
        raise ValueError(
            f"scores: found NaN or infinity in {wrong} of {len(scores)} rows, expected numbers"
        )
