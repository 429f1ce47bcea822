"""Nearest neighbours on few features of (logits, loss, label)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.features import feature_groups
from tfx_privacy.attacks.rank_sum import rank_sum_auc
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import (
    balanced_folds,
    balancing_weights,
    sample_of_both,
    smaller_side,
)
from tfx_privacy.attacks.trained import TrainedAttack
from tfx_privacy.signals.batch import Signals

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

# The groups of features that enter, each with at most so many columns: distances say
# little where there are many features, and nothing of which class one is about.
_GROUPS: Mapping[str, int] = {
    "true_log_odds": 1,
    "log_entropy": 1,
    "log_loss": 1,
    "right": 1,
    "sorted_logits": 3,
    "sorted_margins": 3,
    "residual": 2,
    "predicted": 2,
}

# How many neighbours is chosen on so many rows; with fewer of a side than these, an
# AUC says too little to choose by.
_ROWS_TO_CHOOSE_ON = 8000
_FEWEST_TO_CHOOSE_BY = 50

# Rows whose neighbours are looked up together: what is computed on the way stays small.
_BLOCK_ROWS = 512

# Rows added to the neighbours of each side, so that no vote is certain.
_PRIOR_ROWS = 0.5


@dataclasses.dataclass(frozen=True)
class NearestNeighbours(TrainedAttack["NeighboursScorer"]):
    """The vote of the known members and non-members that look most alike.

    The trained attack of Shokri et al., S&P 2017, in its form without shadow models,
    with k nearest neighbours (Cover and Hart 1967), as TF Privacy mounts it; but with
    many neighbours, the near ones counting more (the weights of Epanechnikov 1969 with
    the distance of the furthest as bandwidth: Loftsgaarden and Quesenberry 1965), since
    a leak is a small difference between many rows. How many, is chosen by the AUC on
    half of the rows by the other half. Features are standardised; see features.py for
    what they are. Scores are log-odds.

    On 20,000 rows of 10 classes a fit takes .3 seconds of one core, and their scores 2
    seconds with 300 neighbours, with which it is the slowest attack to score.

    Attributes:
      neighbours: The numbers to choose from.
      points: Rows kept to find neighbours among, at most.
    """

    neighbours: tuple[int, ...] = (10, 30, 100, 300)
    points: int = 20_000

    name: ClassVar[str] = "nearest_neighbours"
    description: ClassVar[str] = (
        "Compares a record with the known members and non-members whose logits, loss and label "
        "look most alike."
    )

    def learn(self, rows: Signals, seed: int) -> NeighboursScorer:
        """See TrainedAttack."""
        seen = _Seen.of(rows)
        generator = np.random.default_rng(derived_seed(seed, self.name))
        rows = rows.take(sample_of_both(rows.member, self.points, generator))
        features = in_blocks(seen, rows)
        k = self._best_number(features, rows.member, generator)
        return NeighboursScorer(seen, _Points.of(features, rows.member), k)

    def load(self, directory: Path) -> NeighboursScorer:
        """See Attack."""
        return NeighboursScorer.load(directory)

    def _best_number(
        self,
        features: NDArray[np.float64],
        member: NDArray[np.bool_],
        generator: np.random.Generator,
    ) -> int:
        if smaller_side(member) < _FEWEST_TO_CHOOSE_BY:
            return min(self.neighbours)
        chosen = sample_of_both(member, _ROWS_TO_CHOOSE_ON, generator)
        features, member = features[chosen], member[chosen]
        known = balanced_folds(member, 2, generator) == 0
        points = _Points.of(features[known], member[known])
        votes = points.votes(features[~known], self.neighbours)
        areas = [rank_sum_auc(vote, member[~known])[0] for vote in votes.T]
        return self.neighbours[int(np.argmax(areas))]


@dataclasses.dataclass(frozen=True)
class NeighboursScorer(FittedAttack):
    """Score: the log-odds of being a member where both sides are equally large."""

    seen: _Seen
    points: _Points
    neighbours: int

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        arrays = self.seen.features.arrays() | {
            "columns": self.seen.columns,
            "positions": self.points.positions,
            "members": self.points.members,
            "nonmembers": self.points.nonmembers,
            "neighbours": np.asarray(self.neighbours),
        }
        save_attack(directory, NearestNeighbours.name, arrays)

    @staticmethod
    def load(directory: Path) -> NeighboursScorer:
        """Reads what `save` wrote.

        Raises:
          ValueError: If the directory holds another attack.
        """
        arrays = load_attack(directory, NearestNeighbours.name)
        return NeighboursScorer(
            _Seen(FeatureMap.from_arrays(arrays), arrays["columns"]),
            _Points(arrays["positions"], arrays["members"], arrays["nonmembers"]),
            int(arrays["neighbours"]),
        )

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        return self.points.votes(self.seen(signals), (self.neighbours,))[:, 0]


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What distances are made of.

    Attributes:
      features: All features.
      columns: [d] int64, those that enter.
    """

    features: FeatureMap
    columns: NDArray[np.int64]

    @staticmethod
    def of(rows: Signals) -> _Seen:
        features = FeatureMap.fit(rows)
        groups = feature_groups(rows.take(np.arange(1)), features.loss_floor)
        columns: list[int] = []
        first = 0
        for name, values in groups.items():
            width = values.shape[1]
            columns.extend(range(first, first + min(width, _GROUPS.get(name, 0))))
            first += width
        return _Seen(features, np.array(columns, np.int64))

    def __call__(self, signals: Signals) -> NDArray[np.float64]:
        """[n, d], each with deviation 1 on FIT rows."""
        # Without the scale that keeps groups in balance for linear models.
        return self.features(signals)[:, self.columns] / self.features.columns.scale[self.columns]


