"""Trees as arrays: what scikit-learn says of the same trees, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from tfx_privacy.attacks.trees import (
    Trees,
    TreeSettings,
    boosted_classifier,
    fit_trees,
    rows_of_leaf,
    trees_of,
    trees_of_forest,
)


def rows_with_gaps(rows, seed, missing=0.1):
    """Numbers, tied numbers and gaps; membership by the first, and by whether it is there."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, 5)).astype(np.float32)
    features[:, 1] = generator.integers(0, 4, rows)
    features[generator.random((rows, 5)) < missing] = np.nan
    odds = np.nan_to_num(features[:, 0], nan=1.5)
    return features, generator.random(rows) < 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def fitted():
    features, member = rows_with_gaps(1500, seed=1)
    return boosted_classifier(features, member, 0, TreeSettings(rounds=40))


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_scores_are_scikit_learns_raw_predictions(fitted, missing):
    features, _ = rows_with_gaps(3000, seed=2, missing=missing)
    features[:3] = [[np.inf] * 5, [-np.inf] * 5, [1e30] * 5]
    # Values at which a tree cuts, exactly.
    trees = trees_of(fitted)
    cuts = trees.threshold[trees.feature == 0][:50]
    features[10 : 10 + len(cuts), 0] = cuts

    expected = fitted._raw_predict(features.astype(np.float64)).ravel()

    np.testing.assert_allclose(trees.score(features), expected, rtol=0, atol=1e-12)


def test_a_tree_by_hand():
    # x0 <= 1: (x1 <= 5, gaps right: 10 or 20), else, gaps too, 40; and a tree of one leaf, 2.
    own = [0, 1, 2, 3, 4, 5]
    trees = Trees(
        feature=np.array([0, 1, 0, 0, 0, 0]),
        threshold=np.array([1.0, 5.0, 0.0, 0.0, 0.0, 0.0]),
        missing_left=np.array([False, False, True, True, True, True]),
        left=np.array([1, 2, *own[2:]]),
        right=np.array([4, 3, *own[2:]]),
        value=np.array([0.0, 0.0, 10.0, 20.0, 40.0, 2.0]),
        roots=np.array([0, 5]),
        baseline=-0.5,
        depth=2,
    )
    nan = np.nan
    rows = np.array([[1, 5], [1, 5.1], [1.1, 0], [0, nan], [nan, 0]])

    np.testing.assert_array_equal(trees.score(rows), [11.5, 21.5, 41.5, 21.5, 41.5])
    np.testing.assert_array_equal(trees.splits(3), [1, 1, 0])
    assert trees.score(np.empty((0, 2))).shape == (0,)


def test_the_same_row_has_the_same_bits_in_any_company(fitted):
    trees = trees_of(fitted)
    features, _ = rows_with_gaps(2500, seed=3)
    expected = trees.score(features)
    order = np.random.default_rng(0).permutation(len(features))

    np.testing.assert_array_equal(trees.score(features[order]), expected[order])
    for first, size in ((0, 1), (1023, 2), (7, 64), (500, 1999)):
        np.testing.assert_array_equal(
            trees.score(features[first : first + size]), expected[first : first + size]
        )
    np.testing.assert_array_equal(trees.score(np.asfortranarray(features)), expected)


def test_arrays_and_back(fitted):
    trees = trees_of(fitted)
    features, _ = rows_with_gaps(100, seed=4)

    again = Trees.from_arrays(trees.arrays() | {"further": np.zeros(1)})

    np.testing.assert_array_equal(again.score(features), trees.score(features))
    assert all(array.dtype != object for array in trees.arrays().values())


def test_a_fit_is_the_same_to_the_bit():
    features, member = rows_with_gaps(1500, seed=1)
    # Rows enough to hold some back, which is left to chance.
    settings = TreeSettings(rounds=20, rows_to_stop_early=1000)

    first, second = (fit_trees(features, member, 3, settings) for _ in range(2))

    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])


