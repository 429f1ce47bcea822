"""The limits of a gate, with every default filled in."""

from __future__ import annotations

import math

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2

DEFAULT_LIMITS: tuple[tuple[Metric, float], ...] = (
    (Auc(), 0.55),
    (Advantage(), 0.10),
    (TprAtFpr(0.01), 0.02),
)


def resolve_thresholds(
    thresholds: thresholds_pb2.PrivacyThresholds,
) -> thresholds_pb2.PrivacyThresholds:
    """Checks thresholds and fills in what they leave open.

    Without thresholds the defaults apply. A threshold without a role is MUST_PASS; a
    policy left open is NOT_BLESSED. One metric may have a threshold of each role: to
    pass below one limit, and to block above another.

    Args:
      thresholds: As the user wrote them; not changed.

    Returns:
      A copy in which nothing is left open. Resolving it again changes nothing.

    Raises:
      ValueError: If a metric is unknown or lacks its parameter, if a limit is missing,
        no number, or outside its range, or if a metric has two thresholds of one role.
    """
    resolved = thresholds_pb2.PrivacyThresholds(
        on_cannot_tell=thresholds.on_cannot_tell or thresholds_pb2.NOT_BLESSED
    )
    for threshold in thresholds.thresholds:
        resolved.thresholds.append(_resolve(threshold))
    if not resolved.thresholds:
        for metric, limit in DEFAULT_LIMITS:
            resolved.thresholds.add(
                metric=metric.spec(), upper_limit=limit, role=thresholds_pb2.MUST_PASS
            )
    _require_distinct(resolved)
    return resolved


def _resolve(threshold: thresholds_pb2.PrivacyThreshold) -> thresholds_pb2.PrivacyThreshold:
    metric = metric_from_spec(threshold.metric)
    floor = metric.no_leak
    expected = f"expected a number above {floor:g}, its value without any leak, and below 1"
    if not threshold.HasField("upper_limit"):
        raise ValueError(f"threshold on {metric_title(metric)}: found no upper_limit, {expected}")
    limit = threshold.upper_limit
    if math.isnan(limit) or not floor < limit < 1.0:
        raise ValueError(
            f"threshold on {metric_title(metric)}: found upper_limit {limit:g}, {expected}"
        )
    return thresholds_pb2.PrivacyThreshold(
        metric=metric.spec(),
        upper_limit=limit,
        role=threshold.role or thresholds_pb2.MUST_PASS,
    )


def _require_distinct(resolved: thresholds_pb2.PrivacyThresholds) -> None:
    seen: dict[tuple[Metric, thresholds_pb2.Role.ValueType], float] = {}
    for threshold in resolved.thresholds:
        metric = metric_from_spec(threshold.metric)
        if (metric, threshold.role) in seen:
            raise ValueError(
                f"threshold on {metric_title(metric)}: found two of role "
                f"{thresholds_pb2.Role.Name(threshold.role)}, with upper_limit "
                f"{seen[metric, threshold.role]:g} and {threshold.upper_limit:g}, "
                "expected one of each role"
            )
        seen[metric, threshold.role] = threshold.upper_limit
