"""The trained white-box attack network, ready to score: NumPy and nothing else.

No batching can change a score, see exact_linear.py. Its grids are as fine as the largest
inputs of a layer allow. What could come out of a layer at worst grows by a factor with
every layer; what does come out is a small part of it. So inputs of layers stop at some
times the largest that occurred on FIT rows.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks_with_inputs
from tfx_privacy.attacks.dense_scorer import Layer, Layers
from tfx_privacy.attacks.exact_linear import ExactLinear
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.white_box_network_features import NetworkFeatures
from tfx_privacy.attacks.white_box_network_training import TrainedNetwork
from tfx_privacy.signals.batch import Signals

# Inputs of layers may be so many times larger than on FIT rows, rounded up to a power of 2.
_SPARE = 4.0

_BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class WhiteBoxNetworkScorer(FittedAttack):
    """Score: the log-odds of being a member where both sides are equally large.

    Attributes:
      name: Of the attack.
      features: What enters.
      encoders: Of each part, its layers; ReLU comes after each.
      head: The layers after these, ReLU between them.
      limits: Of each layer, in this order, the largest input.
      training: How training went: by the name of a value, the value after each epoch.
        Not kept in files.
    """

    name: str
    features: NetworkFeatures
    encoders: Sequence[Layers]
    head: Layers
    limits: Sequence[float]
    training: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)

    @staticmethod
    def of(
        name: str,
        features: NetworkFeatures,
        network: TrainedNetwork,
        parts: Sequence[NDArray[np.float32]],
    ) -> WhiteBoxNetworkScorer:
        """The network that was trained on these parts of FIT rows, [n, d] each."""
        return WhiteBoxNetworkScorer(
            name=name,
            features=features,
            encoders=[_in_double(encoder) for encoder in network.encoders],
            head=_in_double(network.head),
            limits=_limits(network, parts, features.limit),
            training=network.curves,
        )

    @property
    def curves(self) -> Mapping[str, Sequence[float]]:
        """See FittedAttack."""
        return self.training

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks_with_inputs(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        arrays = self.features.arrays()
        arrays["depths"] = np.array([len(encoder) for encoder in self.encoders])
        arrays["limits"] = np.array(self.limits)
        for index, (weight, bias) in enumerate(self._layers):
            arrays[f"weight_{index}"] = weight
            arrays[f"bias_{index}"] = bias
        save_attack(directory, self.name, arrays)

    @staticmethod
    def load(directory: Path, name: str) -> WhiteBoxNetworkScorer:
        """Reads what `save` wrote for the attack of that name.

        Raises:
          ValueError: If the directory holds another attack.
        """
        arrays = load_attack(directory, name)
        limits = arrays["limits"].tolist()
        layers = [
            (arrays[f"weight_{index}"], arrays[f"bias_{index}"]) for index in range(len(limits))
        ]
        remaining = iter(layers)
        depths = arrays["depths"].tolist()
        encoders = [[next(remaining) for _ in range(depth)] for depth in depths]
        features = NetworkFeatures.from_arrays(arrays)
        return WhiteBoxNetworkScorer(name, features, encoders, list(remaining), limits)

    @property
    def _layers(self) -> list[Layer]:
        return [layer for encoder in self.encoders for layer in encoder] + list(self.head)

    @functools.cached_property
    def _exact(self) -> tuple[list[list[ExactLinear]], list[ExactLinear]]:
        exact = iter(
            [
                ExactLinear.of(weight, bias, limit)
                for (weight, bias), limit in zip(self._layers, self.limits, strict=True)
            ]
        )
        encoders = [[next(exact) for _ in encoder] for encoder in self.encoders]
        return encoders, list(exact)

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        encoders, head = self._exact
        encoded = []
        for values, encoder in zip(self.features(signals), encoders, strict=True):
            for layer in encoder:
                values = np.maximum(layer(values), 0)
            encoded.append(values)
        joined = np.concatenate(encoded, axis=1)
        for layer in head[:-1]:
            joined = np.maximum(layer(joined), 0)
        return head[-1](joined)[:, 0]


def _in_double(layers: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> list[Layer]:
    return [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in layers]


def _limits(
    network: TrainedNetwork, parts: Sequence[NDArray[np.float32]], input_limit: float
) -> list[float]:
    """Of each layer, the largest input, by what occurs for these rows."""
    blocks = [
        _inputs_of_layers(network, [part[start : start + _BLOCK_ROWS] for part in parts])
        for start in range(0, len(parts[0]), _BLOCK_ROWS)
    ]
    largest = np.max(blocks, axis=0)
    limits = [_rounded_up(_SPARE * value) for value in largest.tolist()]
    # Features have a limit of their own.
    first = np.cumsum([0, *(len(encoder) for encoder in network.encoders)])[:-1]
    for layer in first.tolist():
        limits[layer] = input_limit
    return limits


def _inputs_of_layers(network: TrainedNetwork, parts: Sequence[NDArray[np.float32]]) -> list[float]:
    """The largest input of each layer for these rows."""
    largest, encoded = [], []
    for values, encoder in zip(parts, network.encoders, strict=True):
        for weight, bias in encoder:
            largest.append(float(np.abs(values).max()))
            values = np.maximum(values @ weight + bias, 0)
        encoded.append(values)
    joined = np.concatenate(encoded, axis=1)
    for weight, bias in network.head:
        largest.append(float(np.abs(joined).max()))
        joined = np.maximum(joined @ weight + bias, 0)
    return largest


def _rounded_up(value: float) -> float:
    return 2.0 ** math.ceil(math.log2(value)) if value > 0 else 1.0
