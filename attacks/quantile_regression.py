"""Quantile regression: how sure a model is of records like this one that it was not trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import FittedAttack
from tfx_privacy.attacks.blocks import in_blocks_with_inputs
from tfx_privacy.attacks.inputs_and_label import InputsAndLabel
from tfx_privacy.attacks.log_loss import LogLoss
from tfx_privacy.attacks.margin import Margin
from tfx_privacy.attacks.regression_trees import (
    GAMMA,
    SQUARED_ERROR,
    RegressionSettings,
    fit_regression_trees,
    mean_of_trees,
)
from tfx_privacy.attacks.saved import load_attack, save_attack
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.trained import TrainedAttack
from tfx_privacy.attacks.trees import Trees
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

# The spread is told by few rows with large residuals, and is regressed more carefully.
_MEAN = RegressionSettings(rounds=300, learning_rate=0.1)
_SPREAD = RegressionSettings(rounds=100, learning_rate=0.05, leaves=8)

# Numbers that trees are fitted on: beyond, rows are left out, but not below these.
_CELLS = 5_000_000
_FEWEST_ROWS = 10_000

# Each part of the non-members has its scores foretold by a fit on the others.
_FOLDS = 5

# The smallest spread, in that of all rows: nearly equal scores are not told apart by noise.
_SMALLEST_SPREAD = 0.01


@dataclasses.dataclass(frozen=True)
class QuantileRegression(TrainedAttack["QuantileScorer"]):
    """How far a row's score lies above what is expected of non-members like it.

    Bertran, Tang, Kearns, Morgenstern, Roth, Wu, "Scalable Membership Inference Attacks
    via Quantile Regression", NeurIPS 2023: learn the distribution of the model's score on
    non-members given what the record is, and call it a member where its score exceeds a
    quantile of that. An easy record that every model is sure of is no longer taken for a
    member, which a global threshold does; that pays at low false-positive rates.

    For all quantiles at once the paper takes the distribution to be normal, with a mean m
    and a deviation s that depend on the record, for tables by boosted trees; so here: m
    by squared error, s by the Gamma deviance of the |residuals| of rows held out. The
    score (z - m) / s is above a number exactly where z is above the same quantile of
    every record's distribution. z is the margin of the true class (the paper's score); for
    regression, and where no logits are known, the negative logarithm of the loss.

    The regression sees input features and label, never logits or loss, which a member
    that is called sure would explain away. It learns from non-members alone.

    On 20,000 rows with 20 features a fit takes 2 seconds of one core, and so do their
    scores.

    Attributes:
      mean: How the trees of m are boosted.
      spread: How those of s are.
    """

    mean: RegressionSettings = _MEAN
    spread: RegressionSettings = _SPREAD

    name: ClassVar[str] = "quantile_regression"
    description: ClassVar[str] = (
        "Calls a record a member if the model is surer of it than of known non-members with such "
        "input features and label."
    )
    needs: ClassVar[frozenset[str]] = frozenset({"inputs"})

    def learn(self, rows: Signals, seed: int) -> QuantileScorer:
        """See TrainedAttack."""
        generator = np.random.default_rng(derived_seed(seed, self.name))
        tree_seed = derived_seed(seed, self.name, "trees")
        others = rows.take(np.flatnonzero(~rows.member))
        encoder = InputsAndLabel.fit(others)
        most = max(_CELLS // max(len(encoder.names), 1), _FEWEST_ROWS)
        others = others.take(np.sort(generator.permutation(len(others))[:most]))
        columns, sureness = encoder(others), _sureness(others)
        folds = min(_FOLDS, len(others))
        fold = generator.permutation(np.arange(len(others)) % folds)
        # The mean of the fits that rows were held out from stands for one on all: it is as
        # good, and what was left of the rows held out is what it leaves of others.
        means = [
            fit_regression_trees(
                columns[(fold != k) | (folds == 1)],
                sureness[(fold != k) | (folds == 1)],
                tree_seed,
                SQUARED_ERROR,
                self.mean,
            )
            for k in range(folds)
        ]
        held_out = np.empty(len(others))
        for k, trees in enumerate(means):
            held_out[fold == k] = trees.score(columns[fold == k])
        residual = np.abs(sureness - held_out)
        unit = float(residual.mean()) or 1.0
        floor = _SMALLEST_SPREAD * unit
        spread = fit_regression_trees(
            columns, np.maximum(residual, floor), tree_seed, GAMMA, self.spread
        )
        return QuantileScorer(encoder, mean_of_trees(means), spread, floor)

    def load(self, directory: Path) -> QuantileScorer:
        """See Attack."""
        return QuantileScorer.load(directory)

    def cannot_run(self, signals: Signals) -> str | None:
        """See Attack."""
        reason = super().cannot_run(signals)
        if reason is None and not _has_margin(signals) and signals.loss is None:
            return "needs loss, or logits and label, which the signals do not have"
        return reason


@dataclasses.dataclass(frozen=True)
class QuantileScorer(FittedAttack):
    """Score: deviations above the mean of non-members with such inputs and label.

    Attributes:
      encoder: What the regression sees of a row.
      mean: Of a non-member's score.
      spread: The logarithm of how far a non-member's score is from that, in the mean.
      floor: The smallest spread.
    """

    encoder: InputsAndLabel
    mean: Trees
    spread: Trees
    floor: float

    def score(self, signals: Signals) -> NDArray[np.float64]:
        """See FittedAttack."""
        return in_blocks_with_inputs(self._score_block, signals)

    def save(self, directory: Path) -> None:
        """See FittedAttack."""
        arrays = self.encoder.arrays() | {"floor": np.asarray(self.floor)}
        for part, trees in (("mean", self.mean), ("spread", self.spread)):
            arrays |= {f"{part}_{name}": array for name, array in trees.arrays().items()}
        save_attack(directory, QuantileRegression.name, arrays)

    @staticmethod
    def load(directory: Path) -> QuantileScorer:
        """Reads what `save` wrote.

        Raises:
          ValueError: If the directory holds another attack.
        """
        arrays = load_attack(directory, QuantileRegression.name)
        mean, spread = (
            Trees.from_arrays(
                {
                    name.removeprefix(f"{part}_"): array
                    for name, array in arrays.items()
                    if name.startswith(f"{part}_")
                }
            )
            for part in ("mean", "spread")
        )
        encoder = InputsAndLabel.from_arrays(arrays)
        return QuantileScorer(encoder, mean, spread, float(arrays["floor"]))

    def _score_block(self, signals: Signals) -> NDArray[np.float64]:
        columns = self.encoder(signals)
        spread = np.maximum(np.exp(self.spread.score(columns)), self.floor)
        deviations: NDArray[np.float64] = (_sureness(signals) - self.mean.score(columns)) / spread
        return deviations


def _has_margin(signals: Signals) -> bool:
    return (
        signals.task != config_pb2.REGRESSION
        and signals.logits is not None
        and signals.label is not None
    )


def _sureness(signals: Signals) -> NDArray[np.float64]:
    """What is regressed, [n]: high where the model is sure and right."""
    return Margin().score(signals) if _has_margin(signals) else LogLoss().score(signals)
