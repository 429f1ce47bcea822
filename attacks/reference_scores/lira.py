"""LiRA, the likelihood-ratio attack: how a record's statistic lies among those of other models.

Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First
Principles", S&P 2022. The statistic is phi of confidence_logit.py. Several queries for
a record are augmentations of it that all models are asked about; their scores are
averaged, as in the authors' code.

Fitting takes from a sample of records what they have in common; a record's score then
depends on that and on the record alone.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.attacks.reference_scores.checks import check_queries, check_references
from tfx_privacy.attacks.reference_scores.gaussians import (
    Centre,
    PooledSide,
    Spread,
    gaussians,
    pool_side,
)


@dataclasses.dataclass(frozen=True)
class OnlineLira:
    """LiRA where reference models were trained on the record, and others without it.

    Algorithm 1 of the paper: log N(phi; in) - log N(phi; out). See gaussians.py for
    records with few models on a side.

    Attributes:
      inside: The side of the models that were trained on the record.
      outside: That of those that were not.
      centre: What the Gaussians' mean is.
      spread: Whose variance they have.
    """

    inside: PooledSide
    outside: PooledSide
    centre: Centre
    spread: Spread

    @classmethod
    def fit(
        cls,
        references: NDArray[np.float64],
        inside: NDArray[np.bool_],
        spread: Spread,
        centre: Centre = Centre.MEDIAN,
    ) -> OnlineLira:
        """Pools both sides over the records of a sample.

        With a single pair of models no record has two on a side, and nobody knows how
        they spread. Then both sides have one deviation, that of all values together:
        which one it is does not change the order of records.

        Args:
          references: [n, k, q] phi, finite.
          inside: [n, k], whether the model was trained on the record.
          spread: Whose variance a record's Gaussians have.
          centre: What their mean is.

        Raises:
          ValueError: If shapes or values are wrong, or a side has no model for any
            record.
        """
        check_references(references, inside, dimensions=3)
        within = pool_side(references, inside, centre)
        without = pool_side(references, ~inside, centre)
        return cls(
            inside=_known(within, without, references),
            outside=_known(without, within, references),
            centre=centre,
            spread=spread,
        )

    def score(
        self,
        target: NDArray[np.float64],
        references: NDArray[np.float64],
        inside: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """The log-likelihood ratio, the mean over queries, [n]: higher is more member-like.

        Args:
          target: [n, q] phi under the target.
          references: [n, k, q] phi under the reference models.
          inside: [n, k], whether the model was trained on the record.

        Raises:
          ValueError: If shapes do not fit together, or a value is not finite.
        """
        check_queries(target, references, inside)
        within = gaussians(references, inside, self.inside, self.centre, self.spread)
        without = gaussians(references, ~inside, self.outside, self.centre, self.spread)
        ratio: NDArray[np.float64] = within.log_density(target) - without.log_density(target)
        return _mean_over_queries(ratio)


@dataclasses.dataclass(frozen=True)
class OfflineLira:
    """LiRA by the models alone that were trained without the record.

    Attributes:
      outside: The side of these models.
      centre: What the Gaussians' mean is.
      spread: Whose variance they have.
    """

    outside: PooledSide
    centre: Centre
    spread: Spread

    @classmethod
    def fit(
        cls,
        references: NDArray[np.float64],
        inside: NDArray[np.bool_],
        spread: Spread,
        centre: Centre = Centre.MEDIAN,
    ) -> OfflineLira:
        """Pools the side over the records of a sample; arguments as in OnlineLira.

        Raises:
          ValueError: If shapes or values are wrong, or every model was trained on
            every record.
        """
        check_references(references, inside, dimensions=3)
        without = pool_side(references, ~inside, centre)
        return cls(outside=_known(without, without, references), centre=centre, spread=spread)

    def score(
        self,
        target: NDArray[np.float64],
        references: NDArray[np.float64],
        inside: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """How far phi is above what it is without the record, [n]: higher is more member-like.

        The paper's one-sided test, equation 4: Lambda = 1 - Pr[Z > phi] where
        Z ~ N(out), here as its log-odds, log Lambda - log(1 - Lambda), which stops
        neither at 0 nor at 1, and of which the mean over queries is taken.

        Args:
          target: [n, q] phi under the target.
          references: [n, k, q] phi under the reference models.
          inside: [n, k], whether the model was trained on the record.

        Raises:
          ValueError: If shapes do not fit together, or a value is not finite.
        """
        check_queries(target, references, inside)
        without = gaussians(references, ~inside, self.outside, self.centre, self.spread)
        above = without.standardised(target)
        return _mean_over_queries(special.log_ndtr(above) - special.log_ndtr(-above))

    def density_score(
        self,
        target: NDArray[np.float64],
        references: NDArray[np.float64],
        inside: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """-log N(phi; out), the mean over queries, [n]: arguments and errors as for `score`.

        What the authors' code and TF Privacy compute in place of the paper's test. A
        record whose phi is far *below* that of the other models scores high too.
        """
        check_queries(target, references, inside)
        without = gaussians(references, ~inside, self.outside, self.centre, self.spread)
        return _mean_over_queries(-without.log_density(target))


def _known(side: PooledSide, other: PooledSide, references: NDArray[np.float64]) -> PooledSide:
    """The side with a deviation above 0: its own, the other's, that of all values, or 1."""
    # Of equal numbers the computed variance may be above 0, by rounding.
    of_all = float(references.std()) if np.ptp(references) > 0 else 0.0
    deviation = side.deviation or other.deviation or of_all or 1.0
    return dataclasses.replace(side, deviation=deviation)


def _mean_over_queries(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = scores.mean(axis=1)
    return mean
