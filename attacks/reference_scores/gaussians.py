"""LiRA's Gaussians: how a record's statistic spreads over the reference models of one side.

A side is the models that were trained on the record, or those that were not. Of a few
models a record's own variance is known badly, so there is one for all records too:
each value's deviation from the centre of its record (for its query and side), over all
records, models and queries together, and the variance of these. That is the global
variance of Carlini et al., "Membership Inference Attacks From First Principles", S&P
2022, and `fix_variance` of TF Privacy's `compute_score_lira`.
"""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray


class Centre(enum.Enum):
    """What of a record's values over the models is taken for the Gaussian's mean."""

    # As in the code that the paper's figures come from, and TF Privacy's default.
    MEDIAN = "median"
    # As in the paper's Algorithm 1.
    MEAN = "mean"


class Spread(enum.Enum):
    """Whose variance a record's Gaussian has."""

    # Its own: for many models, some 64 or more.
    PER_RECORD = "per record"
    # One for all records, better for fewer.
    FIXED = "fixed"


@dataclasses.dataclass(frozen=True)
class PooledSide:
    """What all records together say of a side.

    Attributes:
      centre: [q], the mean over records of their centres, for each query.
      deviation: The standard deviation around a record's centre; 0 where no record
        has two models on this side that differ.
    """

    centre: NDArray[np.float64]
    deviation: float


@dataclasses.dataclass(frozen=True)
class Gaussians:
    """A normal distribution for each record and query.

    Attributes:
      mean: [n, q].
      deviation: [n, q], standard deviations, above 0.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def standardised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(x - mean) / deviation, [n, q]."""
        standardised: NDArray[np.float64] = (values - self.mean) / self.deviation
        return standardised

    def log_density(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value of log N(x; mean, deviation^2), [n, q]."""
        log_scale = np.log(self.deviation) + 0.5 * np.log(2 * np.pi)
        log_density: NDArray[np.float64] = -0.5 * self.standardised(values) ** 2 - log_scale
        return log_density


def pool_side(
    references: NDArray[np.float64], taken: NDArray[np.bool_], centre: Centre
) -> PooledSide:
    """Pools a side over records.

    Args:
      references: [n, k, q], the statistic of each record under each model and query.
      taken: [n, k], which models are on the side, for each record.
      centre: What a record's deviations are taken from.

    Raises:
      ValueError: If no record has a model on this side.
    """
    count, centres, deviations = _of_records(references, taken, centre)
    if not count.any():
        raise ValueError(
            f"found none of {references.shape[1]} reference models on one side (trained on the "
            f"record, or without it) for any of {len(references)} records; expected some on both"
        )
    some = count > 0
    several = taken & (count > 1)[:, None]
    differ = several[:, :, None] & (deviations > 0)[:, None, :]
    alike = several[:, :, None] & ~differ
    from_centre = (references - centres[:, None, :])[differ]
    # Models that agree to the last bit have deviation 0 exactly, though a mean is rounded.
    pooled = np.concatenate([from_centre, np.zeros(int(alike.sum()))])
    return PooledSide(
        centre=centres[some].mean(axis=0), deviation=float(pooled.std()) if len(pooled) else 0.0
    )


def gaussians(
    references: NDArray[np.float64],
    taken: NDArray[np.bool_],
    pooled: PooledSide,
    centre: Centre,
    spread: Spread,
) -> Gaussians:
    """A Gaussian for each record and query of one side, which depends on that record alone.

    A record without a model on the side has the pooled centre. One with fewer than
    two, or whose models agree exactly, has the pooled deviation: that is where models
    are too few to tell, not where none of them could differ.

    Args:
      references: [n, k, q].
      taken: [n, k], which models are on the side, for each record.
      pooled: Of the same side, with a deviation above 0.
      centre: What the mean is.
      spread: Whose variance to use. A record's own is that of its values around their
        mean, divided by their number (not by one less), as TF Privacy has it.
    """
    count, centres, deviations = _of_records(references, taken, centre)
    mean = np.where((count > 0)[:, None], centres, pooled.centre)
    if spread is Spread.FIXED:
        return Gaussians(mean, np.full_like(mean, pooled.deviation))
    return Gaussians(mean, np.where(deviations > 0, deviations, pooled.deviation))


def _of_records(
    references: NDArray[np.float64], taken: NDArray[np.bool_], centre: Centre
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """How many models a record has on the side [n], their centre and deviation [n, q].

    Where there are none, the centre is 0, and the deviation is 0 for fewer than two.
    """
    count = taken.sum(axis=1)
    models = np.maximum(count, 1)[:, None]
    kept = np.where(taken[:, :, None], references, 0.0)
    mean = kept.sum(axis=1) / models
    from_mean = np.where(taken[:, :, None], references - mean[:, None, :], 0.0)
    # Those of the side come first, in order; what is not of it stands behind.
    ordered = np.sort(np.where(taken[:, :, None], references, np.inf), axis=1)
    last = np.take_along_axis(ordered, (models - 1)[:, :, None], axis=1)[:, 0]
    agree = (ordered[:, 0] == last) | (count < 2)[:, None]
    deviation = np.where(agree, 0.0, np.sqrt((from_mean**2).sum(axis=1) / models))
    if centre is Centre.MEAN:
        return count, mean, deviation
    lower = np.take_along_axis(ordered, ((models - 1) // 2)[:, :, None], axis=1)[:, 0]
    upper = np.take_along_axis(ordered, (models // 2)[:, :, None], axis=1)[:, 0]
    some = (count > 0)[:, None]
    return count, np.where(some, lower, 0.0) / 2 + np.where(some, upper, 0.0) / 2, deviation
