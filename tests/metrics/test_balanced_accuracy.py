"""Balanced accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds

COUNTS = ScoreCounts(members=np.array([40, 60]), nonmembers=np.array([70, 30]))


def test_the_mean_of_both_sides_right_guesses() -> None:
    # 60 of 100 members and 70 of 100 non-members are called what they are.
    interval = BalancedAccuracy().measure(COUNTS, Thresholds.all_at(1), 0.025)
    assert interval.estimate == pytest.approx(0.65)


def test_bounds_are_those_of_the_advantage() -> None:
    interval = BalancedAccuracy().measure(COUNTS, Thresholds.all_at(1), 0.025)
    advantage = Advantage().measure(COUNTS, Thresholds.all_at(1), 0.025)
    assert interval.lower == pytest.approx(0.5 + advantage.lower / 2)
    assert interval.upper == pytest.approx(0.5 + advantage.upper / 2)


def test_a_coin_is_right_in_half_of_the_cases() -> None:
    counts = ScoreCounts(np.array([50, 50]), np.array([50, 50]))
    interval = BalancedAccuracy().measure(counts, Thresholds.all_at(1), 0.025)
    assert interval.estimate == interval.lower == BalancedAccuracy().no_leak == 0.5
    assert interval.upper < 0.65
