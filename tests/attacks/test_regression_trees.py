"""Trees that foretell a number; outside reference: scikit-learn's own predictions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from tfx_privacy.attacks.regression_trees import (
    GAMMA,
    SQUARED_ERROR,
    RegressionSettings,
    fit_regression_trees,
    mean_of_trees,
)

SETTINGS = RegressionSettings(rounds=40, learning_rate=0.1)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(400, 3)).astype(np.float32)
    features[generator.random((400, 3)) < 0.1] = np.nan
    target = np.exp(np.nan_to_num(features[:, 0]) + generator.normal(0, 0.3, 400))
    return features, target


@pytest.mark.parametrize(("loss", "inverse"), [(SQUARED_ERROR, lambda x: x), (GAMMA, np.exp)])
def test_scores_are_scikit_learns_predictions(rows, loss, inverse):
    features, target = rows
    trees = fit_regression_trees(features, target, 0, loss, SETTINGS)
    # 400 rows are too few to stop early by: a quarter of the rounds.
    reference = HistGradientBoostingRegressor(
        loss=loss,
        learning_rate=0.1,
        max_iter=10,
        max_leaf_nodes=16,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,
    ).fit(features, target)
    np.testing.assert_allclose(
        inverse(trees.score(features)), reference.predict(features), rtol=1e-12
    )


def test_the_mean_of_trees(rows):
    features, target = rows
    parts = [
        fit_regression_trees(features[k::3], target[k::3], 0, SQUARED_ERROR, SETTINGS)
        for k in range(3)
    ]
    expected = np.mean([part.score(features) for part in parts], axis=0)
    np.testing.assert_allclose(mean_of_trees(parts).score(features), expected, rtol=1e-12)


def test_without_features_it_is_the_mean(rows):
    _, target = rows
    trees = fit_regression_trees(np.empty((400, 0), np.float32), target, 0, SQUARED_ERROR, SETTINGS)
    np.testing.assert_allclose(trees.score(np.empty((2, 0), np.float32)), target.mean())
