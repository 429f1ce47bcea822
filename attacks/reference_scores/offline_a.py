"""RMIA's offline parameter, chosen on a reference model and never on the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.rank_sum import rank_sum_auc
from tfx_privacy.attacks.reference_scores.checks import check_references
from tfx_privacy.attacks.reference_scores.rmia import GAMMA, Rmia, offline_log_p

# 0, .1, ... 1.
GRID = tuple(tenths / 10 for tenths in range(11))


def choose_a(
    references: NDArray[np.float64],
    inside: NDArray[np.bool_],
    gamma: float = GAMMA,
    grid: Sequence[float] = GRID,
) -> float:
    """The a with which offline RMIA tells best who is in the first reference model.

    As in Zarifzadeh, Liu, Shokri 2024 (see rmia.py), an attacker knows who is in its own
    models, so one of them stands in for the target. Its partner is left out: trained on the
    complement, it would give the answer away. Of the records that the stand-in was not
    trained on every second one is the population, and all other records are judged.

    Args:
      references: [n, k], log p_y under k reference models in complementary pairs; at
        least two pairs. Records are in an order of chance, as by id.
      inside: [n, k], whether the model was trained on the record.
      gamma: As it will be used.
      grid: Values of a to try, from 0 to 1.

    Returns:
      The a of the largest AUC; of several the first in the grid.

    Raises:
      ValueError: If shapes, values or the grid are wrong, the first two models are no
        pair, there is no second pair, or a side of the first has too few records.
    """
    check_references(references, inside, dimensions=2)
    _check_stand_in(inside, grid)
    member = inside[:, 0]
    others = np.flatnonzero(~member)
    in_population = np.zeros(len(member), np.bool_)
    in_population[others[1::2]] = True
    judged = ~in_population

    target, left, inside_left = references[:, 0], references[:, 2:], inside[:, 2:]
    areas = []
    for a in grid:
        log_p = offline_log_p(left, inside_left, a)
        attack = Rmia.fit(target[in_population], log_p[in_population], gamma)
        scores = attack.score(target[judged], log_p[judged])
        areas.append(rank_sum_auc(scores, member[judged])[0])
    return grid[int(np.argmax(areas))]


def _check_stand_in(inside: NDArray[np.bool_], grid: Sequence[float]) -> None:
    if not len(grid):
        raise ValueError("found no values of a to choose from; expected some from 0 to 1")
    k = inside.shape[1]
    if k < 4 or k % 2:
        raise ValueError(
            f"found {k} reference models to choose RMIA's a with; expected complementary pairs, at "
            "least 2: one model stands in for the target, and its pair is not used"
        )
    if (inside[:, 0] == inside[:, 1]).any():
        raise ValueError(
            "found records that both or neither of the first two reference models were trained "
            "on; expected complementary pairs"
        )
    members = int(inside[:, 0].sum())
    if members < 1 or len(inside) - members < 2:
        raise ValueError(
            f"found a reference model trained on {members} of {len(inside)} records; choosing "
            "RMIA's a takes at least 1 with it and 2 without"
        )
