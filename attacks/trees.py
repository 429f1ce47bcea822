"""Trees, boosted or a forest: fitted by scikit-learn, kept as arrays, scored by NumPy.

Scoring needs no scikit-learn, a file needs no pickle, and a row's score hangs on that
row alone: it goes down every tree by comparisons, which round nothing, and the trees'
values are added in one order.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.sides import balancing_weights, smaller_side

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

# Rows that go down the trees together: what is computed on the way fits into a cache.
_BLOCK_ROWS = 1024

# Several threads add up gradients in any order, so that a tree is not the same to the
# bit every time; and where the machine is busy they wait for each other: two took seven
# times the processor time of one.
_THREADS = 1


@dataclasses.dataclass(frozen=True)
class TreeSettings:
    """How trees are boosted (scikit-learn's HistGradientBoostingClassifier).

    Attributes:
      rounds: Trees, at most.
      learning_rate: What each tree's values are multiplied by.
      leaves: Of a tree, at most.
      depth: Of a tree, at most.
      leaf_rows: Rows of a leaf, at least.
      l2: Penalty on the values of leaves.
      rows_to_stop_early: From so many rows on a tenth of them, held back, says when to
        stop; fewer are too few to tell.
    """

    rounds: int = 100
    learning_rate: float = 0.1
    leaves: int = 16
    depth: int = 6
    leaf_rows: int = 20
    l2: float = 1.0
    rows_to_stop_early: int = 10_000


@dataclasses.dataclass(frozen=True)
class Trees:
    """The sum of many trees' values, all in arrays of k nodes; a leaf's child is itself.

    Attributes:
      feature: [k] int64, the column that a node asks about.
      threshold: [k] float64. A row goes left where its value is at most this.
      missing_left: [k] bool, whether it goes left where its value is NaN.
      left: [k] int64, the node to the left.
      right: [k] int64, the node to the right.
      value: [k] float64, what a leaf adds to the score.
      roots: [t] int64, the first node of each tree.
      baseline: What is added to every score.
      depth: Steps from a root to the furthest leaf.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    roots: NDArray[np.int64]
    baseline: float
    depth: int

    def score(self, features: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of each row of [n, d], [n]; NaN stands for a missing value."""
        scores = np.empty(len(features))
        for start in range(0, len(features), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            scores[rows] = self._score_block(features[rows])
        return scores

    def splits(self, columns: int) -> NDArray[np.int64]:
        """How many nodes ask about each of so many columns, [columns]."""
        asks = self.left != np.arange(len(self.left))
        return np.bincount(self.feature[asks], minlength=columns).astype(np.int64, copy=False)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything in it, as arrays."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in _FIELDS}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Trees:
        """The trees that `arrays` came from; further arrays are left alone."""
        values: dict[str, Any] = {field.name: arrays[field.name] for field in _FIELDS}
        values |= {"baseline": float(values["baseline"]), "depth": int(values["depth"])}
        return Trees(**values)

    @functools.cached_property
    def _children(self) -> NDArray[np.int64]:
        """[2 k]: where the row of node i goes, left at 2 i and right at 2 i + 1."""
        return np.stack([self.left, self.right], axis=1).ravel()

    def _score_block(
        self, features: NDArray[np.float32] | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        rows = len(features)
        # By column, so that the rows of one column lie side by side.
        by_column = np.asfortranarray(features, dtype=np.float64).ravel(order="F")
        any_missing = bool(np.isnan(by_column).any())
        first = self.feature * rows
        row = np.arange(rows)
        node = np.repeat(self.roots, rows).reshape(len(self.roots), rows)
        for _ in range(self.depth):
            values = by_column.take(first.take(node) + row)
            goes_right = values > self.threshold.take(node)
            if any_missing:
                goes_right |= np.isnan(values) & ~self.missing_left.take(node)
            node = self._children.take(2 * node + goes_right)
        scores = np.full(rows, self.baseline)
        # Not a sum over an axis: NumPy groups its terms by the array's shape.
        for values in self.value.take(node):
            scores += values
        return scores


_FIELDS = dataclasses.fields(Trees)


def fit_trees(
    features: NDArray[np.float32] | NDArray[np.float64],
    member: NDArray[np.bool_],
    seed: int,
    settings: TreeSettings,
) -> Trees:
    """Boosts trees that tell members from non-members; both sides weigh the same.

    Args:
      features: [n, d]; NaN stands for a missing value.
      member: [n].
      seed: Of the rows held back, and of what scikit-learn samples to cut features
        into bins.
      settings: How to boost.

    Returns:
      Trees whose score is the log-odds of being a member where both sides are equally
      large.

    Raises:
      ValueError: If a side has no rows.
    """
    return trees_of(boosted_classifier(features, member, seed, settings))


def boosted_classifier(
    features: NDArray[np.float32] | NDArray[np.float64],
    member: NDArray[np.bool_],
    seed: int,
    settings: TreeSettings,
) -> HistGradientBoostingClassifier:
    """What `fit_trees` makes its trees of; the arguments are the same."""
    if features.shape[1] == 0:
        # scikit-learn refuses that; a column that does not vary is never asked about.
        features = np.zeros((len(features), 1))
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    weight = balancing_weights(member)
    # Both parts need enough of the smaller side, too.
    stops_early = len(member) >= settings.rows_to_stop_early and smaller_side(member) >= 100
    model = HistGradientBoostingClassifier(
        learning_rate=settings.learning_rate,
        max_iter=settings.rounds,
        max_leaf_nodes=settings.leaves,
        max_depth=settings.depth,
        min_samples_leaf=settings.leaf_rows,
        l2_regularization=settings.l2,
        early_stopping=stops_early,
        validation_fraction=0.1 if stops_early else None,
        n_iter_no_change=10,
        random_state=seed,
    )
    with threadpool_limits(_THREADS):
        return model.fit(features, member, sample_weight=weight)


def trees_of(model: HistGradientBoostingClassifier) -> Trees:
    """The trees of a fitted model of two classes, without categorical features."""
    nodes = [predictor.nodes for (predictor,) in model._predictors]
    roots = np.cumsum([0, *(len(tree) for tree in nodes)])[:-1].astype(np.int64)
    flat = np.concatenate(nodes)
    own = np.arange(len(flat), dtype=np.int64)
    first = np.repeat(roots, [len(tree) for tree in nodes])
    leaf = flat["is_leaf"].astype(np.bool_)
    return Trees(
        feature=np.where(leaf, 0, flat["feature_idx"]).astype(np.int64),
        threshold=np.where(leaf, 0.0, flat["num_threshold"]).astype(np.float64),
        missing_left=flat["missing_go_to_left"].astype(np.bool_),
        left=np.where(leaf, own, first + flat["left"]),
        right=np.where(leaf, own, first + flat["right"]),
        value=np.where(leaf, flat["value"], 0.0),
        roots=roots,
        baseline=float(np.ravel(model._baseline_prediction)[0]),
        depth=int(flat["depth"].max()),
    )


def rows_of_leaf(wanted: int, member: NDArray[np.bool_]) -> int:
    """How many rows a leaf needs where sides differ in size.

    A leaf's probability is as uncertain as the rows of the smaller side in it are few:
    it needs so many rows that as many of that side are expected in it as in `wanted`
    rows of sides of one size. But no more than a tenth of that side, so that few rows
    can be told apart.

    Args:
      wanted: Rows of a leaf where both sides are equally large.
      member: [n], with rows of both sides.
    """
    smaller = smaller_side(member)
    balanced = max(min(wanted, smaller // 10), 1)
    return max(round(balanced * len(member) / (2 * smaller)), 1)


def trees_of_forest(model: RandomForestClassifier, prior_rows: float) -> Trees:
    """The trees of a fitted forest of two classes, on features without missing values.

    Args:
      model: The forest. scikit-learn compares float32: score float32 features.
      prior_rows: Rows, half of each side, that are added to those of every leaf, so that
        no leaf is certain of a side (the m-estimate of Cestnik 1990). With 0 the score
        is what scikit-learn's `predict_proba` says of the second class.

    Returns:
      Trees whose score is the mean probability of the second class in the leaves.
    """
    fitted = [estimator.tree_ for estimator in model.estimators_]
    sizes = [tree.node_count for tree in fitted]
    roots = np.cumsum([0, *sizes])[:-1].astype(np.int64)
    own = np.arange(sum(sizes), dtype=np.int64)
    first = np.repeat(roots, sizes)

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(tree, name) for tree in fitted])

    leaf = joined("children_left") < 0
    rows = joined("weighted_n_node_samples")
    of_second = joined("value")[:, 0, 1]
    probability = (of_second * rows + 0.5 * prior_rows) / (rows + prior_rows)
    return Trees(
        feature=np.where(leaf, 0, joined("feature")).astype(np.int64),
        threshold=np.where(leaf, 0.0, joined("threshold")).astype(np.float64),
        missing_left=np.ones(len(own), np.bool_),
        left=np.where(leaf, own, first + joined("children_left")),
        right=np.where(leaf, own, first + joined("children_right")),
        value=np.where(leaf, probability / len(fitted), 0.0),
        roots=roots,
        baseline=0.0,
        depth=max(int(tree.max_depth) for tree in fitted),
    )
