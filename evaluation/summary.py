"""Results as a few scalars, for an artifact's custom properties."""

from __future__ import annotations

import math

from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.proto import privacy_results_pb2 as results_pb2


def summary_properties(results: results_pb2.PrivacyResults) -> dict[str, str | float]:
    """Model, best attack, and the best-of-attacks metrics with their bounds.

    A bound that is infinite, the upper one of an epsilon, is left out: stores of
    metadata and what reads them have no common way to say it.
    """
    properties: dict[str, str | float] = {
        "model_uri": results.model.uri,
        "best_attack": results.best_attack,
        "package_version": results.package_version,
    }
    for measured in results.best_of_attacks:
        key = metric_key(metric_from_spec(measured.metric))
        numbers = {
            key: measured.value.estimate,
            f"{key}_lower": measured.value.lower,
            f"{key}_upper": measured.value.upper,
        }
        properties.update({name: x for name, x in numbers.items() if math.isfinite(x)})
    return properties
