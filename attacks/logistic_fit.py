"""Logistic regression with an L2 penalty, by Newton steps in NumPy.

There are far fewer features than rows, so the exact Hessian is cheap and the result
does not hang on a tolerance; a fit that starts near its end takes two or three steps.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

_MAX_STEPS = 50
_MAX_HALVINGS = 20

# The fit ends where a step is expected to lower the loss by less than this share.
_TOLERANCE = 1e-10


@dataclasses.dataclass(frozen=True)
class Linear:
    """Log-odds as a weighted sum of features.

    Attributes:
      weight: [d].
      bias: That of a row whose features are all 0.
    """

    weight: NDArray[np.float64]
    bias: float

    def log_odds(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n], for features [n, d]."""
        return features @ self.weight + self.bias


def fit_logistic(
    features: NDArray[np.float64],
    member: NDArray[np.bool_],
    row_weight: NDArray[np.float64],
    c: float,
    start: Linear | None = None,
) -> Linear:
    """Minimises C times the summed weighted log-loss plus half of the squared weights.

    That is scikit-learn's objective; the bias has no penalty (Hastie, Tibshirani and
    Friedman, The Elements of Statistical Learning, section 4.4.1 and 4.4.4).

    Args:
      features: [n, d].
      member: [n].
      row_weight: [n], positive.
      c: The inverse of the penalty.
      start: Where the first step starts, for instance the fit for another C.
    """
    with_one = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    penalty = np.append(np.full(features.shape[1], 1.0 / c), 0.0)
    at = np.zeros(len(penalty)) if start is None else np.append(start.weight, start.bias)
    log_odds = with_one @ at
    loss = _loss(log_odds, at, member, row_weight, penalty)
    for _ in range(_MAX_STEPS):
        # tanh does not overflow, as exp would.
        probability = 0.5 + 0.5 * np.tanh(0.5 * log_odds)
        gradient = with_one.T @ (row_weight * (probability - member)) + penalty * at
        curvature = row_weight * probability * (1.0 - probability)
        hessian = with_one.T @ (with_one * curvature[:, None]) + np.diag(penalty)
        # Where every row is as good as certain, nothing else bends the bias.
        hessian[-1, -1] += 1e-12 * row_weight.sum()
        step = np.linalg.solve(hessian, gradient)
        if gradient @ step <= _TOLERANCE * loss:
            break
        along = with_one @ step
        for halving in range(_MAX_HALVINGS):
            size = 0.5**halving
            nearer = _loss(log_odds - size * along, at - size * step, member, row_weight, penalty)
            if nearer < loss:
                break
        else:
            break
        at, log_odds, loss = at - size * step, log_odds - size * along, nearer
    return Linear(at[:-1], float(at[-1]))


def _loss(
    log_odds: NDArray[np.float64],
    at: NDArray[np.float64],
    member: NDArray[np.bool_],
    row_weight: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> float:
    """The objective over C."""
    of_rows = np.logaddexp(0, np.where(member, -log_odds, log_odds))
    return float(row_weight @ of_rows + 0.5 * (penalty @ (at * at)))
