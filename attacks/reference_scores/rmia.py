"""RMIA, the robust attack: a record's likelihood ratio against those of a population.

Zarifzadeh, Liu, Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024.
A record x is compared with other records z that the target was not trained on: how
often is p(x | target) / p(x) more than gamma times p(z | target) / p(z)? Here p(x) is
what models in general give the record's true class, which the reference models tell.
Everything is in logarithms, so that no probability rounds to 0 or 1.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.probabilities import log_sum_exp
from tfx_privacy.attacks.reference_scores.checks import (
    check_all_outside,
    check_log_probabilities,
    check_references,
)

# The paper's: gamma for all data sets, a for CIFAR-10 (.6 for CIFAR-100, .2 for Purchase-100).
GAMMA = 2.0
OFFLINE_A = 0.3


def online_log_p(references: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log p(x) where half of the models were trained on each record, [n].

    The mean over all of them. Models with the record and models without it weigh the
    same, as the paper has it, where each record is in one half of the models: in
    complementary pairs.

    Args:
      references: [n, k], log p_y under the reference models.

    Raises:
      ValueError: If a value is no log-probability, or there are no models.
    """
    check_references(references, np.zeros(references.shape[:2], np.bool_), dimensions=2)
    check_log_probabilities(references, "the reference models")
    return _at_most_sure(log_sum_exp(references) - np.log(references.shape[1]))


def offline_log_p(
    references: NDArray[np.float64], inside: NDArray[np.bool_], a: float = OFFLINE_A
) -> NDArray[np.float64]:
    """The log p(x) by the models alone that were trained without the record, [n].

    The paper's offline algorithm: what models with the record would give is taken to be
    a p_out + (1 - a), so that p(x) = ((1 + a) p_out + (1 - a)) / 2, where p_out is the
    mean over the models.

    Args:
      references: [n, k], log p_y under the reference models.
      inside: [n, k], whether the model was trained on the record; each record needs
        one without it.
      a: From 0 to 1. At 1 a model with the record is no surer than one without, at 0
        it is always sure.

    Raises:
      ValueError: If shapes, values or a are wrong, or a record is in every model.
    """
    if not 0 <= a <= 1:
        raise ValueError(f"found a = {a}; expected a number from 0 to 1")
    check_references(references, inside, dimensions=2)
    check_log_probabilities(references, "the reference models")
    check_all_outside(inside)
    without = log_sum_exp(np.where(inside, -np.inf, references))
    log_out = _at_most_sure(without - np.log((~inside).sum(axis=1)))
    if a == 1:
        return log_out
    return _at_most_sure(np.logaddexp(np.log1p(a) + log_out, np.log1p(-a)) - np.log(2))


def _at_most_sure(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounding may lift a mean of ones above 1."""
    sure: NDArray[np.float64] = np.minimum(log_p, 0.0)
    return sure


@dataclasses.dataclass(frozen=True)
class Rmia:
    """RMIA with its population at hand.

    Memory is that of the population and of the records; no table of pairs is made.

    Attributes:
      population: [m], log(p(z | target) / p(z)) in ascending order.
      gamma: By how much a ratio has to be larger, at least 1.
    """

    population: NDArray[np.float64]
    gamma: float

    @classmethod
    def fit(
        cls, target: NDArray[np.float64], log_p: NDArray[np.float64], gamma: float = GAMMA
    ) -> Rmia:
        """Takes the population's ratios.

        Args:
          target: [m], log p_y under the target for records that it was not trained on,
            none of them among those to be judged.
          log_p: [m], their log p(z), made as that of the records will be.
          gamma: At least 1.

        Raises:
          ValueError: If gamma, a shape or a value is wrong, or there is no record.
        """
        if not 1 <= gamma < np.inf:
            raise ValueError(f"found gamma = {gamma}; expected a finite number of at least 1")
        if not len(target):
            raise ValueError("found a population of 0 records for RMIA; expected at least 1")
        return cls(population=np.sort(_log_ratio(target, log_p)), gamma=gamma)

    def score(self, target: NDArray[np.float64], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of the population with ratio_x / ratio_z > gamma, [n]: Algorithm 1.

        It is a multiple of 1 / m, so that a population of m records cannot tell apart
        what lies above all of it.

        Args:
          target: [n], log p_y under the target.
          log_p: [n], log p(x).

        Raises:
          ValueError: If shapes do not fit together, or a value is no log-probability.
        """
        reached = _log_ratio(target, log_p) - np.log(self.gamma)
        # The first that is not below: so many are.
        dominated = np.searchsorted(self.population, reached, side="left")
        share: NDArray[np.float64] = dominated / len(self.population)
        return share


def _log_ratio(target: NDArray[np.float64], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    if target.ndim != 1 or target.shape != log_p.shape:
        raise ValueError(
            f"found log p of shape {target.shape} under the target and {log_p.shape} under "
            "models in general; expected one dimension, and the same number of records"
        )
    check_log_probabilities(target, "the target")
    check_log_probabilities(log_p, "models in general")
    ratio: NDArray[np.float64] = target - log_p
    return ratio
