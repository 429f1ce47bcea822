"""From counts to the messages that results are made of."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from tfx_privacy.metrics.advantage import Advantage, max_in_sample
from tfx_privacy.metrics.counts import (
    ScoreCounts,
    ScoreEdges,
    Thresholds,
    without_empty_bins,
)
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.resolution import resolution
from tfx_privacy.proto import privacy_results_pb2 as results_pb2


def measure_attack(
    name: str,
    counts: ScoreCounts,
    edges: ScoreEdges,
    metrics: Sequence[Metric],
    confidence: float,
) -> results_pb2.AttackResult:
    """Measures one attack on one set of JUDGE rows.

    Args:
      name: The attack's name in the registry.
      counts: Its scores, counted at `edges`.
      edges: Where they were cut, and the attack's threshold.
      metrics: What to measure, in this order.
      confidence: Two-sided, in (0, 1).

    Returns:
      The result; without metrics where a side has no rows.

    Raises:
      ValueError: If the confidence is out of range.
    """
    alpha = one_sided_alpha(confidence)
    result = results_pb2.AttackResult(name=name, threshold=threshold_score(edges))
    counts, thresholds = without_empty_bins(counts, edges.thresholds)
    if counts.n_members == 0 or counts.n_nonmembers == 0:
        return result
    result.resolution = resolution(counts)
    for metric in metrics:
        interval = metric.measure(counts, thresholds, alpha)
        value = results_pb2.MetricValue(
            metric=metric.spec(), value=measured_value(interval, confidence, counts)
        )
        if isinstance(metric, Advantage):
            value.max_in_sample = max_in_sample(counts)
        if math.isinf(metric.ceiling):
            value.largest_attainable = largest_attainable(
                metric, counts.n_members, counts.n_nonmembers, alpha
            )
        result.metrics.append(value)
    return result


def measured_value(
    interval: Interval, confidence: float, counts: ScoreCounts
) -> results_pb2.MeasuredValue:
    """An interval as results have it, with the rows behind it."""
    return results_pb2.MeasuredValue(
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        confidence=confidence,
        members=counts.n_members,
        nonmembers=counts.n_nonmembers,
    )


# The same for every attack on the same rows.
@functools.lru_cache(maxsize=4096)
def largest_attainable(metric: Metric, members: int, nonmembers: int, alpha: float) -> float:
    """The largest lower bound that so many rows can show.

    That of an attack that makes no mistake: scores of members and non-members are
    apart, and every row is called what it is.

    Args:
      metric: Any, though this is asked of those without a ceiling: an epsilon.
      members: Judged members, at least one.
      nonmembers: Judged non-members, at least one.
      alpha: One-sided error of the bound, in (0, 0.5).

    Raises:
      ValueError: If a side has no rows, or the metric refuses such sides.
    """
    apart = ScoreCounts(np.array([0, members]), np.array([nonmembers, 0]))
    return metric.measure(apart, Thresholds.all_at(1), alpha).lower


def one_sided_alpha(confidence: float) -> float:
    """The error of each bound of a two-sided interval.

    Raises:
      ValueError: If the confidence is not in (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence: found {confidence}, expected a number in (0, 1)")
    return (1.0 - confidence) / 2.0


def threshold_score(edges: ScoreEdges) -> float:
    """The score at or above which the attack calls a row a member; may be infinite."""
    if edges.thresholds.member == 0:
        return -math.inf
    if edges.thresholds.member == edges.bins:
        return math.inf
    return float(edges.edges[edges.thresholds.member - 1])
