"""The limits of a gate, with every default filled in."""

from __future__ import annotations

import math

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.metrics.slicing import SIGNAL_FEATURES, spec_features
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.policies import resolve_policies

# Of a gate without thresholds: for the whole, MUST_PASS ...
DEFAULT_LIMITS: tuple[tuple[Metric, float], ...] = (
    (Auc(), 0.55),
    (Advantage(), 0.10),
    (TprAtFpr(0.01), 0.02),
)
# ... and for every slice, BLOCK_ONLY.
DEFAULT_SLICE_LIMITS: tuple[tuple[Metric, float], ...] = ((Auc(), 0.60),)


def resolve_thresholds(
    thresholds: thresholds_pb2.PrivacyThresholds,
) -> thresholds_pb2.PrivacyThresholds:
    """Checks thresholds and fills in what they leave open.

    Without thresholds the defaults apply. A threshold without a scope is for the
    whole, or for slices where it names some; without a role it is MUST_PASS for the
    whole, BLOCK_ONLY for slices and for epsilon. One metric may have a threshold of
    each role in each place, on its value and on its change.

    Args:
      thresholds: As the user wrote them; not changed.

    Returns:
      A copy in which nothing is left open. Resolving it again changes nothing.

    Raises:
      ValueError: If a metric is unknown or lacks its parameter; if a limit is missing,
        no number, or outside its range; if a role, a scope or a policy is not what the
        metric allows; or if two thresholds are about the same.
    """
    resolved = thresholds_pb2.PrivacyThresholds()
    for threshold in thresholds.thresholds:
        resolved.thresholds.append(_resolve(threshold))
    if not resolved.thresholds:
        resolved.thresholds.extend(_defaults())
    _require_distinct(resolved)
    resolve_policies(thresholds, resolved)
    return resolved


def is_bound_from_below(metric: Metric) -> bool:
    """Whether the metric has no upper bound, so that it can block and never pass."""
    return math.isinf(metric.ceiling)


def is_on_change(threshold: thresholds_pb2.PrivacyThreshold) -> bool:
    """Whether the threshold limits the rise above a baseline."""
    return threshold.HasField("change_limit")


def is_on_slices(threshold: thresholds_pb2.PrivacyThreshold) -> bool:
    """Whether the threshold is for slices; the threshold is a resolved one."""
    return threshold.scope == thresholds_pb2.EVERY_SLICE


def whole_limits(resolved: thresholds_pb2.PrivacyThresholds) -> list[tuple[Metric, float]]:
    """The absolute limits that the whole must pass; the defaults' where there are none."""
    limits = [
        (metric_from_spec(threshold.metric), threshold.upper_limit)
        for threshold in resolved.thresholds
        if threshold.role == thresholds_pb2.MUST_PASS
        and not is_on_slices(threshold)
        and not is_on_change(threshold)
    ]
    return limits or list(DEFAULT_LIMITS)


def _defaults() -> list[thresholds_pb2.PrivacyThreshold]:
    parts = (
        (DEFAULT_LIMITS, thresholds_pb2.MUST_PASS, thresholds_pb2.WHOLE),
        (DEFAULT_SLICE_LIMITS, thresholds_pb2.BLOCK_ONLY, thresholds_pb2.EVERY_SLICE),
    )
    return [
        thresholds_pb2.PrivacyThreshold(
            metric=metric.spec(), upper_limit=limit, role=role, scope=scope
        )
        for limits, role, scope in parts
        for metric, limit in limits
    ]


def _resolve(threshold: thresholds_pb2.PrivacyThreshold) -> thresholds_pb2.PrivacyThreshold:
    metric = metric_from_spec(threshold.metric)
    resolved = thresholds_pb2.PrivacyThreshold(
        metric=metric.spec(),
        scope=_scope(metric, threshold),
        slicing_specs=[_slicing_spec(metric, spec) for spec in threshold.slicing_specs],
    )
    resolved.role = _role(metric, threshold, resolved.scope)
    if threshold.HasField("upper_limit") and is_on_change(threshold):
        raise _wrong(
            metric,
            f"found upper_limit {threshold.upper_limit:g} and change_limit "
            f"{threshold.change_limit:g}, expected one of them; write two thresholds for both",
        )
    if is_on_change(threshold):
        resolved.change_limit = _change_limit(metric, threshold.change_limit, resolved.scope)
    else:
        resolved.upper_limit = _upper_limit(metric, threshold)
    return resolved


