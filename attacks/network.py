"""Small networks on features of (logits, loss, label)."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.dense_scorer import DenseScorer, Layers
from tfx_privacy.attacks.dense_training import Adam, Networks, batches
from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import (
    balanced_folds,
    balancing_weights,
    smaller_side,
)
from tfx_privacy.attacks.trained import TrainedAttack
from tfx_privacy.signals.batch import Signals

# Each network keeps one row in five back to stop by.
_FOLDS = 5

# Up to this many rows, a network for each fold; beyond, one network is as good.
_ROWS_FOR_EVERY_FOLD = 10_000

_SMALLEST_BATCH = 32
_LARGEST_BATCH = 1024
_BATCHES_AN_EPOCH = 12

# Several threads wait for each other longer than such small products take.
_THREADS = 1


@dataclasses.dataclass(frozen=True)
class Network(TrainedAttack[DenseScorer]):
    """Multi-layer perceptrons that tell members from non-members.

    The attack network of Nasr, Shokri, Houmansadr, "Comprehensive Privacy Analysis of
    Deep Learning", S&P 2019, in its black-box form: outputs, loss and one-hot label; see
    feature_map.py for what enters. A fifth of the rows, held back, says when to stop and
    which epoch to keep. Where rows are few that choice is noisy, so five networks each
    hold back another fifth, and the score is the mean of their log-odds. They train side
    by side. Scores are log-odds.

    On 20,000 rows of 10 classes a fit takes .3 seconds of one core, and their scores
    .05 seconds.

    Attributes:
      hidden: Units of each hidden layer.
      l2: Penalty on the weights.
      learning_rate: Of Adam.
      epochs: At most.
      patience: Epochs without progress of any network after which training stops.
    """

    hidden: tuple[int, ...] = (64, 32)
    l2: float = 1e-3
    learning_rate: float = 2e-3
    epochs: int = 40
    patience: int = 5

    name: ClassVar[str] = "network"
    description: ClassVar[str] = (
        "Learns from known members and non-members to tell them apart by logits, loss and label, "
        "with a small neural network."
    )

    def learn(self, rows: Signals, seed: int) -> DenseScorer:
        """See TrainedAttack."""
        from threadpoolctl import threadpool_limits

        feature_map = FeatureMap.fit(rows)
        generator = np.random.default_rng(derived_seed(seed, self.name))
        parts = _parts(feature_map(rows).astype(np.float32), rows.member, generator)
        with threadpool_limits(_THREADS):
            return DenseScorer(self.name, feature_map, self._train(parts, generator))

    def load(self, directory: Path) -> DenseScorer:
        """See Attack."""
        return DenseScorer.load(directory, self.name)

    def _train(self, parts: _Parts, generator: np.random.Generator) -> list[Layers]:
        """Each network as it was after the epoch with the smallest loss on its held-back rows."""
        units = (parts.features.shape[1], *self.hidden, 1)
        networks = Networks.drawn(len(parts.trains), units, generator)
        adam = Adam(networks, self.learning_rate, self.l2)
        features, member, weight = parts.training_rows()
        best = [networks.layers(network) for network in range(len(parts.trains))]
        smallest = np.full(len(parts.trains), math.inf)
        last_progress = 0
        for epoch in range(self.epochs):
            for rows in batches(len(features), _batch_size(len(features)), generator):
                adam.step(features[rows], member[rows], weight[:, rows])
            losses = parts.held_back_losses(networks)
            for network in np.flatnonzero(losses < smallest).tolist():
                best[network], last_progress = networks.layers(network), epoch
            smallest = np.minimum(smallest, losses)
            if epoch - last_progress >= self.patience:
                break
        return best


@dataclasses.dataclass(frozen=True)
class _Parts:
    """Rows, and which of them each network trains on and is stopped by.

    Attributes:
      features: [n, d].
      member: [n].
      trains: [networks, n] bool.
      stops: [networks, n] bool.
    """

    features: NDArray[np.float32]
    member: NDArray[np.bool_]
    trains: NDArray[np.bool_]
    stops: NDArray[np.bool_]

    def training_rows(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Features, membership and weights of the m rows that any network trains on.

        Weights are [networks, m], 0 where a network does not train on the row. Members
        and non-members of each network weigh the same, and m in all.
        """
        rows = self.trains.any(axis=0)
        member, trains = self.member[rows], self.trains[:, rows]
        weight = np.zeros(trains.shape)
        for network, mine in enumerate(trains):
            weight[network, mine] = balancing_weights(member[mine]) / mine.mean()
        return self.features[rows], member.astype(np.float32), weight.astype(np.float32)

    def held_back_losses(self, networks: Networks) -> NDArray[np.float64]:
        """The log-loss of the rows each network is stopped by, sides balanced, no penalty."""
        losses = np.empty(len(self.stops))
        for network, rows in enumerate(self.stops):
            log_odds = networks.one(network).log_odds(self.features[rows])[0].astype(np.float64)
            member = self.member[rows]
            signed = np.where(member, log_odds, -log_odds)
            losses[network] = np.mean(balancing_weights(member) * np.logaddexp(0, -signed))
        return losses


def _parts(
    features: NDArray[np.float32], member: NDArray[np.bool_], generator: np.random.Generator
) -> _Parts:
    if smaller_side(member) < _FOLDS:
        # Too few to keep any back.
        everything = np.ones((1, len(member)), np.bool_)
        return _Parts(features, member, everything, everything)
    networks = _FOLDS if len(member) <= _ROWS_FOR_EVERY_FOLD else 1
    stops = balanced_folds(member, _FOLDS, generator) == np.arange(networks)[:, None]
    return _Parts(features, member, ~stops, stops)


def _batch_size(rows: int) -> int:
    """A power of two: small enough that an epoch has a number of steps, within limits."""
    wanted = int(math.log2(max(rows / _BATCHES_AN_EPOCH, 1)))
    return min(max(1 << wanted, _SMALLEST_BATCH), _LARGEST_BATCH)
