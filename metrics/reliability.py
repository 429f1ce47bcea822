"""Whether risks mean what they say: the share of members among records with a risk."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics import clopper_pearson
from tfx_privacy.metrics.checks import require_one_sided_error
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.risk_histogram import RISK_UNIT, RiskHistogram

_MOST_BINS = 10
# Bins with fewer rows of a side than this, on average, would show nothing.
_FEWEST_A_BIN = 20
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class ReliabilityBin:
    """The rows whose risk lies in one bin.

    Attributes:
      mean_risk: Of its rows, weighted to the prior.
      member_share: The share of members among them, weighted to the prior.
      members: How many there are.
      nonmembers: How many there are.
      weight: The share of all rows, weighted to the prior, that are in it.
    """

    mean_risk: float
    member_share: Interval
    members: int
    nonmembers: int
    weight: float


def reliability(counts: RiskHistogram, prior: float, alpha: float) -> list[ReliabilityBin]:
    """Risk said against share found (a reliability diagram), by ten groups at most.

    Groups have about the same share of rows, weighted to the prior: fewer than ten where
    rows are few, or many have one risk.

    Args:
      counts: Rows that neither the attack nor the curve has seen, in fine bins; at least
        one a side.
      prior: P(member), in (0, 1).
      alpha: One-sided error of each interval, in (0, 0.5).

    Raises:
      ValueError: If a side has no rows, or prior or alpha is out of its range.
    """
    _require(counts, prior)
    require_one_sided_error(alpha)
    m, n = counts.n_members, counts.n_nonmembers
    wide = counts.in_wider_bins(_groups(_weights(counts, prior, m, n), min(m, n)))
    weights = _weights(wide, prior, m, n)
    sums = prior * wide.member_risk / m + (1.0 - prior) * wide.nonmember_risk / n
    return [
        ReliabilityBin(
            mean_risk=float(sums[group]) * RISK_UNIT / float(weights[group]),
            member_share=member_share(members, m, nonmembers, n, prior, alpha),
            members=members,
            nonmembers=nonmembers,
            weight=float(weights[group]),
        )
        for group, (members, nonmembers) in enumerate(
            zip(wide.members.tolist(), wide.nonmembers.tolist(), strict=True)
        )
    ]


def member_share(
    members: int, all_members: int, nonmembers: int, all_nonmembers: int, prior: float, alpha: float
) -> Interval:
    """The share of members in a group, in a population of which a share `prior` are members.

    prior a / (prior a + (1 - prior) b), of the shares a of all members and b of all
    non-members that are in the group. It rises with a and falls with b, so its bounds are
    at those of a and b (Clopper-Pearson), each at half the error.

    Args:
      members: In the group; with `nonmembers` at least one.
      all_members: At least one.
      nonmembers: In the group.
      all_nonmembers: At least one.
      prior: In (0, 1).
      alpha: One-sided error, in (0, 0.5).
    """
    half = alpha / 2.0

    def share(of_members: float, of_nonmembers: float) -> float:
        found = prior * of_members
        return found / (found + (1.0 - prior) * of_nonmembers)

    least_b = float(clopper_pearson.lower_bound(nonmembers, all_nonmembers, half))
    most_b = float(clopper_pearson.upper_bound(nonmembers, all_nonmembers, half))
    least_a = float(clopper_pearson.lower_bound(members, all_members, half))
    most_a = float(clopper_pearson.upper_bound(members, all_members, half))
    estimate = share(members / all_members, nonmembers / all_nonmembers)
    return Interval(
        estimate,
        lower=min(estimate, share(least_a, most_b)),
        upper=max(estimate, share(most_a, least_b)),
    )


def share_of_side(count: int, total: int, alpha: float) -> Interval:
    """The share of a side's rows that are in a group (Clopper-Pearson).

    Args:
      count: In the group.
      total: At least one.
      alpha: One-sided error, in (0, 0.5).
    """
    return Interval(
        count / total,
        lower=float(clopper_pearson.lower_bound(count, total, alpha)),
        upper=float(clopper_pearson.upper_bound(count, total, alpha)),
    )


def calibration_error(bins: list[ReliabilityBin]) -> float:
    """Expected calibration error: the mean distance of risk said and share found.

    Over the bins, each with its weight (Naeini, Cooper and Hauskrecht 2015). Never
    negative, so chance alone makes it positive: by less the more rows there are.
    """
    return sum(one.weight * abs(one.mean_risk - one.member_share.estimate) for one in bins)


def _weights(counts: RiskHistogram, prior: float, m: int, n: int) -> NDArray[np.float64]:
    return prior * counts.members / m + (1.0 - prior) * counts.nonmembers / n


def _groups(weights: NDArray[np.float64], smaller_side: int) -> NDArray[np.int64]:
    """The fine bin that each group begins with; none is without rows."""
    groups = int(np.clip(smaller_side // _FEWEST_A_BIN, 1, _MOST_BINS))
    below = np.concatenate(([0.0], np.cumsum(weights)))
    targets = np.arange(1, groups) / groups * below[-1]
    cuts = np.searchsorted(below, targets - _ROUNDING)
    cuts = cuts[(below[cuts] > 0) & (below[cuts] < below[-1] - _ROUNDING)]
    return np.asarray(np.unique(np.concatenate(([0], cuts))), np.int64)


def _require(counts: RiskHistogram, prior: float) -> None:
    if counts.n_members == 0 or counts.n_nonmembers == 0:
        raise ValueError(
            f"no reliability: found {counts.n_members} members and {counts.n_nonmembers} "
            "non-members, expected at least one of each"
        )
    if not 0.0 < prior < 1.0:
        raise ValueError(f"prior: found {prior}, expected a number in (0, 1)")
