"""Small networks on features of (logits, loss, label), trained with Keras 3."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.dense_scorer import DenseScorer, Layers, dense_output, exact_layers
from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import (
    balanced_folds,
    balancing_weights,
    smaller_side,
)
from tfx_privacy.attacks.trained import TrainedAttack
from tfx_privacy.signals.batch import Signals

if TYPE_CHECKING:
    import keras

# Each network keeps one row in five back to stop by.
_FOLDS = 5

# Up to this many rows, a network for each fold; beyond, one network is as good.
_ROWS_FOR_EVERY_FOLD = 10_000

_SMALLEST_BATCH = 32
_LARGEST_BATCH = 1024
_BATCHES_AN_EPOCH = 12


@dataclasses.dataclass(frozen=True)
class Network(TrainedAttack[DenseScorer]):
    """Multi-layer perceptrons that tell members from non-members.

    The attack network of Nasr, Shokri, Houmansadr, "Comprehensive Privacy Analysis of
    Deep Learning", S&P 2019, in its black-box form: outputs, loss and one-hot label; see
    feature_map.py for what enters. A fifth of the rows, held back, says when to stop and
    which epoch to keep. Where rows are few that choice is noisy, so five networks each
    hold back another fifth, and the score is the mean of their log-odds. They train side
    by side as one Keras model, on whatever backend and device Keras has.

    Training has a thread of its own: what Keras keeps for a process (names given so far,
    seed generators, dtype policy, distribution) it keeps by thread, and the user's
    Trainer runs in this process too.

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
        feature_map = FeatureMap.fit(rows)
        generator = np.random.default_rng(derived_seed(seed, self.name))
        parts = _parts(feature_map(rows), rows.member, generator)
        with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
            training = thread.submit(self._train, parts, feature_map.limit, seed, generator)
        return DenseScorer(self.name, feature_map, training.result())

    def load(self, directory: Path) -> DenseScorer:
        """See Attack."""
        return DenseScorer.load(directory, self.name)

    def _train(
        self, parts: _Parts, limit: float, seed: int, generator: np.random.Generator
    ) -> list[Layers]:
        """Each network as it was after the epoch with the smallest loss on its held-back rows."""
        model = self._compiled_model(parts.features.shape[1], parts.networks, seed)
        batches = _Batches.of(parts)
        best = _networks(model)
        smallest = [math.inf] * parts.networks
        last_progress = 0
        for epoch in range(self.epochs):
            for batch in batches.in_random_order(generator):
                model.train_on_batch(*batch)
            for index, layers in enumerate(_networks(model)):
                loss = parts.held_back_loss(index, layers, limit)
                if loss < smallest[index]:
                    best[index], smallest[index], last_progress = layers, loss, epoch
            if epoch - last_progress >= self.patience:
                break
        return best

    def _compiled_model(self, width: int, networks: int, seed: int) -> keras.Model:
        """Features [n, width] to log-odds [n, networks, 1]; no weight is shared."""
        import keras

        units = (*self.hidden, 1)
        model = keras.Sequential([keras.Input((width,), name="features")], name="membership")
        for index, (fan_in, fan_out) in enumerate(zip((width, *units), units, strict=False)):
            name = f"dense_{index}"
            model.add(
                keras.layers.EinsumDense(
                    # n rows, k networks, i inputs, o outputs.
                    "ni,kio->nko" if index == 0 else "nki,kio->nko",
                    output_shape=(networks, fan_out),
                    bias_axes="ko",
                    activation="relu" if index < len(self.hidden) else None,
                    # He et al. 2015, by the fan-in of one network.
                    kernel_initializer=keras.initializers.RandomNormal(
                        stddev=math.sqrt(2 / fan_in), seed=derived_seed(seed, self.name, name)
                    ),
                    kernel_regularizer=keras.regularizers.L2(self.l2),
                    dtype="float32",
                    name=name,
                )
            )
        # Compiling with XLA takes longer than it saves, except under JAX, which knows
        # nothing else.
        model.compile(
            optimizer=keras.optimizers.Adam(self.learning_rate),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=keras.backend.backend() == "jax",
        )
        # A step that makes the optimizer's variables first is traced twice by TensorFlow.
        model.optimizer.build(model.trainable_variables)
        return model


