"""Boosted trees that foretell a number: its mean, or the logarithm of a positive one's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.trees import Trees, trees_of

# Losses to boost by: of the mean itself, and of the logarithm of a positive number's mean.
SQUARED_ERROR: Final = "squared_error"
GAMMA: Final = "gamma"


@dataclasses.dataclass(frozen=True)
class RegressionSettings:
    """How trees are boosted (scikit-learn's HistGradientBoostingRegressor).

    Attributes:
      rounds: Trees, at most.
      learning_rate: What each tree's values are multiplied by.
      leaves: Of a tree, at most.
      leaf_rows: Rows of a leaf, at least.
      l2: Penalty on the values of leaves.
      rows_to_stop_early: From so many rows on a tenth of them, held back, says when to
        stop; with fewer there are a quarter of the rounds.
    """

    rounds: int
    learning_rate: float
    leaves: int = 16
    leaf_rows: int = 20
    l2: float = 1.0
    rows_to_stop_early: int = 500


def fit_regression_trees(
    features: NDArray[np.float32],
    target: NDArray[np.float64],
    seed: int,
    loss: str,
    settings: RegressionSettings,
) -> Trees:
    """Boosts trees on one thread: the same to the bit every time.

    Args:
      features: [n, d]; NaN stands for a missing value. n is at least 1.
      target: [n], finite; positive for GAMMA.
      seed: Of the rows held back, and of what scikit-learn samples to cut features
        into bins.
      loss: SQUARED_ERROR or GAMMA.
      settings: How to boost.

    Returns:
      Trees whose score is the mean of the target given the features, or its logarithm.
    """
    if features.shape[1] == 0:
        # scikit-learn refuses that; a column that does not vary is never asked about.
        features = np.zeros((len(features), 1), np.float32)
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    stops_early = len(target) >= settings.rows_to_stop_early
    model = HistGradientBoostingRegressor(
        loss=loss,
        learning_rate=settings.learning_rate,
        max_iter=settings.rounds if stops_early else settings.rounds // 4,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.leaf_rows,
        l2_regularization=settings.l2,
        early_stopping=stops_early,
        validation_fraction=0.1 if stops_early else None,
        n_iter_no_change=10,
        random_state=seed,
    )
    with threadpool_limits(1):
        return trees_of(model.fit(features, target))


def mean_of_trees(parts: Sequence[Trees]) -> Trees:
    """Trees whose score is the mean of the scores of several."""
    first = np.cumsum([0, *(len(part.left) for part in parts)])[:-1]
    shifted = {
        name: np.concatenate(
            [getattr(part, name) + start for part, start in zip(parts, first, strict=True)]
        )
        for name in ("left", "right", "roots")
    }
    return Trees(
        feature=np.concatenate([part.feature for part in parts]),
        threshold=np.concatenate([part.threshold for part in parts]),
        missing_left=np.concatenate([part.missing_left for part in parts]),
        value=np.concatenate([part.value for part in parts]) / len(parts),
        baseline=float(np.mean([part.baseline for part in parts])),
        depth=max(part.depth for part in parts),
        **shifted,
    )
