"""How results read: what the numbers show, before any limit of a gate."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.best_attack import measure_best
from tfx_privacy.metrics.controls import ControlOutcome
from tfx_privacy.metrics.counts import WHOLE, Evidence
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.control_findings import ControlFindings, judge_controls
from tfx_privacy.reports.measures import measure_of
from tfx_privacy.verdict.limits import DEFAULT_LIMITS

_HEADLINE_FPR = 0.01
_BY_LUCK = 0.001


class Shown(enum.Enum):
    """What the best of the attacks shows."""

    # The splits differ, or the measurement is broken: the numbers show nothing.
    NOT_TRUSTED = "not trusted"
    # The lower bound of some metric is above chance.
    LEAK = "leak"
    # No lower bound is above chance, and the upper bounds leave little room.
    NOTHING_FOUND = "nothing found"
    # No lower bound is above chance, and the upper bounds leave much room.
    TOO_UNCERTAIN = "too uncertain"
    # No attack could run.
    NOT_MEASURED = "not measured"


@dataclasses.dataclass(frozen=True)
class Reading:
    """Results, and what they show.

    Attributes:
      results: What was measured.
      controls: What came of the controls.
      shown: What the best of the attacks shows.
      above_chance: Of the best of the attacks, the metrics that lie above chance even
        when the number of metrics looked at is allowed for.
      worse_than_guessing: Attacks whose AUC is below chance by more than luck.
    """

    results: results_pb2.PrivacyResults
    controls: ControlFindings
    shown: Shown
    above_chance: tuple[results_pb2.MetricValue, ...]
    worse_than_guessing: tuple[str, ...]

    def is_above_chance(self, entry: results_pb2.MetricValue) -> bool:
        """Whether a metric of the best of the attacks lies above chance."""
        return entry in self.above_chance


def read(
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    controls: ControlFindings | None = None,
) -> Reading:
    """What the results show.

    Args:
      results: What was measured.
      evidence: The counts behind it. Where those of the whole are missing, intervals
        are taken as they are listed, and the number of metrics is not allowed for.
      controls: What a gate found of the controls; by default they are held against
        the limits of a gate without limits of its own.
    """
    controls = controls or judge_controls(results, evidence)
    above = _above_chance(results, evidence)
    return Reading(
        results=results,
        controls=controls,
        shown=_shown(results, controls, above),
        above_chance=tuple(above),
        worse_than_guessing=tuple(_worse_than_guessing(results, evidence)),
    )


def headline(reading: Reading) -> list[results_pb2.MetricValue]:
    """The one or two values to speak of, the most telling first.

    These are TPR at the false-positive rate nearest 1%, and AUC; advantage or
    another metric where neither was measured. Where only another metric shows that the
    attack does better than chance, that one is spoken of first. Epsilon has a
    sentence of its own: it is spoken of here only where there is nothing else.
    """
    best = list(reading.results.best_of_attacks)
    shares = [entry for entry in best if measure_of(entry.metric).is_share]
    chosen = _nearest_rate(shares)[:1] + _named(shares, "auc")
    chosen = (chosen or _named(shares, "advantage") or shares or best)[:2]
    chosen.sort(key=lambda entry: not reading.is_above_chance(entry))
    above = [entry for entry in shares if reading.is_above_chance(entry)]
    if above and above[0] not in chosen and not reading.is_above_chance(chosen[0]):
        chosen.insert(0, above[0])
    return chosen


def is_below_chance(entry: results_pb2.MetricValue) -> bool:
    """Whether the interval lies below what guessing would reach."""
    return entry.value.upper < measure_of(entry.metric).chance


def lies_above_chance(entry: results_pb2.MetricValue) -> bool:
    """Whether the interval, taken by itself, lies above what guessing would reach."""
    return entry.value.lower > measure_of(entry.metric).chance


def _shown(
    results: results_pb2.PrivacyResults,
    controls: ControlFindings,
    above: Sequence[results_pb2.MetricValue],
) -> Shown:
    if not results.best_of_attacks:
        return Shown.NOT_MEASURED
    if ControlOutcome.FAILED in (controls.blind_baseline.outcome, controls.negative.outcome):
        return Shown.NOT_TRUSTED
    if above:
        return Shown.LEAK
    if any(_leaves_room(entry) for entry in results.best_of_attacks):
        return Shown.TOO_UNCERTAIN
    return Shown.NOTHING_FOUND


def _above_chance(
    results: results_pb2.PrivacyResults, evidence: Evidence
) -> list[results_pb2.MetricValue]:
    """The metrics whose lower bound is above chance, by Bonferroni over all of them.

    With seven metrics, one or another lower bound at 97.5% is above chance more often
    than in 2.5% of runs without a leak.
    """
    entries = list(results.best_of_attacks)
    if (results.best_attack, WHOLE) not in evidence.counts:
        return [entry for entry in entries if lies_above_chance(entry)]
    shown = []
    for entry in entries:
        confidence = 1.0 - (1.0 - entry.value.confidence) / len(entries)
        metric = metric_from_spec(entry.metric)
        corrected = measure_best(evidence, results.best_attack, [metric], confidence)
        if any(map(lies_above_chance, corrected)):
            shown.append(entry)
    return shown


def _worse_than_guessing(results: results_pb2.PrivacyResults, evidence: Evidence) -> list[str]:
    """The attacks below chance, in at most _BY_LUCK of runs by luck (Bonferroni)."""
    metric = Auc()
    worse = []
    for attack in results.attacks:
        counts = evidence.counts.get((attack.name, WHOLE))
        if counts is None or not counts.n_members or not counts.n_nonmembers:
            continue
        thresholds = evidence.edges[attack.name].thresholds
        interval = metric.measure(counts, thresholds, _BY_LUCK / len(results.attacks))
        if interval.upper < metric.no_leak:
            worse.append(attack.name)
    return worse


def _leaves_room(entry: results_pb2.MetricValue) -> bool:
    """Whether a gate without limits of its own could not let this pass."""
    metric = metric_from_spec(entry.metric)
    return any(metric == limited and entry.value.upper > limit for limited, limit in DEFAULT_LIMITS)


def _nearest_rate(best: list[results_pb2.MetricValue]) -> list[results_pb2.MetricValue]:
    def ratio(entry: results_pb2.MetricValue) -> float:
        fpr = entry.metric.fpr
        return max(fpr / _HEADLINE_FPR, _HEADLINE_FPR / fpr)

    return sorted(_named(best, "tpr_at_fpr"), key=ratio)


def _named(best: list[results_pb2.MetricValue], name: str) -> list[results_pb2.MetricValue]:
    return [entry for entry in best if entry.metric.name == name]
