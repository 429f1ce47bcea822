"""The best of several attacks: which one it is, and how good the best can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges
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
        raise ValueError(
            f"the best attack: found {selected!r}, expected one of {', '.join(map(repr, counts))}"
        )
    at_alpha = {
        name: metric.measure(counts[name], edges[name].thresholds, alpha) for name in counts
    }
    shared = alpha / len(counts)
    lower = max(
        metric.measure(counts[name], edges[name].thresholds, shared).lower for name in counts
    )
    upper = max(interval.upper for interval in at_alpha.values())
    if math.isinf(upper):
        return Interval(lower, lower, upper)
    return Interval(max(at_alpha[selected].estimate, lower), lower, upper)


def measure_best(
    evidence: Evidence, selected: str, metrics: Sequence[Metric], confidence: float
) -> list[results_pb2.MetricValue]:
    """Measures the best of all attacks on the whole of the JUDGE rows.

    Args:
      evidence: The counts of every attack.
      selected: The attack that was best on FIT rows.
      metrics: What to measure, in this order.
      confidence: Two-sided, in (0, 1).

    Returns:
      A value for each metric; none where a side has no rows.

    Raises:
      ValueError: If `selected` is not among the attacks or the confidence is out of
        range.
    """
    alpha = one_sided_alpha(confidence)
    counts = {name: counts for (name, key), counts in evidence.counts.items() if key == WHOLE}
    if any(side.n_members == 0 or side.n_nonmembers == 0 for side in counts.values()):
        return []
    values = []
    for metric in metrics:
        interval = best_of_attacks(metric, counts, evidence.edges, selected, alpha)
        rows = counts[selected]
        value = results_pb2.MetricValue(
            metric=metric.spec(), value=measured_value(interval, confidence, rows)
        )
        if math.isinf(metric.ceiling):
            value.largest_attainable = largest_attainable(
                metric, rows.n_members, rows.n_nonmembers, alpha / len(counts)
            )
        values.append(value)
    return values
