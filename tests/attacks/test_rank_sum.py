from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.attacks.rank_sum import rank_sum_auc


def test_scores_by_hand():
    member = np.array([True, True, False, False])

    # Of four pairs of a member and another two are won, one is tied, one is lost.
    assert rank_sum_auc(np.array([3.0, 1.0, 2.0, 1.0]), member)[0] == pytest.approx(2.5 / 4)
    assert rank_sum_auc(np.zeros(4), member) == (0.5, 0.0)


@pytest.mark.parametrize("levels", [4, 10_000])
def test_scipys_mann_whitney_test_agrees(levels):
    generator = np.random.default_rng(levels)
    member = generator.random(500) < 0.3
    scores = generator.integers(0, levels, 500) + 0.3 * levels * member

    area, z = rank_sum_auc(scores, member)

    expected = stats.mannwhitneyu(
        scores[member],
        scores[~member],
        method="asymptotic",
        use_continuity=False,
        alternative="greater",
    )
    assert area == pytest.approx(expected.statistic / member.sum() / (~member).sum())
    assert stats.norm.sf(z) == pytest.approx(expected.pvalue)
