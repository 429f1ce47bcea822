"""How results read: what the numbers show, before any limit of a gate."""

from __future__ import annotations

import enum

from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import measure_of
from tfx_privacy.verdict.limits import DEFAULT_LIMITS

_HEADLINE_FPR = 0.01


class Reading(enum.Enum):
    """What the best of the attacks shows."""

    # The lower bound of some metric is above chance.
    LEAK = "leak"
    # No lower bound is above chance, and the upper bounds leave little room.
    NOTHING_FOUND = "nothing found"
    # No lower bound is above chance, and the upper bounds leave much room.
    TOO_UNCERTAIN = "too uncertain"
    # No attack could run.
    NOT_MEASURED = "not measured"


def read(results: results_pb2.PrivacyResults) -> Reading:
    """What the results show."""
    if not results.best_of_attacks:
        return Reading.NOT_MEASURED
    if any(is_above_chance(entry) for entry in results.best_of_attacks):
        return Reading.LEAK
    if any(_leaves_room(entry) for entry in results.best_of_attacks):
        return Reading.TOO_UNCERTAIN
    return Reading.NOTHING_FOUND


def headline(results: results_pb2.PrivacyResults) -> list[results_pb2.MetricValue]:
    """The one or two values to speak of, the most telling first.

    These are TPR at the false-positive rate nearest 1%, and AUC; advantage or
    precision where neither was measured. Where only another metric shows that the
    attack does better than chance, that one is spoken of first.
    """
    best = list(results.best_of_attacks)
    chosen = _nearest_rate(best)[:1] + _named(best, "auc")
    chosen = (chosen or _named(best, "advantage") or best)[:2]
    chosen.sort(key=lambda entry: not is_above_chance(entry))
    shown = [entry for entry in best if is_above_chance(entry)]
    if shown and shown[0] not in chosen and not is_above_chance(chosen[0]):
        chosen.insert(0, shown[0])
    return chosen


def is_above_chance(entry: results_pb2.MetricValue) -> bool:
    """Whether the interval lies above what guessing would reach."""
    return entry.value.lower > measure_of(entry.metric).chance


def is_below_chance(entry: results_pb2.MetricValue) -> bool:
    """Whether the interval lies below what guessing would reach."""
    return entry.value.upper < measure_of(entry.metric).chance


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
