"""p-values by inverting the interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.auc import Auc, effective_size
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import DEFAULT_METRICS, metric_key
from tfx_privacy.verdict.p_value import SMALLEST, p_value_above


def _p_value(metric: Metric, counts: ScoreCounts, limit: float) -> float:
    return p_value_above(
        lambda alpha: metric.measure(counts, Thresholds.all_at(1), alpha).lower, limit
    )


LEAK = ScoreCounts(np.array([40, 60]), np.array([70, 30]))


def test_auc_is_the_larger_of_score_and_exact_test() -> None:
    # Wilson's interval is the inversion of z = (A - L) / sqrt(L (1 - L) / n), Clopper-Pearson's
    # that of P(Bin(n, L) >= A n), by hand. A = .6 * .7 + (.6 * .3 + .4 * .7) / 2 = .65.
    n = effective_size(LEAK)
    score = stats.norm.sf((0.65 - 0.55) / np.sqrt(0.55 * 0.45 / n))
    exact = stats.beta.cdf(0.55, 0.65 * n, 0.35 * n + 1)
    assert _p_value(Auc(), LEAK, 0.55) == pytest.approx(max(score, exact), rel=1e-5)


@pytest.mark.parametrize("metric", DEFAULT_METRICS, ids=metric_key)
def test_is_the_level_at_which_the_lower_bound_meets_the_limit(metric: Metric) -> None:
    counts = ScoreCounts(LEAK.members * 1000, LEAK.nonmembers * 1000)
    limit = metric.measure(counts, Thresholds.all_at(1), 0.07).lower
    assert limit > 0
    found = _p_value(metric, counts, limit)
    assert metric.measure(counts, Thresholds.all_at(1), found).lower > limit
    assert metric.measure(counts, Thresholds.all_at(1), 0.9999 * found).lower <= limit
    # The lower bound of TPR at an FPR goes in steps, so the level may lie a little above.
    assert found == pytest.approx(0.07, rel=0.02)


def test_not_above_at_any_level() -> None:
    assert _p_value(Auc(), LEAK, 0.7) == 1.0


def test_beyond_doubt() -> None:
    sure = ScoreCounts(np.array([0, 100_000]), np.array([100_000, 0]))
    assert _p_value(Auc(), sure, 0.55) == SMALLEST
