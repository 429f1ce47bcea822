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

LEAK = ScoreCounts(np.array([40, 60]), np.array([70, 30]))


def test_auc_is_the_score_test() -> None:
    # Wilson's interval is the inversion of z = (A - L) / sqrt(L (1 - L) / n_eff), by hand.
    # A = .6 * .7 + (.6 * .3 + .4 * .7) / 2 = .65.
    z = (0.65 - 0.55) / np.sqrt(0.55 * 0.45 / effective_size(LEAK))
    assert p_value_above(Auc(), LEAK, Thresholds.all_at(1), 0.55) == pytest.approx(
        stats.norm.sf(z), rel=1e-5
    )


@pytest.mark.parametrize("metric", DEFAULT_METRICS, ids=metric_key)
def test_is_the_level_at_which_the_lower_bound_meets_the_limit(metric: Metric) -> None:
    counts = ScoreCounts(LEAK.members * 1000, LEAK.nonmembers * 1000)
    limit = metric.measure(counts, Thresholds.all_at(1), 0.07).lower
    assert limit > 0
    found = p_value_above(metric, counts, Thresholds.all_at(1), limit)
    assert metric.measure(counts, Thresholds.all_at(1), found).lower > limit
    assert metric.measure(counts, Thresholds.all_at(1), 0.9999 * found).lower <= limit
    # The lower bound of TPR at an FPR goes in steps, so the level may lie a little above.
    assert found == pytest.approx(0.07, rel=0.02)


def test_not_above_at_any_level() -> None:
    assert p_value_above(Auc(), LEAK, Thresholds.all_at(1), 0.7) == 1.0


def test_beyond_doubt() -> None:
    sure = ScoreCounts(np.array([0, 100_000]), np.array([100_000, 0]))
    assert p_value_above(Auc(), sure, Thresholds.all_at(1), 0.55) == SMALLEST
