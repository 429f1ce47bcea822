"""Metrics by the names that configurations use."""

from __future__ import annotations

from collections.abc import Callable

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.canary_epsilon import CanaryEpsilon
from tfx_privacy.metrics.epsilon import Epsilon
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

DEFAULT_METRICS: tuple[Metric, ...] = (
    Auc(),
    Advantage(),
    TprAtFpr(0.1),
    TprAtFpr(0.01),
    TprAtFpr(0.001),
    Precision(0.5),
    Epsilon(0.0),
)

# The share of members assumed where a configuration states none.
DEFAULT_PRIOR = 0.5
# The delta of a pure guarantee, assumed for epsilon where a configuration states none.
DEFAULT_DELTA = 0.0

# By name: the parameters it takes, and how it is made.
_KNOWN: dict[str, tuple[tuple[str, ...], Callable[[config_pb2.MetricSpec], Metric]]] = {
    "auc": ((), lambda spec: Auc()),
    "advantage": ((), lambda spec: Advantage()),
    "balanced_accuracy": ((), lambda spec: BalancedAccuracy()),
    "tpr_at_fpr": (("fpr",), lambda spec: TprAtFpr(_share(spec, "fpr", None))),
    "precision": (("prior",), lambda spec: Precision(_share(spec, "prior", DEFAULT_PRIOR))),
    "epsilon": (("delta",), lambda spec: Epsilon(_delta(spec, DEFAULT_DELTA))),
    "canary_epsilon": (("delta",), lambda spec: CanaryEpsilon(_delta(spec, None))),
}


def metric_from_spec(spec: config_pb2.MetricSpec) -> Metric:
    """The metric that a specification names.

    Raises:
      ValueError: If there is no such metric, or a parameter is missing, out of range
        or not one of the metric's.
    """
    if spec.name not in _KNOWN:
        raise ValueError(
            f"unknown metric: found name {spec.name!r}, expected one of {', '.join(_KNOWN)}"
        )
    takes, make = _KNOWN[spec.name]
    for field, value in _parameters(spec).items():
        if field not in takes:
            raise ValueError(
                f"metric {spec.name}: found {field} {value:g}, "
                f"expected {' and '.join(takes) if takes else 'no parameter'}"
            )
    return make(spec)


def metric_title(metric: Metric) -> str:
    """The metric's name in words, such as "TPR at 1% FPR"."""
    match metric:
        case Auc():
            return "AUC"
        case Advantage():
            return "advantage"
        case TprAtFpr(fpr=fpr):
            return f"TPR at {100 * fpr:g}% FPR"
        case Precision(prior=prior):
            return f"precision at prior {100 * prior:g}%"
        case BalancedAccuracy():
            return "balanced accuracy"
        case Epsilon(delta=delta):
            return f"epsilon (delta {delta:g})" if delta > 0 else "epsilon"
        case CanaryEpsilon(delta=delta):
            return f"canary epsilon (delta {delta:g})" if delta > 0 else "canary epsilon"
    return metric.spec().name


def metric_key(metric: Metric) -> str:
    """The metric's name and parameter as one word, such as "tpr_at_fpr_0.01"."""
    spec = metric.spec()
    return "_".join([spec.name, *(f"{value:g}" for value in _parameters(spec).values())])


def _parameters(spec: config_pb2.MetricSpec) -> dict[str, float]:
    parameters = {}
    if spec.HasField("fpr"):
        parameters["fpr"] = spec.fpr
    if spec.HasField("prior"):
        parameters["prior"] = spec.prior
    if spec.HasField("delta"):
        parameters["delta"] = spec.delta
    return parameters


def _share(spec: config_pb2.MetricSpec, field: str, default: float | None) -> float:
    value = _parameters(spec).get(field, default)
    if value is None:
        raise ValueError(f"metric {spec.name}: found no {field}, expected a number in (0, 1)")
    if not 0.0 < value < 1.0:
        raise ValueError(
            f"metric {spec.name}: found {field} {value:g}, expected a number in (0, 1)"
        )
    return value


def _delta(spec: config_pb2.MetricSpec, default: float | None) -> float:
    value = _parameters(spec).get("delta", default)
    if value is None:
        raise ValueError(
            f"metric {spec.name}: found no delta, expected a number in [0, 1), such as 1e-5"
        )
    return value
