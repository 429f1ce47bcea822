"""A fitted attack that is dense layers on features: logistic regression and networks.

Scoring needs NumPy and nothing else: workers that score need no Keras and no
scikit-learn, and no framework's batching can change a score (see exact_linear.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.exact_linear import ExactLinear
from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.signals.batch import Signals

# (weight [d, h], bias [h]) of one layer.
Layer = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclasses.dataclass(frozen=True)
class DenseScorer(FittedAttack):
    """Score: the last layer's output, the log-odds of being a member at equal sides.

    Between layers stands ReLU. One layer is a linear model.

    Attributes:
      name: Of the attack.
      features: What enters the first layer.
      layers: The last one has one output.
    """

    name: str
    features: FeatureMap
    layers: Sequence[Layer]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_exact", exact_layers(self.layers, self.features.limit))

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        exact: Sequence[ExactLinear] = self.__dict__["_exact"]
        return in_blocks(lambda block: dense_logits(exact, self.features(block)), signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        arrays = self.features.arrays()
        arrays["layers"] = np.asarray(len(self.layers))
        for index, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight_{index}": weight, f"bias_{index}": bias}
        save_attack(directory, self.name, arrays)

    @staticmethod
    def load(directory: Path, name: str) -> DenseScorer:
        """Reads what `save` wrote for the attack of that name.

        Raises:
          ValueError: If the directory holds another attack.
        """
        arrays = load_attack(directory, name)
        layers = [
            (arrays[f"weight_{index}"], arrays[f"bias_{index}"])
            for index in range(int(arrays["layers"]))
        ]
        return DenseScorer(name, FeatureMap.from_arrays(arrays), layers)


def exact_layers(layers: Sequence[Layer], input_limit: float) -> list[ExactLinear]:
    """The layers on exact grids, for inputs up to the limit."""
    exact: list[ExactLinear] = []
    for weight, bias in layers:
        limit = exact[-1].output_limit if exact else input_limit
        exact.append(ExactLinear.of(weight, bias, limit))
    return exact


def dense_logits(
    layers: Sequence[ExactLinear], features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The one output of the last layer, [n], with ReLU between layers."""
    values = features
    for layer in layers[:-1]:
        values = np.maximum(layer(values), 0)
    return layers[-1](values)[:, 0]
