"""A fitted attack that is dense layers on features: logistic regression and networks.

Scoring needs NumPy and nothing else, and no batching can change a score (see
exact_linear.py).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.exact_linear import ExactLinear
from tfx_privacy.attacks.feature_map import FeatureMap, Features
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.signals.batch import Signals

# (weight [d, h], bias [h]) of one layer.
Layer = tuple[NDArray[np.float64], NDArray[np.float64]]
# Layers from the features to the one output; between layers stands ReLU.
Layers = Sequence[Layer]


@dataclasses.dataclass(frozen=True)
class DenseScorer(FittedAttack):
    """Score: the log-odds of being a member where both sides are equally large.

    Attributes:
      name: Of the attack.
      features: What enters the first layers.
      networks: Their outputs' mean is the score. One layer is a linear model.
    """

    name: str
    features: Features
    networks: Sequence[Layers]

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        arrays = self.features.arrays()
        arrays["shape"] = np.array([len(self.networks), len(self.networks[0])])
        for network, layers in enumerate(self.networks):
            for layer, (weight, bias) in enumerate(layers):
                arrays[f"weight_{network}_{layer}"] = weight
                arrays[f"bias_{network}_{layer}"] = bias
        save_attack(directory, self.name, arrays)

    @staticmethod
    def load(
        directory: Path,
        name: str,
        features_from: Callable[[Mapping[str, NDArray[Any]]], Features] = FeatureMap.from_arrays,
    ) -> DenseScorer:
        """Reads what `save` wrote for the attack of that name.

        Args:
          directory: Where it lies.
          name: Of the attack.
          features_from: Makes its features of their arrays.

        Raises:
          ValueError: If the directory holds another attack.
        """
        arrays = load_attack(directory, name)
        networks, depth = arrays["shape"].tolist()
        return DenseScorer(
            name,
            features_from(arrays),
            [
                [
                    (arrays[f"weight_{k}_{layer}"], arrays[f"bias_{k}_{layer}"])
                    for layer in range(depth)
                ]
                for k in range(networks)
            ],
        )

    @functools.cached_property
    def _exact_networks(self) -> list[list[ExactLinear]]:
        return [exact_layers(layers, self.features.limit) for layers in self.networks]

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        features = self.features(signals)
        total = np.zeros(len(features))
        for layers in self._exact_networks:
            total += dense_output(layers, features)
        return total / len(self.networks)


def exact_layers(layers: Layers, input_limit: float) -> list[ExactLinear]:
    """The layers on exact grids, for inputs up to the limit."""
    exact: list[ExactLinear] = []
    for weight, bias in layers:
        limit = exact[-1].output_limit if exact else input_limit
        exact.append(ExactLinear.of(weight, bias, limit))
    return exact


def dense_output(
    layers: Sequence[ExactLinear], features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The one output of the last layer, [n], for features [n, d]."""
    values = features
    for layer in layers[:-1]:
        values = np.maximum(layer(values), 0)
    return layers[-1](values)[:, 0]
