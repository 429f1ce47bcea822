"""Whether numbers that are listed are those that counts give."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

_TOLERANCE = 1e-9
# More than there are records in the world; products of two sides stay within a float's range
# and sums within an integer's.
_MOST_ROWS = 1e15


def has_nan(value: results_pb2.MeasuredValue) -> bool:
    """Whether a listed value is no number."""
    return any(math.isnan(number) for number in (value.estimate, value.lower, value.upper))


def check_edges(place: str, edges: ScoreEdges) -> None:
    """Refuses edges of an attack that have no meaning.

    Raises:
      ValueError: If edges do not ascend, or a decision is at no bin.
    """
    if not np.isfinite(edges.edges).all() or (np.diff(edges.edges) <= 0).any():
        raise ValueError(f"edges of {place}: expected ascending numbers")
    for field in dataclasses.fields(edges.thresholds):
        found = getattr(edges.thresholds, field.name)
        if not 0 <= found <= edges.bins:
            raise ValueError(
                f"edges of {place}: found threshold {field.name!r} at bin {found}, "
                f"expected 0 to {edges.bins}"
            )
    if edges.thresholds.guess_out > edges.thresholds.guess_in:
        raise ValueError(
            f"edges of {place}: found threshold 'guess_out' at bin {edges.thresholds.guess_out}, "
            f"expected at most that of 'guess_in', {edges.thresholds.guess_in}"
        )


def check_counts(place: str, counts: ScoreCounts, edges: ScoreEdges | None) -> None:
    """Refuses counts that have no meaning, or no edges.

    Raises:
      ValueError: If the numbers of bins differ, a count is negative, or there are more
        than numbers can hold.
    """
    if edges is None:
        raise ValueError(f"counts of {place}: found no edges of that attack")
    for side, numbers in (("members", counts.members), ("non-members", counts.nonmembers)):
        if len(numbers) != edges.bins:
            raise ValueError(
                f"counts of {place}: found {len(numbers)} bins of {side}, expected {edges.bins}"
            )
        if len(numbers) and numbers.min() < 0:
            raise ValueError(f"counts of {place}: found a negative number of {side}")
        if numbers.sum(dtype=np.float64) > _MOST_ROWS:
            raise ValueError(
                f"counts of {place}: found {numbers.sum(dtype=np.float64):.3g} {side}, expected at "
                f"most {_MOST_ROWS:.3g}"
            )


def check_attack(
    place: str, attack: results_pb2.AttackResult, counts: ScoreCounts, edges: ScoreEdges
) -> None:
    """Refuses results of an attack that its counts do not give.

    Raises:
      ValueError: If a number differs, or there is a value where a side has no rows.
    """
    again = check_values(place, attack.metrics, attack.name, counts, edges)
    check_number(f"threshold of {place}", attack.threshold, again.threshold)
    check_number(f"resolution of {place}", attack.resolution, again.resolution)


def check_values(
    place: str,
    values: Sequence[results_pb2.MetricValue],
    attack: str,
    counts: ScoreCounts,
    edges: ScoreEdges,
) -> results_pb2.AttackResult:
    """Refuses values of an attack that its counts do not give.

    Returns:
      What the counts give of the attack.

    Raises:
      ValueError: If a number differs, or there is a value where a side has no rows.
    """
    # Nearly always one: what all have in common is then computed once.
    confidences = dict.fromkeys(value.value.confidence for value in values) or {0.95: None}
    for confidence in confidences:
        listed = [value for value in values if value.value.confidence == confidence]
        metrics = [metric_from_spec(value.metric) for value in listed]
        again = measure_attack(attack, counts, edges, metrics, confidence)
        if listed and not again.metrics:
            raise ValueError(f"results of {place}: found a value, but a side has no rows")
        for metric, value, expected in zip(metrics, listed, again.metrics, strict=True):
            check_value(f"{metric_title(metric)} of {place}", value, expected)
    return again


def check_value(
    name: str, found: results_pb2.MetricValue, expected: results_pb2.MetricValue
) -> None:
    """Refuses a value that is not the one expected; one that is NaN is left alone.

    Raises:
      ValueError: If a number differs.
    """
    if has_nan(found.value):
        return
    for field in ("estimate", "lower", "upper", "members", "nonmembers"):
        check_number(
            f"{field} of {name}", getattr(found.value, field), getattr(expected.value, field)
        )
    if found.HasField("max_in_sample"):
        check_number(f"max_in_sample of {name}", found.max_in_sample, expected.max_in_sample)
    if found.HasField("largest_attainable"):
        check_number(
            f"largest_attainable of {name}", found.largest_attainable, expected.largest_attainable
        )


def check_number(name: str, found: float, expected: float) -> None:
    """Refuses a number that is not the one expected, up to 1e-9.

    Raises:
      ValueError: If it differs.
    """
    if found != expected and not abs(found - expected) <= _TOLERANCE:
        raise ValueError(
            f"{name}: found {found:.12g}, the counts give {expected:.12g}; "
            "results must not be edited by hand"
        )
