"""Training of the white-box attack network, in Keras on whatever backend it has.

What is random comes from NumPy's generators: weights are drawn there and set, batches
are drawn there and passed. Nothing that a process has one of is changed: no global seed,
no backend, no policy of precision, and every layer has a name of its own, because names
that Keras makes up count on through the process and would be other ones in a model that
is built later.

Importing this module does not import Keras.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.progress_log import tell_progress
from tfx_privacy.attacks.rank_sum import rank_sum_auc
from tfx_privacy.attacks.sides import balancing_weights
from tfx_privacy.signals.errors import InputError

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")

# (weight [d, h], bias [h]) of one dense layer.
Dense = tuple[NDArray[np.float32], NDArray[np.float32]]

TRAINING_LOSS, VALIDATION_LOSS, VALIDATION_AUC = (
    "training_loss",
    "validation_loss",
    "validation_auc",
)


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
      optimizer: One of OPTIMIZERS.
      learning_rate: The size of a step.
      epochs: At most.
      batch_size: Rows of a batch, half of them members.
      patience: Epochs without progress after which training stops.
      seed: Where all randomness comes from.
    """

    optimizer: str
    learning_rate: float
    epochs: int
    batch_size: int
    patience: int
    seed: int


@dataclasses.dataclass(frozen=True)
class TrainingRows:
    """Rows to train on and to stop by.

    Attributes:
      parts: [n, d] float32 of each part.
      member: [n].
      trains: [n], the rows that are trained on.
      stops: [n], the rows that say when to stop.
    """

    parts: Sequence[NDArray[np.float32]]
    member: NDArray[np.bool_]
    trains: NDArray[np.bool_]
    stops: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """The layers of one part.

    Attributes:
      units: Of each layer.
      l2: Penalty on their weights.
      dropout: The share of the part's features that is 0 in a batch, row by row.
      start: What the last layer's first weights are multiplied by.
    """

    units: tuple[int, ...]
    l2: float
    dropout: float = 0.0
    start: float = 1.0


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The layers: encoders of the parts, joined, then dense layers to one log-odds.

    Attributes:
      encoders: Of each part.
      head: Units of the layers after these, the last of them 1.
      l2: Penalty on these layers' weights.
    """

    encoders: tuple[Encoder, ...]
    head: tuple[int, ...]
    l2: float


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """The network as it was after its best epoch.

    Attributes:
      encoders: Of each part, its layers, with ReLU after each.
      head: The layers after these, with ReLU between them.
      curves: By the name of a value, the value after each epoch.
    """

    encoders: Sequence[Sequence[Dense]]
    head: Sequence[Dense]
    curves: dict[str, list[float]]


@dataclasses.dataclass(frozen=True)
class Epoch:
    """How training went in an epoch, counted from 1."""

    number: int
    epochs: int
    training_loss: float
    validation_loss: float
    validation_auc: float
    seconds_left: float


def tell_epoch(epoch: Epoch) -> None:
    """Tells of an epoch as progress."""
    tell_progress(
        f"network: epoch {epoch.number} of {epoch.epochs}, validation loss "
        f"{epoch.validation_loss:.3f}, up to {epoch.seconds_left:.0f} s left"
    )


def train(
    rows: TrainingRows,
    architecture: Architecture,
    settings: TrainingSettings,
    tell: Callable[[Epoch], None],
) -> TrainedNetwork:
    """Trains with Keras on the backend that this process has.

    Args:
      rows: What to learn from.
      architecture: The layers.
      settings: How to train.
      tell: Is told of every epoch.

    Raises:
      InputError: If no epoch ends with a finite loss: the learning rate is too large.
    """
    generator = np.random.default_rng(settings.seed)
    start = _draw(rows, architecture, generator)
    network = _KerasNetwork(start, architecture, settings)
    dropouts = [encoder.dropout for encoder in architecture.encoders]
    batches = _Batches(rows, dropouts, settings.batch_size, generator)
    held_back = [part[rows.stops] for part in rows.parts]
    member = rows.member[rows.stops]
    best, smallest, best_epoch = start, math.inf, 0
    curves: dict[str, list[float]] = {TRAINING_LOSS: [], VALIDATION_LOSS: [], VALIDATION_AUC: []}
    began = time.perf_counter()
    for number in range(1, settings.epochs + 1):
        training_loss = network.train_epoch(batches)
        log_odds = network.log_odds(held_back)
        loss = _balanced_log_loss(log_odds, member)
        area = rank_sum_auc(log_odds, member)[0] if math.isfinite(loss) else math.nan
        for name, value in zip(curves, (training_loss, loss, area), strict=True):
            curves[name].append(value)
        if loss < smallest:
            best, smallest, best_epoch = network.layers(), loss, number
        an_epoch = (time.perf_counter() - began) / number
        left = an_epoch * (settings.epochs - number)
        tell(Epoch(number, settings.epochs, training_loss, loss, area, left))
        if number - best_epoch >= settings.patience:
            break
    if not math.isfinite(smallest):
        raise InputError(
            f"the attack network's loss was not finite after any of {len(curves[VALIDATION_LOSS])} "
            f"epochs with the learning rate {settings.learning_rate:g}: expected a smaller "
            "attack_network.learning_rate"
        )
    return TrainedNetwork(best.encoders, best.head, curves)


@dataclasses.dataclass(frozen=True)
class _Layers:
    encoders: Sequence[Sequence[Dense]]
    head: Sequence[Dense]

    def flat(self) -> list[Dense]:
        return [layer for encoder in self.encoders for layer in encoder] + list(self.head)


def _draw(
    rows: TrainingRows, architecture: Architecture, generator: np.random.Generator
) -> _Layers:
    """Weights by chance, by the number of inputs (He et al. 2015); biases are 0."""
    encoders = []
    for part, encoder in zip(rows.parts, architecture.encoders, strict=True):
        *layers, (weight, bias) = _draw_layers(part.shape[1], encoder.units, generator)
        encoders.append([*layers, (weight * np.float32(encoder.start), bias)])
    joined = sum(encoder.units[-1] for encoder in architecture.encoders)
    return _Layers(encoders, _draw_layers(joined, architecture.head, generator))


def _draw_layers(inputs: int, units: Sequence[int], generator: np.random.Generator) -> list[Dense]:
    layers = []
    for outputs in units:
        weight = generator.normal(0, math.sqrt(2 / inputs), (inputs, outputs))
        layers.append((weight.astype(np.float32), np.zeros(outputs, np.float32)))
        inputs = outputs
    return layers


class _KerasNetwork:
    """The network in Keras."""

    def __init__(
        self, start: _Layers, architecture: Architecture, settings: TrainingSettings
    ) -> None:
        import keras

        self._shape = start
        self._layers: list[Any] = []
        inputs, outputs = [], []
        for part, (layers, encoder) in enumerate(
            zip(start.encoders, architecture.encoders, strict=True)
        ):
            width = len(layers[0][0])
            values = keras.Input((width,), name=f"attack_part_{part}", dtype="float32")
            inputs.append(values)
            penalty = keras.regularizers.L2(encoder.l2)
            for units in encoder.units:
                values = self._dense(keras, units, "relu", penalty)(values)
            outputs.append(values)
        if len(outputs) > 1:
            joined = keras.layers.Concatenate(name="attack_joined", dtype="float32")(outputs)
        else:
            (joined,) = outputs
        penalty = keras.regularizers.L2(architecture.l2)
        *hidden, last = architecture.head
        for units in hidden:
            joined = self._dense(keras, units, "relu", penalty)(joined)
        joined = self._dense(keras, last, None, penalty)(joined)
        self._model = keras.Model(inputs, joined, name="attack_network")
        self._model.compile(
            optimizer=_optimizer(keras, settings),
            loss=keras.losses.BinaryCrossentropy(from_logits=True, name="attack_loss"),
            # Without the penalty, unlike the loss that Keras tells of by itself.
            metrics=[keras.metrics.BinaryCrossentropy(from_logits=True, name=TRAINING_LOSS)],
            # XLA takes longer to compile this than to run it; JAX has nothing else.
            jit_compile=keras.config.backend() == "jax",
            # What it would do follows from the process's policy of precision.
            auto_scale_loss=False,
        )
        # Variables that the first step made would cost tracing it a second time.
        self._model.optimizer.build(self._model.trainable_variables)
        for layer, weights in zip(self._layers, start.flat(), strict=True):
            layer.set_weights(list(weights))

    def _dense(self, keras: Any, units: int, activation: str | None, penalty: object) -> Any:
        layer = keras.layers.Dense(
            units,
            activation=activation,
            # Weights are set; an initialiser by chance would draw from Python's generator.
            kernel_initializer="zeros",
            kernel_regularizer=penalty,
            name=f"attack_dense_{len(self._layers)}",
            dtype="float32",
        )
        self._layers.append(layer)
        return layer

    def train_epoch(self, batches: _Batches) -> float:
        """One step for each batch; the mean of the log-losses before these steps."""
        self._model.reset_metrics()
        mean_so_far = math.nan
        for parts, member in batches.epoch():
            logs = self._model.train_on_batch(parts, member, return_dict=True)
            mean_so_far = float(logs[TRAINING_LOSS])
        return mean_so_far

    def log_odds(self, parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """[n] for [n, d] of each part."""
        outputs = self._model.predict_on_batch(list(parts))
        return np.asarray(outputs, np.float64)[:, 0]

    def layers(self) -> _Layers:
        """A copy of the layers."""
        weights: list[Dense] = []
        for layer in self._layers:
            weight, bias = layer.get_weights()
            weights.append((np.array(weight), np.array(bias)))
        remaining = iter(weights)
        encoders = [[next(remaining) for _ in encoder] for encoder in self._shape.encoders]
        return _Layers(encoders, list(remaining))


def _optimizer(keras: Any, settings: TrainingSettings) -> Any:
    classes = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
    }
    return classes[settings.optimizer](settings.learning_rate, name="attack_optimizer")


class _Batches:
    """Batches with as many members as non-members, a share of some parts' features 0."""

    def __init__(
        self,
        rows: TrainingRows,
        dropouts: Sequence[float],
        batch_size: int,
        generator: np.random.Generator,
    ) -> None:
        self._parts = rows.parts
        self._dropouts = dropouts
        self._generator = generator
        self._sides = [np.flatnonzero(rows.trains & side) for side in (rows.member, ~rows.member)]
        larger = max(len(side) for side in self._sides)
        self._of_a_side = max(min(batch_size // 2, larger), 1)
        self._steps = math.ceil(larger / self._of_a_side)
        self._member = np.repeat(np.array([[1], [0]], np.float32), self._of_a_side, axis=0)

    def epoch(self) -> Iterator[tuple[list[NDArray[np.float32]], NDArray[np.float32]]]:
        """Parts and membership, [b, 1], of batches of one size.

        Each row of the larger side comes once, but for those that fill up the last
        batch; the smaller side is gone through as often as that takes.
        """
        orders = [self._order(side) for side in self._sides]
        for step in range(self._steps):
            chosen = slice(step * self._of_a_side, (step + 1) * self._of_a_side)
            rows = np.concatenate([order[chosen] for order in orders])
            parts = [
                self._with_dropout(part[rows], share)
                for part, share in zip(self._parts, self._dropouts, strict=True)
            ]
            yield parts, self._member

    def _with_dropout(self, features: NDArray[np.float32], share: float) -> NDArray[np.float32]:
        """The rest is larger, so that sums stay what they were (Srivastava et al. 2014)."""
        if not share:
            return features
        kept = self._generator.random(features.shape, np.float32) >= share
        return features * (kept * np.float32(1 / (1 - share)))

    def _order(self, side: NDArray[np.int64]) -> NDArray[np.int64]:
        needed = self._steps * self._of_a_side
        rounds = math.ceil(needed / len(side))
        order = np.concatenate([self._generator.permutation(side) for _ in range(rounds)])
        filled: NDArray[np.int64] = order[:needed]
        return filled


def _balanced_log_loss(log_odds: NDArray[np.float64], member: NDArray[np.bool_]) -> float:
    """The log-loss of rows, sides balanced."""
    signed = np.where(member, log_odds, -log_odds)
    # Where training has failed there is no number to tell of.
    with np.errstate(invalid="ignore"):
        return float(np.mean(balancing_weights(member) * np.logaddexp(0, -signed)))
