"""Scores of FIT rows without optimism: each row by a fit that did not see it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import balanced_folds, check_sides, smaller_side
from tfx_privacy.signals.batch import Signals


def out_of_fold_scores(
    attack: Attack, signals: Signals, seed: int, folds: int = 2
) -> NDArray[np.float64]:
    """Scores of FIT rows, to choose edges, thresholds and the best attack by.

    A trained attack scores the rows it learned from otherwise than others: mostly too
    high for members and too low for non-members. So the rows are dealt out into folds,
    and each fold is scored by a fit on the others. An attack that is not trained is
    fitted once and scores all.

    Args:
      attack: The attack.
      signals: FIT rows of both sides.
      seed: Where all randomness comes from, the folds' too.
      folds: At least 2.

    Returns:
      [n] float64, in the order of the rows. A trained attack's scores are log-odds, or
      deviations from what is expected, so those of different folds are on one scale.

    Raises:
      ValueError: If a side has no rows, or one alone for a trained attack.
    """
    if not attack.is_trained:
        return attack.fit(signals, seed).score(signals)
    check_sides(signals.member)
    folds = min(folds, smaller_side(signals.member))
    if folds < 2:
        members = int(signals.member.sum())
        raise ValueError(
            f"found {members} members and {len(signals) - members} non-members to fit "
            f"{attack.name} on parts of; expected at least two of each"
        )
    fold = _folds_by_id(signals, folds, seed)
    scores = np.empty(len(signals))
    for held_out in range(folds):
        fitted = attack.fit(signals.take(fold != held_out), seed)
        scores[fold == held_out] = fitted.score(signals.take(fold == held_out))
    return scores


def _folds_by_id(signals: Signals, folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each row, whatever the order of the rows: they are dealt out by id."""
    by_id = np.lexsort((signals.ids[:, 1], signals.ids[:, 0]))
    generator = np.random.default_rng(derived_seed(seed, "out_of_fold"))
    fold = np.empty(len(signals), np.int64)
    fold[by_id] = balanced_folds(signals.member[by_id], folds, generator)
    return fold
