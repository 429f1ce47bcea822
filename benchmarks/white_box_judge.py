"""Attacks fitted on some rows and judged on others, by what they see, with paired differences."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.white_box_names import GROUPS, OUTPUTS
from tfx_privacy.evaluation.suite import FittedSuite, unseen_scores
from tfx_privacy.evaluation.white_box import Judged as JudgedCounts
from tfx_privacy.evaluation.white_box import group_of, paired_difference
from tfx_privacy.metrics.best_attack import select_best_attack
from tfx_privacy.metrics.change import SharedRows
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges
from tfx_privacy.metrics.edges import bin_scores, choose_edges, count_scores
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.signals.batch import Signals

ALPHA = 0.025


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """An attack on rows that it was not fitted on.

    Attributes:
      name: The attack's.
      group: Of GROUPS: what it sees.
      fit_counts: Of the rows that it was fitted on, each scored by a fit without it.
      edges: Chosen on these.
      bins: [n], of the judged rows.
      member: [n] bool, of the judged rows.
    """

    name: str
    group: str
    fit_counts: ScoreCounts
    edges: ScoreEdges
    bins: NDArray[np.int64]
    member: NDArray[np.bool_]

    @staticmethod
    def of(
        name: str,
        group: str,
        known: tuple[NDArray[np.float64], NDArray[np.bool_]],
        judged: tuple[NDArray[np.float64], NDArray[np.bool_]],
    ) -> Judged:
        """Cuts scores where those of the known rows say.

        Args:
          name: The attack's.
          group: Of GROUPS.
          known: Scores and membership of the rows that the attack was fitted on, each
            scored by a fit that did not see it.
          judged: The same of other rows.
        """
        edges = choose_edges(*known)
        return Judged(
            name, group, count_scores(*known, edges), edges, bin_scores(judged[0], edges), judged[1]
        )

    @property
    def counts(self) -> ScoreCounts:
        """Of the judged rows."""
        bins = self.edges.bins
        return ScoreCounts(
            np.bincount(self.bins[self.member], minlength=bins),
            np.bincount(self.bins[~self.member], minlength=bins),
        )

    def measure(self, metric: Metric) -> Interval:
        """A metric of the judged rows, 95%."""
        return metric.measure(self.counts, self.edges.thresholds, ALPHA)


def judge_attack(attack: Attack, known: Signals, judged: Signals, seed: int, kept: Path) -> Judged:
    """Fits an attack and judges it, or reads the scores that were kept of that.

    Args:
      attack: It can run on such rows.
      known: Rows to fit it on, sorted by id.
      judged: Other rows, of this model or another.
      seed: Of the attack.
      kept: A file of scores; the same arguments must stand behind it.
    """
    if not kept.is_file():
        start = time.perf_counter()
        fitted = attack.fit(known, seed)
        unseen = unseen_scores(attack, FittedSuite({attack.name: fitted}), known, seed)
        scores = fitted.score(judged)
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, fit=unseen, judge=scores, seconds=time.perf_counter() - start)
    with np.load(kept) as stored:
        return Judged.of(
            attack.name,
            group_of(attack),
            (stored["fit"], known.member),
            (stored["judge"], judged.member),
        )


def norm_thresholds(known: Signals, judged: Signals) -> list[Judged]:
    """Minus the gradient norm of each layer as a score, in forward order: where it leaks."""
    return [
        Judged.of(
            layer,
            "gradient norms",
            (-norms.astype(np.float64), known.member),
            (-judged.gradient_norms[layer].astype(np.float64), judged.member),
        )
        for layer, norms in known.gradient_norms.items()
    ]


def best_on_fit(attacks: Sequence[Judged]) -> Judged:
    """The attack with the largest AUC on the rows that attacks are fitted on."""
    best = select_best_attack({one.name: one.fit_counts for one in attacks})
    return next(one for one in attacks if one.name == best)


def best_of_groups(attacks: Sequence[Judged]) -> dict[str, Judged]:
    """The best on FIT of each group that has an attack, in the order of GROUPS."""
    members = {group: [one for one in attacks if one.group == group] for group in GROUPS}
    return {group: best_on_fit(some) for group, some in members.items() if some}


def best_white_box(attacks: Sequence[Judged]) -> Judged:
    """The best on FIT of all that see more than outputs."""
    return best_on_fit([one for one in attacks if one.group != OUTPUTS])


def difference(metric: Metric, ours: Judged, theirs: Judged) -> Interval:
    """Ours minus theirs on the same judged rows, in the same order, 95%."""
    first, second = (JudgedCounts(one.counts, one.edges.thresholds) for one in (ours, theirs))
    pair = SharedRows(ours.bins, ours.member, theirs.bins, theirs.member, weight=1.0)
    return paired_difference(metric, first, second, pair, ALPHA)


def over_seeds(values: Sequence[float]) -> Interval:
    """The mean over seeds and Student's interval of 95%; NaN bounds for one seed."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stats.t.ppf(1.0 - ALPHA, len(values) - 1)) * spread
    return Interval(mean, mean - reach, mean + reach)
