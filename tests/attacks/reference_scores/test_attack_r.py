from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.reference_scores.attack_r import attack_r


def test_rank_by_hand():
    references = np.array([[0.1, 0.5, 0.9, 0.5], [0.1, 0.5, 0.9, 0.5], [2.0, 3.0, 4.0, 5.0]])
    inside = np.array(
        [[False, False, False, False], [False, True, False, True], [False, False, True, True]]
    )

    # First: .9 is larger than .5, two are equal: (1 + 2 / 2) / 4. Second: .9 of .1 and .9.
    # Third: both of 2 and 3 are larger.
    found = attack_r(np.array([0.5, 0.5, 1.0]), references, inside)

    assert found.tolist() == [0.5, 0.5, 1.0]


def test_smaller_loss_scores_higher():
    references = np.tile(np.arange(1.0, 6.0), (7, 1))
    inside = np.tile([False, False, False, False, True], (7, 1))

    found = attack_r(np.array([0.5, 1, 1.5, 2, 3.5, 4, 9]), references, inside)

    assert found.tolist() == [1, 0.875, 0.75, 0.625, 0.25, 0.125, 0]


def test_refuses_what_does_not_fit():
    references, inside = np.ones((3, 4)), np.zeros((3, 4), np.bool_)
    with pytest.raises(ValueError, match="found 2 of 3 records that every reference model was"):
        attack_r(np.ones(3), references, np.array([[True] * 4] * 2 + [[False] * 4]))
    with pytest.raises(ValueError, match=r"target of shape \(2,\); expected \(3,\)"):
        attack_r(np.ones(2), references, inside)
    with pytest.raises(ValueError, match="found 1 of 12 values of the reference models"):
        attack_r(np.ones(3), np.where(np.eye(3, 4) * [0, 0, 1, 0], np.inf, 1), inside)
