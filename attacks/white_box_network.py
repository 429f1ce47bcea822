"""The network of an attacker that holds the model, on all that it sees of an example."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import has
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import balanced_folds, smaller_side
from tfx_privacy.attacks.trained import TrainedAttack
from tfx_privacy.attacks.white_box_network_backend import train_with
from tfx_privacy.attacks.white_box_network_features import (
    ACTIVATIONS,
    LABEL,
    LOSS,
    NORMS,
    OUTPUTS,
    SKETCH,
    NetworkFeatures,
    Part,
    PartMap,
    parts_there,
)
from tfx_privacy.attacks.white_box_network_scorer import WhiteBoxNetworkScorer
from tfx_privacy.attacks.white_box_network_training import (
    Architecture,
    Encoder,
    TrainingRows,
    TrainingSettings,
    tell_epoch,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import WHITE_BOX, Signals

# One row in so many of each side says when to stop.
_FOLDS = 5

# Losses, norms and what a label says are few numbers, and most of what tells members
# apart. Sketches and activations are many, by which a network of this size memorises some
# thousand rows within an epoch. So these begin small, are penalised more, and half of them
# are left out at random: on their own they tell more, and beside the others they do not
# drown them. (AUC of a target with 128 and 64 hidden units and 6,000 FIT rows, two seeds,
# +-.007: .657 and .664 so, .641 and .650 without, .662 and .666 by outputs, loss and label;
# by sketches alone .643 so, .597 without.)
_FEW_FEATURES = 64
_OF_FEW = Encoder(units=(64, 32), l2=1e-3)
_OF_MANY = Encoder(units=(128, 64), l2=1e-2, dropout=0.5, start=0.1)
_HEAD = (64, 1)
_HEAD_L2 = 1e-3

_KINDS = {
    config_pb2.OUTPUT_PART: OUTPUTS,
    config_pb2.LOSS_PART: LOSS,
    config_pb2.LABEL_PART: LABEL,
    config_pb2.NORM_PART: NORMS,
    config_pb2.SKETCH_PART: SKETCH,
    config_pb2.ACTIVATION_PART: ACTIVATIONS,
}


@dataclasses.dataclass(frozen=True)
class WhiteBoxNetwork(TrainedAttack[WhiteBoxNetworkScorer]):
    """A network that tells members from non-members by what the model does inside.

    The attack of Nasr, Shokri, Houmansadr, "Comprehensive Privacy Analysis of Deep
    Learning", S&P 2019, section III: an encoder for each part of what the attacker sees
    (outputs, activations and gradient of chosen layers, loss, one-hot label), their
    results joined, then dense layers; batches of as many members as non-members.

    Otherwise than there:
      - Of a layer's gradient a sketch and the exact norm enter, not the whole, and dense
        layers encode them where the paper has a convolution over the gradient's matrix.
        A gradient of 1,024 x 512 weights for each of 40,000 rows is 84 GB; its sketch has
        the same size for every layer, and a convolution has nothing to find in it, since
        its rows and columns are sums of all units by chance.
      - Losses, norms and lengths enter by their logarithms, a sketch as length and
        direction; see white_box_network_features.py.
      - The output is a log-odds and its loss the log-loss, where the paper has a sigmoid
        and the squared error: scores of different fits are on one scale.
      - A fifth of the rows, held back, says which epoch to keep, and weights have a
        penalty; dropout is of features alone, where NumPy draws it.
      - Fewer units (64 to 128 in an encoder, where the paper has 64 to 1,000).

    It looks at whatever is there of its parts; where white-box signals are among these, one
    of them has to be there. Keras trains it, on a GPU where Keras finds one. Scores are
    log-odds, and need NumPy alone.

    On 40,000 rows with two sketches and two activations of 256 numbers, an epoch takes 1.5
    seconds of one core, what comes before the first 10, and the rows' scores 1.7. Peak
    memory is 1.3 GB.

    Attributes:
      parts: What it looks at; none for all that there is.
      gradient_layers: Layers whose norms and sketches it looks at; none for all.
      activation_layers: Layers whose activations it looks at; none for all.
      optimizer: "adam", "adamw", "sgd" or "rmsprop".
      learning_rate: The size of a step.
      epochs: At most.
      batch_size: Rows of a batch, half of them members.
      patience: Epochs without progress on the rows held back after which training stops.
      backend: Keras's: "tensorflow", "jax" or "torch".
    """

    parts: tuple[config_pb2.NetworkPart.ValueType, ...] = ()
    gradient_layers: tuple[str, ...] = ()
    activation_layers: tuple[str, ...] = ()
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    epochs: int = 50
    batch_size: int = 256
    patience: int = 8
    backend: str = "tensorflow"

    name: ClassVar[str] = "white_box_network"
    description: ClassVar[str] = (
        "Learns from known members and non-members to tell them apart by outputs, loss, label, "
        "gradients and activations, with a neural network."
    )
    needs: ClassVar[frozenset[str]] = frozenset()

    @property
    def sees_planted(self) -> bool:
        """See Attack."""
        return not {OUTPUTS, LOSS, NORMS, SKETCH}.isdisjoint(self._kinds)

    @property
    def white_box_seen(self) -> frozenset[str]:
        """See Attack."""
        return frozenset(WHITE_BOX) & frozenset(self._kinds)

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack. Any white-box signal will do."""
        seen = [name for name in WHITE_BOX if name in self.white_box_seen]
        if seen and not any(has(signals, name) for name in seen):
            return (
                f"needs white-box signals ({' or '.join(seen)}), which were not computed: set "
                "white_box in the configuration"
            )
        reason = self._unknown_layer(signals)
        if reason is None and not self._parts_there(signals):
            return f"needs {' or '.join(self._kinds)}, which the signals do not have"
        return reason or super().cannot_run(signals)

    def learn(self, rows: Signals, seed: int) -> WhiteBoxNetworkScorer:
        """See TrainedAttack."""
        reason = self.cannot_run(rows)
        if reason is not None:
            raise ValueError(f"the attack {self.name} {reason}")
        generator = np.random.default_rng(derived_seed(seed, self.name))
        features = NetworkFeatures.fit(self._parts_there(rows), rows)
        trains, stops = _roles(rows.member, generator)
        arrays = features.training_arrays(rows)
        trained = train_with(
            self.backend,
            TrainingRows(arrays, rows.member, trains, stops),
            _architecture(features.parts),
            self._training_settings(derived_seed(seed, self.name, "training")),
            tell_epoch,
        )
        return WhiteBoxNetworkScorer.of(self.name, features, trained, arrays)

    def load(self, directory: Path) -> WhiteBoxNetworkScorer:
        """See Attack. What is read has its own parts, whatever those of this attack are."""
        return WhiteBoxNetworkScorer.load(directory, self.name)

    @property
    def _kinds(self) -> tuple[str, ...]:
        parts = self.parts or tuple(_KINDS)
        return tuple(kind for part, kind in _KINDS.items() if part in parts)

    def _parts_there(self, signals: Signals) -> list[Part]:
        return parts_there(signals, self._kinds, self.gradient_layers, self.activation_layers)

    def _unknown_layer(self, signals: Signals) -> str | None:
        """Says so where a layer is named of which the signals have nothing."""
        gradients = [*signals.gradient_norms, *signals.gradient_sketches]
        for field, wanted, found in (
            ("gradient_layers", self.gradient_layers, gradients),
            ("activation_layers", self.activation_layers, list(signals.activations)),
        ):
            unknown = [layer for layer in wanted if layer not in found]
            # Where there is nothing of any layer, an attacker does not see it.
            if unknown and found:
                return (
                    f"looks at the layer {unknown[0]!r} (attack_network.{field}), of which nothing "
                    f"was computed; of these there is: {', '.join(dict.fromkeys(found))}"
                )
        return None

    def _training_settings(self, seed: int) -> TrainingSettings:
        return TrainingSettings(
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            seed=seed,
        )


def _architecture(parts: Sequence[PartMap]) -> Architecture:
    encoders = tuple(_OF_FEW if part.features <= _FEW_FEATURES else _OF_MANY for part in parts)
    return Architecture(encoders, _HEAD, _HEAD_L2)


def _roles(
    member: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are trained on, and which say when to stop."""
    if smaller_side(member) < _FOLDS:
        # Too few to keep any back.
        everything = np.ones(len(member), np.bool_)
        return everything, everything
    stops = balanced_folds(member, _FOLDS, generator) == 0
    return ~stops, stops
