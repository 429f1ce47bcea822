"""Results as a few scalars, for an artifact's custom properties."""

from __future__ import annotations

from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.proto import privacy_results_pb2 as results_pb2


def summary_properties(results: results_pb2.PrivacyResults) -> dict[str, str | float]:
    """Model, best attack, and the best-of-attacks metrics with their bounds."""
    properties: dict[str, str | float] = {
        "model_uri": results.model.uri,
        "best_attack": results.best_attack,
        "package_version": results.package_version,
    }
    for measured in results.best_of_attacks:
        key = metric_key(metric_from_spec(measured.metric))
        properties[key] = measured.value.estimate
        properties[f"{key}_lower"] = measured.value.lower
        properties[f"{key}_upper"] = measured.value.upper
    return properties
