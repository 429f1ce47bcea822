"""Logistic regression on features of (logits, loss, label)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.dense_scorer import DenseScorer, Layer
from tfx_privacy.attacks.feature_map import FeatureMap
from tfx_privacy.attacks.seeds import derived_seed
from tfx_privacy.attacks.sides import (
    balanced_folds,
    balancing_weights,
    smaller_side,
)
from tfx_privacy.attacks.trained import TrainedAttack
from tfx_privacy.signals.batch import Signals

# The strength of the penalty is chosen on this many rows at most: it matters where
# rows are few, and one chosen on these suits any larger number.
_ROWS_TO_CHOOSE_ON = 10_000
_FOLDS = 4


@dataclasses.dataclass(frozen=True)
class LogisticRegression(TrainedAttack[DenseScorer]):
    """L2-penalised logistic regression that tells members from non-members.

    The trained attack of Shokri et al., S&P 2017, in the form that TF Privacy made
    common: a classifier of (logits, loss), no shadow models, members and non-members
    known. The inverse penalty C is chosen by cross-validated log-loss; see
    feature_map.py for what enters. Scores are log-odds.

    Attributes:
      penalties: The values of C (scikit-learn's) to choose from, for the rows given.
    """

    penalties: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 10.0)

    name: ClassVar[str] = "logistic_regression"
    description: ClassVar[str] = (
        "Learns from known members and non-members to tell them apart by logits, loss and label, "
        "with logistic regression."
    )

    def learn(self, rows: Signals, seed: int) -> DenseScorer:
        """See TrainedAttack."""
        feature_map = FeatureMap.fit(rows)
        features, member = feature_map(rows), rows.member
        generator = np.random.default_rng(derived_seed(seed, self.name))
        c = self._best_c(features, member, generator)
        return DenseScorer(self.name, feature_map, [[_fit_linear(features, member, c)]])

    def load(self, directory: Path) -> DenseScorer:
        """See Attack."""
        return DenseScorer.load(directory, self.name)

    def _best_c(
        self,
        features: NDArray[np.float64],
        member: NDArray[np.bool_],
        generator: np.random.Generator,
    ) -> float:
        chosen = np.sort(generator.permutation(len(member))[:_ROWS_TO_CHOOSE_ON])
        features, member = features[chosen], member[chosen]
        folds = min(_FOLDS, smaller_side(member))
        if folds < 2:
            return min(self.penalties)
        fold = balanced_folds(member, folds, generator)
        losses = [
            sum(_held_out_loss(features, member, fold == k, c) for k in range(folds))
            for c in self.penalties
        ]
        return self.penalties[int(np.argmin(losses))]


def _held_out_loss(
    features: NDArray[np.float64],
    member: NDArray[np.bool_],
    held_out: NDArray[np.bool_],
    c: float,
) -> float:
    """The balanced log-loss of the rows held out, by a fit on the others."""
    weight, bias = _fit_linear(features[~held_out], member[~held_out], c)
    log_odds = features[held_out] @ weight[:, 0] + bias[0]
    signed = np.where(member[held_out], log_odds, -log_odds)
    return float(np.sum(balancing_weights(member[held_out]) * np.logaddexp(0, -signed)))


def _fit_linear(features: NDArray[np.float64], member: NDArray[np.bool_], c: float) -> Layer:
    from sklearn import linear_model

    # Newton steps with an exact Hessian: there are far fewer features than rows, and
    # the result does not hang on a tolerance.
    model = linear_model.LogisticRegression(C=c, solver="newton-cholesky", tol=1e-6)
    model.fit(features, member, sample_weight=balancing_weights(member))
    return model.coef_.T, model.intercept_