@dataclasses.dataclass(frozen=True)
class _Points:
    """The known rows: those in one place are one point.

    Attributes:
      positions: [u, d] float64.
      members: [u], the weight of members there; each side weighs the same in all.
      nonmembers: [u], that of non-members.
    """

    positions: NDArray[np.float64]
    members: NDArray[np.float64]
    nonmembers: NDArray[np.float64]

    @staticmethod
    def of(features: NDArray[np.float64], member: NDArray[np.bool_]) -> _Points:
        positions, place = np.unique(features, axis=0, return_inverse=True)
        weight = balancing_weights(member)
        members, nonmembers = np.zeros((2, len(positions)))
        np.add.at(members, place[member], weight[member])
        np.add.at(nonmembers, place[~member], weight[~member])
        return _Points(positions, members, nonmembers)

    def votes(self, features: NDArray[np.float64], numbers: Sequence[int]) -> NDArray[np.float64]:
        """Log-odds by the weighted vote of so many neighbours, for each number, [n, numbers].

        One search serves all numbers. A row's votes hang on that row and the points alone.
        """
        found = np.empty((len(features), len(numbers)))
        for start in range(0, len(features), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            distance, index = self._nearest(features[rows], max(numbers))
            for place, k in enumerate(numbers):
                found[rows, place] = self._vote(distance[:, :k], index[:, :k])
        return found

    def _nearest(
        self, features: NDArray[np.float64], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances of the k nearest points (or all), the nearest first, and which they are."""
        k = min(k, len(self.positions))
        distance, index = self._tree.query(features, k=k)
        return distance.reshape(len(features), k), index.reshape(len(features), k)

    def _vote(self, distance: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
        furthest = distance[:, -1:]
        # Where all neighbours are in the row's own place, all count in full.
        share = np.divide(distance, furthest, out=np.zeros_like(distance), where=furthest > 0)
        weight = 1.0 - share * share
        sides = []
        for of_points in (self.members, self.nonmembers):
            # In the order of columns: NumPy groups the terms of a sum by the array's shape.
            total = np.cumsum(weight * of_points[index], axis=1)[:, -1]
            sides.append(total + _PRIOR_ROWS)
        log_odds: NDArray[np.float64] = np.log(sides[0]) - np.log(sides[1])
        return log_odds

    @functools.cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self.positions)
