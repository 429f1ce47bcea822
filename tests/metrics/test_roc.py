"""The ROC curve from counts, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.counts import ScoreCounts
from tfx_privacy.metrics.roc import Roc


def _counts(members: list[int], nonmembers: list[int]) -> ScoreCounts:
    return ScoreCounts(np.array(members), np.array(nonmembers))


def test_points_from_the_top() -> None:
    roc = Roc.from_counts(_counts([1, 1, 2], [2, 2, 0]))
    # Highest bin: half of the members, no non-member; then a quarter and half; then the rest.
    assert roc.tpr.tolist() == [0.0, 0.5, 0.75, 1.0]
    assert roc.fpr.tolist() == [0.0, 0.0, 0.5, 1.0]


def test_height_is_linear_between_points_and_the_top_at_steps() -> None:
    roc = Roc.from_counts(_counts([1, 1, 2], [2, 2, 0]))
    # At 0 there is a step up to 0.5; at 0.25 half way from 0.5 to 0.75.
    assert roc.tpr_at([0.0, 0.25, 0.5, 0.75, 1.0]).tolist() == [0.5, 0.625, 0.75, 0.875, 1.0]


def test_point_of_a_threshold_bin() -> None:
    roc = Roc.from_counts(_counts([1, 1, 2], [2, 2, 0]))
    assert roc.tpr[roc.point(2)] == 0.5
    assert roc.tpr[roc.point(0)] == 1.0
    assert roc.tpr[roc.point(3)] == 0.0


def test_swapping_sides_mirrors_the_curve() -> None:
    counts = _counts([3, 0, 5, 1], [1, 2, 2, 4])
    roc = Roc.from_counts(counts)
    mirrored = Roc.from_counts(ScoreCounts(counts.nonmembers, counts.members))
    assert mirrored.fpr.tolist() == roc.tpr.tolist()
    assert mirrored.tpr.tolist() == roc.fpr.tolist()


def test_an_empty_side_is_named() -> None:
    with pytest.raises(ValueError, match="found 3 members and 0 non-members"):
        Roc.from_counts(_counts([1, 2], [0, 0]))
