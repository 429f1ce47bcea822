"""From counts to messages."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfx_privacy.metrics.advantage import max_in_sample
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.registry import DEFAULT_METRICS
from tfx_privacy.metrics.resolution import resolution

EDGES = ScoreEdges(np.array([-1.0, 2.0]), Thresholds.all_at(2))
COUNTS = ScoreCounts(np.array([10, 40, 50]), np.array([20, 30, 10]))


def test_every_metric_in_order_with_the_rows_behind_it() -> None:
    result = measure_attack("loss", COUNTS, EDGES, DEFAULT_METRICS, 0.9)
    assert result.name == "loss"
    assert result.threshold == 2.0
    assert result.resolution == resolution(COUNTS)
    assert [value.metric for value in result.metrics] == [m.spec() for m in DEFAULT_METRICS]
    for value, metric in zip(result.metrics, DEFAULT_METRICS, strict=True):
        interval = metric.measure(COUNTS, Thresholds.all_at(2), (1 - 0.9) / 2)
        assert (value.value.estimate, value.value.lower, value.value.upper) == (
            interval.estimate,
            interval.lower,
            interval.upper,
        )
        assert value.value.confidence == 0.9
        assert (value.value.members, value.value.nonmembers) == (100, 60)
    with_maximum = [v for v in result.metrics if v.HasField("max_in_sample")]
    assert [v.metric.name for v in with_maximum] == ["advantage"]
    assert with_maximum[0].max_in_sample == max_in_sample(COUNTS)
    attainable = [v for v in result.metrics if v.HasField("largest_attainable")]
    assert [v.metric.name for v in attainable] == ["epsilon"]
    # No mistake among 100 members and 60 non-members: rates of at least .025^(1/100) and
    # .025^(1/60), half of alpha = .05 each; the side with more rows shows more.
    tpr, tnr = 0.025 ** (1 / 100), 0.025 ** (1 / 60)
    assert attainable[0].largest_attainable == pytest.approx(math.log(tnr / (1 - tpr)))


def test_an_empty_side_has_no_metrics() -> None:
    empty = ScoreCounts(COUNTS.members, np.zeros(3, dtype=np.int64))
    result = measure_attack("loss", empty, EDGES, DEFAULT_METRICS, 0.95)
    assert result.name == "loss"
    assert not result.metrics


def test_thresholds_beyond_the_edges_are_infinite() -> None:
    everyone = ScoreEdges(EDGES.edges, Thresholds.all_at(0))
    nobody = ScoreEdges(EDGES.edges, Thresholds.all_at(3))
    assert measure_attack("a", COUNTS, everyone, [], 0.95).threshold == -math.inf
    assert measure_attack("a", COUNTS, nobody, [], 0.95).threshold == math.inf


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95.0, float("nan")])
def test_confidence_out_of_range_is_named(confidence: float) -> None:
    with pytest.raises(ValueError, match=r"confidence: found .*, expected a number in"):
        measure_attack("a", COUNTS, EDGES, [Auc()], confidence)
