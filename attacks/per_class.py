"""Thresholds per class: a score is judged among those of its own class."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack, FittedAttack
from tfx_privacy.attacks.blocks import in_blocks
from tfx_privacy.attacks.confidence import Confidence
from tfx_privacy.attacks.distributions import Distributions
from tfx_privacy.attacks.entropy import Entropy
from tfx_privacy.attacks.log_loss import LogLoss
from tfx_privacy.attacks.margin import Margin
from tfx_privacy.attacks.modified_entropy import ModifiedEntropy
from tfx_privacy.attacks.required import required_class
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.sides import check_sides
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals


@dataclasses.dataclass(frozen=True)
class PerClass(Attack):
    """Score: the share of the class's FIT non-members with a lower base score, as log-odds.

    One threshold on it is a threshold for every class, the one that calls the same share
    of each class's non-members members. Song and Mittal, "Systematic Evaluation of
    Privacy Risks of Machine Learning Models", USENIX Security 2021, section 3.2.2, choose
    class-dependent thresholds by accuracy on a shadow model; here the target's own known
    non-members stand for it, and one score is left, so that all rates can be measured.

    A class with few rows borrows from all: of log-odds L_c in the class of n_c
    non-members and L in all FIT non-members, the score is
    (n_c L_c + prior_rows L) / (n_c + prior_rows). A class without non-members has L.

    Attributes:
      base: The attack whose scores are compared.
      prior_rows: How many rows of a class all classes together count for; positive.
    """

    base: ThresholdAttack
    prior_rows: float = 10.0

    tasks: ClassVar[frozenset[config_pb2.Task.ValueType]] = frozenset(
        {config_pb2.BINARY, config_pb2.MULTICLASS}
    )
    # Mildly: none of the n non-members that it learned from in a class lies above their
    # largest score, of others about one in n + 1. A threshold for a small false-positive
    # rate that is chosen on those rows would be too low.
    is_trained: ClassVar[bool] = True

    def fit(self, signals: Signals, seed: int) -> FittedPerClass:
        """See Attack."""
        check_sides(signals.member)
        nonmember = ~signals.member
        scores = self.base.score(signals)[nonmember]
        classes, of_row, rows = np.unique(
            required_class(signals)[nonmember], return_inverse=True, return_counts=True
        )
        everybody = np.full(len(scores), len(classes))
        return FittedPerClass(
            name=self.name,
            base=self.base,
            classes=classes,
            weights=rows / (rows + self.prior_rows),
            distributions=Distributions.fit(
                np.concatenate([scores, scores]),
                np.concatenate([of_row.astype(np.int64), everybody]),
                len(classes) + 1,
            ),
        )

    def load(self, directory: Path) -> FittedPerClass:
        """See Attack."""
        arrays = load_attack(directory, self.name)
        return FittedPerClass(
            name=self.name,
            base=self.base,
            classes=arrays["classes"],
            weights=arrays["weights"],
            distributions=Distributions.from_arrays(arrays),
        )


@dataclasses.dataclass(frozen=True)
class FittedPerClass(FittedAttack):
    """The distributions of a base score by class, ready to score.

    Attributes:
      name: Of the attack.
      base: The attack whose scores are compared.
      classes: [c] int64, ascending: those with FIT non-members.
      weights: [c] float64 in (0, 1): what a class's own distribution counts for; all
        classes together count for the rest.
      distributions: Of each of the c classes; the last one, of all together.
    """

    name: str
    base: ThresholdAttack
    classes: NDArray[np.int64]
    weights: NDArray[np.float64]
    distributions: Distributions

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        own: dict[str, NDArray[np.generic]] = {"classes": self.classes, "weights": self.weights}
        save_attack(directory, self.name, own | self.distributions.arrays())

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        scores, label = self.base.formula(signals), required_class(signals)
        nearest = np.minimum(np.searchsorted(self.classes, label), len(self.classes) - 1)
        known = self.classes[nearest] == label
        everybody = np.full(len(label), len(self.classes))
        of_class = self.distributions.log_odds(scores, np.where(known, nearest, everybody))
        of_all = self.distributions.log_odds(scores, everybody)
        weight = np.where(known, self.weights[nearest], 0.0)
        return weight * of_class + (1.0 - weight) * of_all


@dataclasses.dataclass(frozen=True)
class LossThresholdPerClass(PerClass):
    """The loss threshold, per class."""

    base: ThresholdAttack = dataclasses.field(default_factory=LogLoss)

    name: ClassVar[str] = "loss_threshold_per_class"
    description: ClassVar[str] = (
        "Calls a record a member if the model's loss on it is small among known non-members of "
        "its class."
    )
    needs: ClassVar[frozenset[str]] = LogLoss.needs | {"label"}


@dataclasses.dataclass(frozen=True)
class ConfidencePerClass(PerClass):
    """The confidence threshold, per class."""

    base: ThresholdAttack = dataclasses.field(default_factory=Confidence)

    name: ClassVar[str] = "confidence_per_class"
    description: ClassVar[str] = (
        "Calls a record a member if the model gives its true class a high probability, compared "
        "with known non-members of that class."
    )
    needs: ClassVar[frozenset[str]] = Confidence.needs


@dataclasses.dataclass(frozen=True)
class EntropyPerClass(PerClass):
    """The entropy threshold, per class; the class is the record's own, so it needs the label."""

    base: ThresholdAttack = dataclasses.field(default_factory=Entropy)

    name: ClassVar[str] = "entropy_per_class"
    description: ClassVar[str] = (
        "Calls a record a member if the model's prediction, right or wrong, is sure compared with "
        "known non-members of the record's class."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"label"})

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack. Either of logits and entropy will do, beside the label."""
        return self.base.cannot_run(signals) or super().cannot_run(signals)


@dataclasses.dataclass(frozen=True)
class ModifiedEntropyPerClass(PerClass):
    """The modified-entropy threshold, per class: the strongest of Song and Mittal's."""

    base: ThresholdAttack = dataclasses.field(default_factory=ModifiedEntropy)

    name: ClassVar[str] = "modified_entropy_per_class"
    description: ClassVar[str] = (
        "Calls a record a member if the model's prediction is sure and right compared with known "
        "non-members of its class."
    )
    needs: ClassVar[frozenset[str]] = ModifiedEntropy.needs


@dataclasses.dataclass(frozen=True)
class MarginPerClass(PerClass):
    """The margin threshold, per class."""

    base: ThresholdAttack = dataclasses.field(default_factory=Margin)

    name: ClassVar[str] = "margin_per_class"
    description: ClassVar[str] = (
        "Calls a record a member if the model's logit of the true class is far ahead of the next, "
        "compared with known non-members of that class."
    )
    needs: ClassVar[frozenset[str]] = Margin.needs