def _upper_limit(metric: Metric, threshold: thresholds_pb2.PrivacyThreshold) -> float:
    floor, ceiling = metric.no_leak, metric.ceiling
    end = "finite" if math.isinf(ceiling) else f"below {ceiling:g}"
    expected = f"expected a number above {floor:g}, its value without any leak, and {end}"
    if not threshold.HasField("upper_limit"):
        raise _wrong(metric, f"found no upper_limit and no change_limit, {expected}")
    limit = threshold.upper_limit
    # A comparison with NaN is false as well.
    if not floor < limit < ceiling:
        raise _wrong(metric, f"found upper_limit {limit:g}, {expected}")
    return limit


def _change_limit(metric: Metric, limit: float, scope: thresholds_pb2.Scope.ValueType) -> float:
    found = f"found change_limit {limit:g}"
    if is_bound_from_below(metric):
        raise _wrong(
            metric,
            f"{found}, but it is known from below alone, so its rise is not known; expected "
            "upper_limit",
        )
    if scope != thresholds_pb2.WHOLE:
        raise _wrong(metric, f"{found} for slices, expected one for the whole alone")
    if not 0.0 < limit < 1.0:
        raise _wrong(metric, f"{found}, expected a number in (0, 1)")
    return limit


def _scope(
    metric: Metric, threshold: thresholds_pb2.PrivacyThreshold
) -> thresholds_pb2.Scope.ValueType:
    if threshold.scope not in thresholds_pb2.Scope.values():
        raise _wrong(metric, f"found scope {threshold.scope}, expected WHOLE or EVERY_SLICE")
    if threshold.slicing_specs and threshold.scope == thresholds_pb2.WHOLE:
        raise _wrong(metric, "found scope WHOLE and slicing_specs, expected one of them")
    if threshold.slicing_specs:
        return thresholds_pb2.EVERY_SLICE
    return threshold.scope or thresholds_pb2.WHOLE


def _slicing_spec(metric: Metric, spec: config_pb2.SlicingSpec) -> config_pb2.SlicingSpec:
    both = sorted(set(spec.feature_keys) & set(spec.feature_values))
    if both:
        raise _wrong(
            metric,
            f"found {', '.join(both)} in both feature_keys and feature_values of a slicing "
            "spec, expected each feature in one of them",
        )
    unknown = [signal for signal in spec.signals if signal not in SIGNAL_FEATURES]
    if unknown:
        raise _wrong(
            metric,
            f"found signal {unknown[0]} in a slicing spec, expected one of "
            f"{', '.join(map(config_pb2.SignalSlice.Name, SIGNAL_FEATURES))}",
        )
    if not spec_features(spec):
        raise _wrong(
            metric,
            "found an empty slicing spec, which stands for the whole; expected a threshold of "
            "its own for that, without slicing_specs",
        )
    return config_pb2.SlicingSpec(
        feature_keys=sorted(set(spec.feature_keys)),
        feature_values=dict(spec.feature_values),
        signals=sorted(set(spec.signals)),
    )


def _role(
    metric: Metric,
    threshold: thresholds_pb2.PrivacyThreshold,
    scope: thresholds_pb2.Scope.ValueType,
) -> thresholds_pb2.Role.ValueType:
    if threshold.role not in thresholds_pb2.Role.values():
        raise _wrong(metric, f"found role {threshold.role}, expected MUST_PASS or BLOCK_ONLY")
    if is_bound_from_below(metric):
        if threshold.role == thresholds_pb2.MUST_PASS:
            raise _wrong(
                metric,
                "found role MUST_PASS, expected BLOCK_ONLY: a bound on epsilon is a lower bound, "
                "and none can show that a model keeps a limit",
            )
        return thresholds_pb2.BLOCK_ONLY
    if threshold.role:
        return threshold.role
    on_slices = scope == thresholds_pb2.EVERY_SLICE
    return thresholds_pb2.BLOCK_ONLY if on_slices else thresholds_pb2.MUST_PASS


def _require_distinct(resolved: thresholds_pb2.PrivacyThresholds) -> None:
    seen: dict[tuple[str, ...], float] = {}
    for threshold in resolved.thresholds:
        kind = "change_limit" if is_on_change(threshold) else "upper_limit"
        limit = getattr(threshold, kind)
        metric = metric_from_spec(threshold.metric)
        place = sorted(str(spec) for spec in threshold.slicing_specs)
        role = thresholds_pb2.Role.Name(threshold.role)
        scope = thresholds_pb2.Scope.Name(threshold.scope)
        key = (repr(metric), kind, role, scope, *place)
        if key in seen:
            raise _wrong(
                metric,
                f"found two of role {role} and scope {scope}, with {kind} {seen[key]:g} and "
                f"{limit:g}, expected one of each role in each place",
            )
        seen[key] = limit


def _wrong(metric: Metric, what: str) -> ValueError:
    return ValueError(f"threshold on {metric_title(metric)}: {what}")
