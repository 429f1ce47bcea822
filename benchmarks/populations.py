"""Populations of scores whose shares in every bin are known, so that every truth is known.

Counts are drawn from them by the multinomial distribution: no scores, no rows, and
yet what the metrics get to see is distributed exactly as it is with rows.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.roc import Roc

# Bins of a score without ties, as many as choose_edges makes at most.
SMOOTH_BINS = 2048
# Where ten values are cut, as rates of non-members above: the ROC curve bends at the
# rates that TPR is asked for, where intervals have failed.
_TEN_VALUES = (0.8, 0.65, 0.5, 0.35, 0.2, 0.1, 0.05, 0.01, 0.001)


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """The shares of members and non-members in each bin.

    Attributes:
      scores: What kind of scores: "smooth", "ten values", "binary".
      leak: What leaks, in words.
      members: [b], sums to 1.
      nonmembers: [b], sums to 1.
    """

    scores: str
    leak: str
    members: NDArray[np.float64]
    nonmembers: NDArray[np.float64]

    @property
    def name(self) -> str:
        return f"{self.scores}, {self.leak}"

    @functools.cached_property
    def roc(self) -> Roc:
        tpr, fpr = (
            np.concatenate(([0.0], np.cumsum(side[::-1])))
            for side in (self.members, self.nonmembers)
        )
        return Roc(fpr=fpr, tpr=tpr)

    def draw(
        self, rng: np.random.Generator, members: int, nonmembers: int, runs: int
    ) -> list[ScoreCounts]:
        """Counts of so many rows, `runs` times."""
        sides = (
            rng.multinomial(members, self.members, runs),
            rng.multinomial(nonmembers, self.nonmembers, runs),
        )
        return [ScoreCounts(*counts) for counts in zip(*sides, strict=True)]

    def truth(self, metric: Metric, thresholds: Thresholds) -> float:
        """The quantity that the metric's interval is for."""
        roc, spec = self.roc, metric.spec()
        match spec.name:
            case "auc":
                below = np.cumsum(self.nonmembers) - self.nonmembers
                return float(self.members @ (below + 0.5 * self.nonmembers))
            case "advantage":
                return float((roc.tpr - roc.fpr).max())
            case "balanced_accuracy":
                return float((1.0 + (roc.tpr - roc.fpr).max()) / 2.0)
            case "tpr_at_fpr":
                return float(roc.tpr_at(spec.fpr))
            case "precision":
                point = roc.point(thresholds.member)
                called = spec.prior * roc.tpr[point] + (1 - spec.prior) * roc.fpr[point]
                return float(spec.prior * roc.tpr[point] / called) if called > 0 else spec.prior
            case "epsilon":
                point = roc.point(thresholds.epsilon)
                return epsilon_at(float(roc.tpr[point]), float(roc.fpr[point]), spec.delta)
            case "canary_epsilon":
                return self.largest_ratio
        raise AssertionError(spec.name)

    @property
    def largest_ratio(self) -> float:
        """The epsilon of pure differential privacy that such a score's release has."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.abs(np.log(self.members) - np.log(self.nonmembers))
        return float(np.nan_to_num(ratios, nan=0.0, posinf=np.inf).max())


def epsilon_at(tpr: float, fpr: float, delta: float) -> float:
    """The smallest epsilon whose (epsilon, delta)-privacy allows such a point (Kairouz et al.)."""
    found = 0.0
    for hit, alarm in ((tpr, fpr), (1.0 - fpr, 1.0 - tpr)):
        if hit > delta:
            found = max(found, math.inf if alarm <= 0.0 else math.log((hit - delta) / alarm))
    return found


def binormal(shift: float, scores: str, leak: str) -> Population:
    """Normal scores, members higher by `shift` standard deviations, cut into bins.

    An AUC of a is a shift of sqrt(2) times the normal quantile of a, but for the cut.
    """
    if scores == "ten values":
        cuts = -special.ndtri(np.array(_TEN_VALUES))
        if shift > 1.0:  # For members that lie far above, half way is cut as well.
            cuts = np.sort(np.concatenate((cuts, [shift / 2.0])))
    else:
        per_side = (SMOOTH_BINS - 2) // 4
        levels = np.concatenate(
            (np.arange(1, per_side) / per_side, 1.0 - np.geomspace(2e-5, 0.5, per_side))
        )
        cuts = special.ndtri(np.unique(levels))
        cuts = np.unique(cuts if shift == 0.0 else np.concatenate((cuts, cuts + shift)))
    return Population(scores, leak, _shares(cuts - shift), _shares(cuts))


def some_known(scores: str, share: float) -> Population:
    """No leak but for a share of the members, who lie above everybody else."""
    base = binormal(0.0, scores, "") if scores != "binary" else two_values("", 0.0, 0.0)
    top, rest = np.append(base.members * (1 - share), share), np.append(base.nonmembers, 0.0)
    if scores == "binary":
        top, rest = np.array([1 - share, share]), np.array([1.0, 0.0])
    return Population(scores, f"{share:.0%} of members known", top, rest)


def two_values(leak: str, tpr: float, fpr: float) -> Population:
    """A binary score."""
    return Population("binary", leak, np.array([1 - tpr, tpr]), np.array([1 - fpr, fpr]))


def calibration_populations() -> list[Population]:
    """Smooth, heavily tied and binary scores, without a leak and with three or more."""
    populations = []
    for scores in ("smooth", "ten values"):
        populations += [
            binormal(0.0, scores, "no leak"),
            binormal(shift_of(0.6), scores, "AUC .6"),
            some_known(scores, 0.03),
            binormal(shift_of(0.999), scores, "AUC .999"),
        ]
    return [
        *populations,
        two_values("no leak", 0.5, 0.5),
        two_values("advantage .05", 0.525, 0.475),
        some_known("binary", 0.03),
        two_values("bend at 10% FPR", 0.6, 0.1),
        two_values("bend at 1% FPR", 0.3, 0.01),
        two_values("AUC .999", 0.999, 0.001),
    ]


def shift_of(auc: float) -> float:
    """How far normal scores lie apart whose AUC this is."""
    return math.sqrt(2.0) * float(special.ndtri(auc))


@dataclasses.dataclass(frozen=True, eq=False)
class Together:
    """Several attacks on the same rows.

    A row has, with probability `correlation`, one score that all attacks share, which
    leaks nothing; else each attack has its own. So the scores of two attacks without a
    leak correlate by just that, and the shares of each attack are known exactly.

    Attributes:
      shared: The shares of the score that is shared.
      own: By attack.
      correlation: In [0, 1).
    """

    shared: Population
    own: Mapping[str, Population]
    correlation: float

    def of(self, attack: str) -> Population:
        """The shares of one attack's score."""
        own, c = self.own[attack], self.correlation
        return Population(
            own.scores,
            own.leak,
            c * self.shared.members + (1 - c) * own.members,
            c * self.shared.nonmembers + (1 - c) * own.nonmembers,
        )

    def draw(
        self, rng: np.random.Generator, members: int, nonmembers: int, runs: int
    ) -> list[dict[str, ScoreCounts]]:
        """By attack, counts of so many rows, `runs` times."""
        sides: list[dict[str, NDArray[np.int64]]] = []
        for rows, side in ((members, "members"), (nonmembers, "nonmembers")):
            sharing = rng.binomial(rows, self.correlation, runs)
            common = rng.multinomial(sharing, getattr(self.shared, side))
            sides.append(
                {
                    name: common + rng.multinomial(rows - sharing, getattr(own, side))
                    for name, own in self.own.items()
                }
            )
        return [
            {name: ScoreCounts(sides[0][name][run], sides[1][name][run]) for name in self.own}
            for run in range(runs)
        ]


def eight_attacks(*, correlation: float, leaking: bool) -> Together:
    """Eight attacks with ten values each; one of them leaks, or none does."""
    null = binormal(0.0, "ten values", "no leak")
    own = {f"attack_{i}": null for i in range(8)}
    if leaking:
        own["attack_3"] = binormal(shift_of(0.6), "ten values", "AUC .6")
    return Together(null, own, correlation)


def seeded(seed: int, *names: object) -> np.random.Generator:
    """Randomness of its own for everything that has names of its own."""
    return np.random.default_rng([seed, zlib.crc32(repr(names).encode())])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; the first column reads from the left, numbers from the right."""
    ruler = ["---", *["---:"] * (len(header) - 1)]
    lines = [header, ruler, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _shares(cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    cumulative = np.concatenate(([0.0], special.ndtr(cuts), [1.0]))
    shares = np.diff(cumulative)
    # Above the mean differences of numbers near 1 lose digits; from the other side not.
    above = np.diff(np.concatenate(([1.0], special.ndtr(-cuts), [0.0]))) * -1.0
    shares = np.where(cumulative[:-1] > 0.5, above, shares)
    return np.asarray(shares / shares.sum(), dtype=np.float64)
