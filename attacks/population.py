"""Attack-P: how small a record's loss is among those of a population."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.distributions import Distributions
from tfx_privacy.attacks.log_loss import LogLoss
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.sides import check_sides
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class Population(Attack):
    """Score: the share of the population whose loss is larger, as log-odds.

    Ye, Maddi, Murakonda, Bindschaedler, Shokri, "Enhanced Membership Inference Attacks
    against Machine Learning Models", CCS 2022, Attack P: a record is called a member at
    false-positive rate a if its loss is below the a-quantile of the population's. The
    population is the FIT non-members; see distributions.py for what lies between and
    beyond their losses.

    One population for all records makes this the loss threshold with another scale: it
    orders rows as the loss does, so AUC and every rate are the same. What it adds is the
    scale, a false-positive rate that an attacker knows beforehand: 1 / (1 + e^score).
    """

    name: ClassVar[str] = "population"
    description: ClassVar[str] = (
        "Calls a record a member if the model's loss on it is small among those of known "
        "non-members; it ranks records as the loss does."
    )
    needs: ClassVar[frozenset[str]] = LossThreshold.needs
    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = LossThreshold.tasks
    # What it learns leaves the order of rows as it is: no row it learned from comes off
    # better than another.
    is_trained: ClassVar[bool] = False

    def fit(self, signals: Signals, seed: int) -> FittedPopulation:
        """See Attack."""
        check_sides(signals.member)
        scores = LogLoss().score(signals)[~signals.member]
        everybody = np.zeros(len(scores), np.int64)
        return FittedPopulation(Distributions.fit(scores, everybody, groups=1))

    def load(self, directory: Path) -> FittedPopulation:
        """See Attack."""
        return FittedPopulation(Distributions.from_arrays(load_attack(directory, self.name)))


@dataclasses.dataclass(frozen=True)
class FittedPopulation(FittedAttack):
    """The population, ready to score: the distribution of its losses, one group."""

    losses: Distributions

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        save_attack(directory, Population.name, self.losses.arrays())

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        scores = LogLoss().formula(signals)
        return self.losses.log_odds(scores, np.zeros(len(scores), np.int64))
