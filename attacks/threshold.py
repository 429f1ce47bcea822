"""Attacks that have a formula for the score and nothing to learn."""

from __future__ import annotations

import abc
import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.sides import check_sides
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class ThresholdAttack(Attack, FittedAttack):
    """A score by formula; who is above a threshold is called a member.

    The threshold itself is chosen with the bin edges, for every attack alike. With
    nothing to learn, the attack before and after `fit` is the same object.
    """

    is_trained: ClassVar[bool] = False

    @abc.abstractmethod
    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """The score of each row of a block, [n]: the higher, the more member-like."""

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks(self.formula, signals)

    def fit(self, signals: Signals, seed: int) -> ThresholdAttack:
        """See Attack."""
        check_sides(signals.member)
        return self

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        save_attack(directory, self.name, {})

    def load(self, directory: Path) -> ThresholdAttack:
        """See Attack."""
        load_attack(directory, self.name)
        return self
