"""A fitted attack that is trees on features: boosted trees and the random forest.

Scoring needs NumPy and SciPy and nothing else (see trees.py).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.feature_map import FeatureMap, Features
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.trees import Trees
from tfx_privacy.signals.batch import Signals


class TreeOutput(enum.Enum):
    """What the sum of the trees' values is."""

    LOG_ODDS = "log_odds"
    PROBABILITY = "probability"


@dataclasses.dataclass(frozen=True)
class TreeScorer(FittedAttack):
    """Score: the log-odds of being a member where both sides are equally large.

    Attributes:
      name: Of the attack.
      features: What the trees see of a row, in float32.
      trees: Their output may be a probability in (0, 1), of which the log-odds are taken.
      output: Which of the two it is.
    """

    name: str
    features: Features
    trees: Trees
    output: TreeOutput

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        save_attack(directory, self.name, self.features.arrays() | self.trees.arrays())

    @staticmethod
    def load(
        directory: Path,
        name: str,
        output: TreeOutput,
        features_from: Callable[[Mapping[str, NDArray[Any]]], Features] = FeatureMap.from_arrays,
    ) -> TreeScorer:
        """Reads what `save` wrote for the attack of that name.

        Args:
          directory: Where it lies.
          name: Of the attack.
          output: What its trees say.
          features_from: Makes its features of their arrays.

        Raises:
          ValueError: If the directory holds another attack.
        """
        arrays = load_attack(directory, name)
        return TreeScorer(name, features_from(arrays), Trees.from_arrays(arrays), output)

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        values = self.trees.score(self.features(signals).astype(np.float32))
        if self.output is TreeOutput.LOG_ODDS:
            return values
        log_odds: NDArray[np.float64] = special.logit(values)
        return log_odds
