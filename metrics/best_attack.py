"""The best of several attacks: which one it is, and how good the best can be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.counts import (
    WHOLE,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
    without_empty_bins,
)
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import largest_attainable, measured_value, one_sided_alpha
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.proto import privacy_results_pb2 as results_pb2


def select_best_attack(fit_counts: Mapping[str, ScoreCounts]) -> str:
    """The attack with the largest AUC on FIT rows; the first of equals.

    Args:
      fit_counts: By attack, the counts of its scores on FIT rows. Scores of rows that
        an attack has learned from are optimistic and favour it: give counts of rows
        that it did not see where there are such.

    Raises:
      ValueError: If there are no attacks, or a side has no rows.
    """
    if not fit_counts:
        raise ValueError("no best attack: found no attacks, expected at least one")
    areas = {name: auc(counts) for name, counts in fit_counts.items()}
    return max(areas, key=areas.__getitem__)


def best_of_attacks(
    metric: Metric,
    counts: Mapping[str, ScoreCounts],
    edges: Mapping[str, ScoreEdges],
    selected: str,
    alpha: float,
) -> Interval:
    """The largest value of a metric over several attacks.

    The quantity is the maximum over the attacks, in the population. The lower bound
    is the largest of the attacks' lower bounds at alpha / A (Bonferroni: the naive
    maximum over 8 attacks without a leak misses 18%), the upper bound the largest of
    their upper bounds at alpha. The estimate is that of the attack selected on FIT
    rows, raised to the lower bound where another attack has proved better. A bound from
    below alone (epsilon) is its own estimate here too.

    Args:
      metric: What to measure.
      counts: By attack, JUDGE rows, at least one a side.
      edges: By attack.
      selected: The attack that was best on FIT rows.
      alpha: One-sided error of each bound, in (0, 0.5).

    Raises:
      ValueError: If `selected` is not among the attacks, or a side has no rows.
    """
    if selected not in counts:
        raise _not_among(selected, counts)
    at_alpha = {
        name: metric.measure(counts[name], edges[name].thresholds, alpha) for name in counts
    }
    lowers = [
        metric.lower_bound(counts[name], edges[name].thresholds, alpha / len(counts))
        for name in counts
    ]
    return _largest(at_alpha, lowers, selected)


def measure_best(
    evidence: Evidence,
    selected: str,
    metrics: Sequence[Metric],
    confidence: float,
    key: SliceKey = WHOLE,
    measured: Sequence[results_pb2.AttackResult] = (),
) -> list[results_pb2.MetricValue]:
    """Measures the best of all attacks on the whole of the JUDGE rows, or on a slice.

    Args:
      evidence: The counts of every attack.
      selected: The attack that was best on FIT rows, all of them.
      metrics: What to measure, in this order.
      confidence: Two-sided, in (0, 1).
      key: Where.
      measured: What is known of the attacks there, metrics in the same order; what is
        not is measured.

    Returns:
      A value for each metric; none where a side has no rows, or nothing was counted.

    Raises:
      ValueError: If `selected` is not among the attacks or the confidence is out of
        range.
    """
    alpha = one_sided_alpha(confidence)
    parts = {
        name: without_empty_bins(evidence.counts[name, key], edges.thresholds)
        for name, edges in evidence.edges.items()
        if (name, key) in evidence.counts
    }
    if any(min(counts.n_members, counts.n_nonmembers) == 0 for counts, _ in parts.values()):
        return []
    if key != WHOLE and not parts:
        return []
    if selected not in parts:
        raise _not_among(selected, parts)
    rows = parts[selected][0]
    listed = {result.name: result for result in measured}
    values = []
    for place, metric in enumerate(metrics):
        at_alpha = {
            name: _known(listed.get(name), place, metric, confidence)
            or metric.measure(*part, alpha)
            for name, part in parts.items()
        }
        lowers = [metric.lower_bound(*part, alpha / len(parts)) for part in parts.values()]
        interval = _largest(at_alpha, lowers, selected)
        value = results_pb2.MetricValue(
            metric=metric.spec(), value=measured_value(interval, confidence, rows)
        )
        if math.isinf(metric.ceiling):
            value.largest_attainable = largest_attainable(
                metric, rows.n_members, rows.n_nonmembers, alpha / len(parts)
            )
        values.append(value)
    return values


def _largest(at_alpha: Mapping[str, Interval], lowers: Sequence[float], selected: str) -> Interval:
    lower = max(lowers)
    upper = max(interval.upper for interval in at_alpha.values())
    if math.isinf(upper):
        return Interval(lower, lower, upper)
    return Interval(max(at_alpha[selected].estimate, lower), lower, upper)


def _known(
    result: results_pb2.AttackResult | None, place: int, metric: Metric, confidence: float
) -> Interval | None:
    """What is listed of an attack at the metric's place; None where that is another."""
    if result is None or place >= len(result.metrics):
        return None
    listed = result.metrics[place]
    if listed.metric != metric.spec() or listed.value.confidence != confidence:
        return None
    found = Interval(listed.value.estimate, listed.value.lower, listed.value.upper)
    return found if found.lower <= found.estimate <= found.upper else None


def _not_among(selected: str, attacks: Iterable[str]) -> ValueError:
    return ValueError(
        f"the best attack: found {selected!r}, expected one of {', '.join(map(repr, attacks))}"
    )