@dataclasses.dataclass(frozen=True)
class _Parts:
    """Rows, and which of them each network trains on and is stopped by.

    Attributes:
      features: [n, d].
      member: [n].
      trains: [networks, n] bool.
      stops: [networks, n] bool.
    """

    features: NDArray[np.float64]
    member: NDArray[np.bool_]
    trains: NDArray[np.bool_]
    stops: NDArray[np.bool_]

    @property
    def networks(self) -> int:
        return len(self.trains)

    def held_back_loss(self, network: int, layers: Layers, limit: float) -> float:
        """The log-loss of the rows the network is stopped by, sides balanced, without penalty."""
        rows = self.stops[network]
        log_odds = dense_output(exact_layers(layers, limit), self.features[rows])
        signed = np.where(self.member[rows], log_odds, -log_odds)
        return float(np.mean(balancing_weights(self.member[rows]) * np.logaddexp(0, -signed)))


def _parts(
    features: NDArray[np.float64], member: NDArray[np.bool_], generator: np.random.Generator
) -> _Parts:
    if smaller_side(member) < _FOLDS:
        # Too few to keep any back.
        everything = np.ones((1, len(member)), np.bool_)
        return _Parts(features, member, everything, everything)
    networks = _FOLDS if len(member) <= _ROWS_FOR_EVERY_FOLD else 1
    stops = balanced_folds(member, _FOLDS, generator) == np.arange(networks)[:, None]
    return _Parts(features, member, ~stops, stops)


@dataclasses.dataclass(frozen=True)
class _Batches:
    """Rows that any network trains on, as Keras takes them.

    Attributes:
      features: [n, d].
      member: [n, networks, 1].
      weight: [n, networks]: 0 where a network does not train on the row. Members and
        non-members of each network weigh the same, and each network as if alone.
    """

    features: NDArray[np.float32]
    member: NDArray[np.float32]
    weight: NDArray[np.float32]

    @staticmethod
    def of(parts: _Parts) -> _Batches:
        rows = parts.trains.any(axis=0)
        member, trains = parts.member[rows], parts.trains[:, rows]
        weight = np.zeros((len(member), parts.networks))
        for network, mine in enumerate(trains):
            # Keras divides by all rows and networks; this undoes it.
            share = mine.mean() / parts.networks
            weight[mine, network] = balancing_weights(member[mine]) / share
        answers = np.repeat(member[:, None, None], parts.networks, axis=1)
        return _Batches(
            parts.features[rows].astype(np.float32),
            answers.astype(np.float32),
            weight.astype(np.float32),
        )

    def in_random_order(
        self, generator: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
        """Every row once, in batches of one size; the last is filled up with the first rows."""
        size = _batch_size(len(self.features))
        order = generator.permutation(len(self.features))
        order = np.resize(order, math.ceil(len(order) / size) * size)
        for rows in np.split(order, len(order) // size):
            yield self.features[rows], self.member[rows], self.weight[rows]


def _batch_size(rows: int) -> int:
    """A power of two: small enough that an epoch has a number of steps, within limits."""
    wanted = int(math.log2(max(rows / _BATCHES_AN_EPOCH, 1)))
    return min(max(1 << wanted, _SMALLEST_BATCH), _LARGEST_BATCH)


def _networks(model: keras.Model) -> list[Layers]:
    """The layers of each network as they are now."""
    weights = [weight.astype(np.float64) for weight in model.get_weights()]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    return [
        [(kernels[network], biases[network]) for kernels, biases in layers]
        for network in range(len(weights[0]))
    ]
