"""How many records have which risk: counts that add up to the same bits in any order."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics.risk_curve import at_prior

# Bins between which the exact risks are forgotten, and those that are shown.
_FINE_BINS = 1_000
_SHOWN_BINS = 50
# Risks whose excess is told, where they are beyond the prior.
_TOLD_RISKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
# A sum of risks is whole, in units of 2^-32: whole numbers add up alike in any order, and
# two thousand million of them fit.
RISK_UNIT = 2.0**-32


@dataclasses.dataclass(frozen=True)
class RiskHistogram:
    """Records by risk.

    Attributes:
      members: [b] int64. Bin i holds edges[i] < risk <= edges[i + 1] of its edges.
      nonmembers: [b] int64.
      member_risk: [b] int64, the sum of the members' risks in units of `RISK_UNIT`.
      nonmember_risk: [b] int64, that of the non-members.
    """

    members: NDArray[np.int64]
    nonmembers: NDArray[np.int64]
    member_risk: NDArray[np.int64]
    nonmember_risk: NDArray[np.int64]

    def __add__(self, other: RiskHistogram) -> RiskHistogram:
        return RiskHistogram(
            self.members + other.members,
            self.nonmembers + other.nonmembers,
            self.member_risk + other.member_risk,
            self.nonmember_risk + other.nonmember_risk,
        )

    @property
    def n_members(self) -> int:
        return int(self.members.sum())

    @property
    def n_nonmembers(self) -> int:
        return int(self.nonmembers.sum())

    @property
    def mean_member_risk(self) -> float:
        """In [0, 1]; 0 where there is no member."""
        return float(self.member_risk.sum()) * RISK_UNIT / max(self.n_members, 1)

    def of_group(self, group: int) -> RiskHistogram:
        """One of the histograms of `count_risks_by_group`."""
        return RiskHistogram(
            self.members[group],
            self.nonmembers[group],
            self.member_risk[group],
            self.nonmember_risk[group],
        )

    def in_wider_bins(self, starts: NDArray[np.int64]) -> RiskHistogram:
        """Bins put together.

        Args:
          starts: [k] int64, ascending from 0: the bin that each new one begins with.
        """
        return RiskHistogram(
            np.add.reduceat(self.members, starts),
            np.add.reduceat(self.nonmembers, starts),
            np.add.reduceat(self.member_risk, starts),
            np.add.reduceat(self.nonmember_risk, starts),
        )


def count_risks(
    risks: NDArray[np.float64], member: NDArray[np.bool_], edges: NDArray[np.float64]
) -> RiskHistogram:
    """Counts members and non-members between edges.

    Args:
      risks: [n] float64 in (0, 1).
      member: [n] bool.
      edges: [b + 1] float64, ascending from 0 to 1.
    """
    of_all = count_risks_by_group(risks, member, edges, np.zeros(len(risks), np.int64), 1)
    return of_all.of_group(0)


def count_risks_by_group(
    risks: NDArray[np.float64],
    member: NDArray[np.bool_],
    edges: NDArray[np.float64],
    groups: NDArray[np.int64],
    n_groups: int,
) -> RiskHistogram:
    """`count_risks` of each group, with arrays of shape [n_groups, b].

    Args:
      risks: [n] float64 in (0, 1).
      member: [n] bool.
      edges: [b + 1] float64, ascending from 0 to 1.
      groups: [n] int64 in [0, n_groups).
      n_groups: How many groups there are.
    """
    n_bins = len(edges) - 1
    places = groups * n_bins + np.searchsorted(edges[1:-1], risks, side="left")
    units = np.rint(risks / RISK_UNIT).astype(np.int64)
    counts, sums = [], []
    for side in (member, ~member):
        counted = np.bincount(places[side], minlength=n_groups * n_bins)
        counts.append(counted.astype(np.int64, copy=False).reshape(n_groups, n_bins))
        summed = np.zeros(n_groups * n_bins, np.int64)
        np.add.at(summed, places[side], units[side])
        sums.append(summed.reshape(n_groups, n_bins))
    return RiskHistogram(*counts, *sums)


@functools.lru_cache(maxsize=16)
def fine_edges(prior: float) -> NDArray[np.float64]:
    """Edges to count by: equal steps of the risk at even odds, told at the prior.

    A thousand, whatever the prior: at a prior of .001 most risks are below .01. The
    shown edges and the told risks are among them.
    """
    even = np.arange(_FINE_BINS + 1) / _FINE_BINS
    edges = np.unique(np.concatenate((at_prior(even, prior), told_risks(prior))))
    edges.setflags(write=False)
    return edges


@functools.lru_cache(maxsize=16)
def shown_edges(prior: float) -> NDArray[np.float64]:
    """Edges to show by: fifty bins, of .02 each where the prior is .5."""
    step = _FINE_BINS // _SHOWN_BINS
    edges = at_prior(np.arange(0, _FINE_BINS + 1, step) / _FINE_BINS, prior)
    edges.setflags(write=False)
    return edges


def shown_bins(prior: float) -> NDArray[np.int64]:
    """The fine bin that each shown one begins with, [50] int64."""
    starts = np.searchsorted(fine_edges(prior), shown_edges(prior)[:-1])
    return np.asarray(starts, np.int64)


def told_risks(prior: float) -> NDArray[np.float64]:
    """The risks beyond the prior, such as .6, .7, .8, .9, .95 and .99 beyond .5."""
    return np.array([risk for risk in _TOLD_RISKS if risk > prior])
