"""A small network on features of (logits, loss, label), trained with Keras 3."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.dense_scorer import DenseScorer, Layer, dense_logits, exact_layers
from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import (
    balanced_folds,
    balancing_weights,
    check_sides,
    smaller_side,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

if TYPE_CHECKING:
    import keras

# One row in five is kept back to stop by.
_VALIDATION_FOLDS = 5
_SMALLEST_BATCH = 32
_LARGEST_BATCH = 1024
_BATCHES_AN_EPOCH = 12


@dataclasses.dataclass(frozen=True)
class Network(Attack):
    """A multi-layer perceptron that tells members from non-members.

    The attack network of Nasr, Shokri, Houmansadr, "Comprehensive Privacy Analysis of
    Deep Learning", S&P 2019, in its black-box form: outputs, loss and one-hot label; see
    feature_map.py for what enters. Trained with Keras on whatever backend and device it
    has. A fifth of the rows, held back, says when to stop and which epoch to keep.

    It trains in a thread of its own: what Keras keeps for a process (names given so far,
    seed generators, dtype policy, distribution) it keeps by thread, and the user's
    Trainer runs in this process too.

    Attributes:
      hidden: Units of each hidden layer.
      l2: Penalty on the weights.
      learning_rate: Of Adam.
      epochs: At most.
      patience: Epochs without progress after which training stops.
    """

    hidden: tuple[int, ...] = (64, 32)
    l2: float = 1e-3
    learning_rate: float = 2e-3
    epochs: int = 60
    patience: int = 8

    name: ClassVar[str] = "network"
    description: ClassVar[str] = (
        "Learns from known members and non-members to tell them apart by logits, loss and label, "
        "with a small neural network."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"logits", "loss", "label"})
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {
            config_pb2.BINARY,
            config_pb2.MULTICLASS,
            config_pb2.MULTILABEL,
            config_pb2.REGRESSION,
        }
    )
    is_trained: ClassVar[bool] = True

    def fit(self, signals: Signals, seed: int) -> DenseScorer:
        """See Attack."""
        check_sides(signals.member)
        rows = signals.sorted_by_id()
        feature_map = FeatureMap.fit(rows)
        generator = np.random.default_rng(derived_seed(seed, self.name))
        training, validation = _split(feature_map(rows), rows.member, generator)
        with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
            layers = thread.submit(
                self._train, training, validation, feature_map.limit, seed, generator
            ).result()
        return DenseScorer(self.name, feature_map, layers)

    def load(self, directory: Path) -> DenseScorer:
        """See Attack."""
        return DenseScorer.load(directory, self.name)

    def _train(
        self,
        training: _Rows,
        validation: _Rows,
        limit: float,
        seed: int,
        generator: np.random.Generator,
    ) -> list[Layer]:
        """The layers of the epoch with the smallest loss on the validation rows."""
        model = self._compiled_model(training.features.shape[1], seed)
        best, smallest, kept_at = _layers(model), math.inf, 0
        for epoch in range(self.epochs):
            for batch in training.batches(generator):
                model.train_on_batch(*batch)
            layers = _layers(model)
            loss = validation.loss(layers, limit)
            if loss < smallest:
                best, smallest, kept_at = layers, loss, epoch
            if epoch - kept_at >= self.patience:
                break
        return best

    def _compiled_model(self, width: int, seed: int) -> keras.Model:
        import keras

        def dense(units: int, name: str, activation: str | None) -> keras.layers.Dense:
            return keras.layers.Dense(
                units,
                activation=activation,
                kernel_initializer=keras.initializers.HeNormal(derived_seed(seed, "network", name)),
                kernel_regularizer=keras.regularizers.L2(self.l2),
                dtype="float32",
                name=name,
            )

        hidden = [dense(units, f"hidden_{i}", "relu") for i, units in enumerate(self.hidden)]
        model = keras.Sequential(
            [keras.Input((width,), name="features"), *hidden, dense(1, "member", None)],
            name="membership_attack",
        )
        # Compiling with XLA takes longer than it saves, except where Keras has no other
        # compiled mode.
        model.compile(
            optimizer=keras.optimizers.Adam(self.learning_rate),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=keras.backend.backend() == "jax",
        )
        return model


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Rows to train on or to validate by; members and non-members weigh the same."""

    features: NDArray[np.float64]
    member: NDArray[np.bool_]
    weight: NDArray[np.float64]

    @staticmethod
    def of(
        features: NDArray[np.float64], member: NDArray[np.bool_], rows: NDArray[np.bool_]
    ) -> _Rows:
        return _Rows(features[rows], member[rows], balancing_weights(member[rows]))

    def batches(
        self, generator: np.random.Generator
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
        """Every row once, in random order, in batches of one size; the last is filled up."""
        size = _batch_size(len(self.member))
        order = generator.permutation(len(self.member))
        order = np.resize(order, math.ceil(len(order) / size) * size)
        features = self.features.astype(np.float32)
        member = self.member.astype(np.float32)[:, None]
        weight = self.weight.astype(np.float32)
        return [
            (features[rows], member[rows], weight[rows])
            for rows in np.split(order, len(order) // size)
        ]

    def loss(self, layers: list[Layer], limit: float) -> float:
        """The balanced log-loss of the rows, without penalty."""
        log_odds = dense_logits(exact_layers(layers, limit), self.features)
        signed = np.where(self.member, log_odds, -log_odds)
        return float(np.mean(self.weight * np.logaddexp(0, -signed)))


def _split(
    features: NDArray[np.float64], member: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[_Rows, _Rows]:
    """Rows to train on and rows to validate by: the same where a side has too few to share."""
    if smaller_side(member) < _VALIDATION_FOLDS:
        everything = _Rows.of(features, member, np.ones(len(member), np.bool_))
        return everything, everything
    held_back = balanced_folds(member, _VALIDATION_FOLDS, generator) == 0
    return _Rows.of(features, member, ~held_back), _Rows.of(features, member, held_back)


def _batch_size(rows: int) -> int:
    """A power of two: small enough that an epoch has a number of steps, within limits."""
    wanted = int(math.log2(max(rows / _BATCHES_AN_EPOCH, 1)))
    return min(max(1 << wanted, _SMALLEST_BATCH), _LARGEST_BATCH)


def _layers(model: keras.Model) -> list[Layer]:
    """The weights as they are now."""
    weights = [weight.astype(np.float64) for weight in model.get_weights()]
    return list(zip(weights[::2], weights[1::2], strict=True))
