"""Metrics by name."""

from __future__ import annotations

import pytest

from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.canary_epsilon import CanaryEpsilon
from tfx_privacy.metrics.epsilon import Epsilon
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.registry import (
    DEFAULT_METRICS,
    metric_from_spec,
    metric_key,
    metric_title,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2


@pytest.mark.parametrize("metric", DEFAULT_METRICS, ids=metric_key)
def test_a_specification_and_back(metric: Metric) -> None:
    assert metric_from_spec(metric.spec()) == metric


def test_titles_and_keys() -> None:
    assert [metric_title(metric) for metric in DEFAULT_METRICS] == [
        "AUC",
        "advantage",
        "TPR at 10% FPR",
        "TPR at 1% FPR",
        "TPR at 0.1% FPR",
        "precision at prior 50%",
        "epsilon",
    ]
    assert [metric_key(metric) for metric in DEFAULT_METRICS] == [
        "auc",
        "advantage",
        "tpr_at_fpr_0.1",
        "tpr_at_fpr_0.01",
        "tpr_at_fpr_0.001",
        "precision_0.5",
        "epsilon_0",
    ]


@pytest.mark.parametrize(
    ("metric", "title", "key"),
    [
        (BalancedAccuracy(), "balanced accuracy", "balanced_accuracy"),
        (Epsilon(1e-5), "epsilon (delta 1e-05)", "epsilon_1e-05"),
        (CanaryEpsilon(1e-5), "canary epsilon (delta 1e-05)", "canary_epsilon_1e-05"),
        (CanaryEpsilon(0.0), "canary epsilon", "canary_epsilon_0"),
    ],
)
def test_metrics_beside_the_default_ones(metric: Metric, title: str, key: str) -> None:
    assert metric_title(metric) == title
    assert metric_key(metric) == key
    assert metric_from_spec(metric.spec()) == metric


def test_delta_has_a_default_where_it_is_no_choice() -> None:
    assert metric_from_spec(config_pb2.MetricSpec(name="epsilon")) == Epsilon(0.0)


def test_prior_has_a_default() -> None:
    assert metric_from_spec(config_pb2.MetricSpec(name="precision")) == Precision(0.5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "accuracy"}, "found name 'accuracy', expected one of auc, advantage, balanced"),
        ({"name": ""}, "found name ''"),
        ({"name": "tpr_at_fpr"}, "tpr_at_fpr: found no fpr, expected a number in"),
        ({"name": "tpr_at_fpr", "fpr": 0.0}, "found fpr 0, expected a number in"),
        ({"name": "tpr_at_fpr", "fpr": float("nan")}, "found fpr nan"),
        ({"name": "precision", "prior": 1.0}, "found prior 1, expected a number in"),
        ({"name": "auc", "fpr": 0.1}, "auc: found fpr 0.1, expected no parameter"),
        ({"name": "precision", "fpr": 0.1}, "precision: found fpr 0.1, expected prior"),
        ({"name": "canary_epsilon"}, "canary_epsilon: found no delta, expected a number in"),
        ({"name": "canary_epsilon", "delta": -1e-5}, "canary_epsilon: found delta -1e-05"),
        ({"name": "epsilon", "delta": 1.0}, "epsilon: found delta 1, expected a number in"),
        ({"name": "epsilon", "delta": float("nan")}, "epsilon: found delta nan"),
        ({"name": "auc", "delta": 0.1}, "auc: found delta 0.1, expected no parameter"),
    ],
)
def test_a_wrong_specification_is_named(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric_from_spec(config_pb2.MetricSpec(**spec))