def test_sides_count_the_same(auc):
    features, member = rows_with_gaps(6000, seed=5)
    kept = member | (np.random.default_rng(0).random(6000) < 0.1)

    trees = fit_trees(features[kept], member[kept], 0, TreeSettings(rounds=30))

    # Ten times the members, and yet log-odds around 0; what there is to see is seen.
    scores = trees.score(features)
    assert abs(np.median(scores)) < 0.5
    assert auc(scores, member) > 0.65


def test_early_stopping_ends_where_nothing_is_found():
    generator = np.random.default_rng(0)
    features, member = generator.normal(size=(4000, 3)), generator.random(4000) < 0.5

    stopped = fit_trees(features, member, 0, TreeSettings(rounds=100, rows_to_stop_early=4000))
    went_on = fit_trees(features, member, 0, TreeSettings(rounds=100, rows_to_stop_early=4001))

    assert len(stopped.roots) < 50
    assert len(went_on.roots) == 100


def test_few_rows_and_columns_that_say_nothing():
    features = np.array([[1.0, np.nan], [1.0, np.nan]])

    trees = fit_trees(features, np.array([True, False]), 0, TreeSettings())

    # No leaf is large enough to be split off: both sides are equally likely.
    np.testing.assert_allclose(trees.score(features), 0.0, atol=1e-12)
    with pytest.raises(ValueError, match="expected at least one of each"):
        fit_trees(features, np.array([True, True]), 0, TreeSettings())


@pytest.fixture(scope="module")
def forest():
    features, member = rows_with_gaps(1200, seed=6, missing=0.0)
    model = RandomForestClassifier(
        n_estimators=15, max_depth=7, min_samples_leaf=3, max_samples=800, random_state=0
    )
    return model.fit(features, member, sample_weight=np.where(member, 0.7, 1.6))


def test_a_forests_scores_are_scikit_learns_probabilities(forest):
    features, _ = rows_with_gaps(3000, seed=7, missing=0.0)
    trees = trees_of_forest(forest, prior_rows=0.0)
    features[:2] = [[1e30] * 5, [-1e30] * 5]
    # Values at which a tree cuts, as near as float32 comes.
    cuts = trees.threshold[(trees.feature == 0) & (trees.left != np.arange(len(trees.left)))][:50]
    features[10 : 10 + len(cuts), 0] = cuts

    expected = forest.predict_proba(features)[:, 1]

    np.testing.assert_allclose(trees.score(features), expected, rtol=0, atol=1e-12)


def test_the_prior_of_a_leaf_by_hand():
    # Without a bag, one cut: 3 of 4 rows to the left are members, none of 2 to the right.
    features = np.float32([0, 0, 0, 0, 1, 1])[:, None]
    member = np.array([True, True, True, False, False, False])
    model = RandomForestClassifier(n_estimators=2, bootstrap=False, max_depth=1)

    trees = trees_of_forest(model.fit(features, member), prior_rows=2.0)

    # (3 + 1) / (4 + 2) and (0 + 1) / (2 + 2).
    np.testing.assert_allclose(trees.score(np.array([[0.0], [1.0]])), [4 / 6, 1 / 4], atol=1e-12)


def test_a_forests_row_has_the_same_bits_in_any_company(forest):
    trees = trees_of_forest(forest, prior_rows=1.0)
    features, _ = rows_with_gaps(1500, seed=8, missing=0.0)
    expected = trees.score(features)

    assert 0 < expected.min() < expected.max() < 1
    for first, size in ((0, 1), (1023, 2), (7, 64)):
        np.testing.assert_array_equal(
            trees.score(features[first : first + size]), expected[first : first + size]
        )


@pytest.mark.parametrize(
    ("members", "nonmembers", "wanted", "rows"),
    [
        (500, 500, 20, 20),
        # 10 of the smaller side are expected in 110 rows, as in 20 of sides of one size.
        (5000, 500, 20, 110),
        # Instead of 20, a tenth of the smaller side at most, and one row at least.
        (1000, 100, 20, 55),
        (40, 40, 20, 4),
        (1, 1, 20, 1),
        (3, 3, 1, 1),
    ],
)
def test_rows_of_a_leaf_where_sides_differ(members, nonmembers, wanted, rows):
    member = np.arange(members + nonmembers) < members

    assert rows_of_leaf(wanted, member) == rows_of_leaf(wanted, ~member) == rows
