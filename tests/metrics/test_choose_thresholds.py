"""Thresholds from the counts of FIT rows."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.choose_thresholds import choose_thresholds
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.epsilon import Epsilon


def test_the_threshold_of_epsilon_is_not_that_of_the_advantage() -> None:
    # The advantage is largest in the middle (TPR .6, FPR .4). In the top bin 100 members stand
    # beside 1 non-member: a ratio of 100 in place of 1.5.
    counts = ScoreCounts(np.array([0, 400, 500, 100]), np.array([0, 600, 399, 1]))
    found = choose_thresholds(counts)
    assert (found.member, found.epsilon) == (2, 3)


def test_a_single_row_at_the_top_does_not_decide() -> None:
    # One member above all: an infinite ratio of rates, and a bound of nothing.
    counts = ScoreCounts(np.array([0, 400, 599, 1]), np.array([0, 600, 400, 0]))
    assert choose_thresholds(counts).epsilon == 2


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_shows_a_larger_epsilon_on_fit_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    members = np.sort(rng.integers(1, 100, 12))
    nonmembers = np.sort(rng.integers(1, 100, 12))[::-1]
    counts = ScoreCounts(np.append(0, members), np.append(0, nonmembers))
    bounds = [
        Epsilon().measure(counts, Thresholds.all_at(bin_), 0.025).lower for bin_ in range(1, 13)
    ]
    chosen = bounds[choose_thresholds(counts).epsilon - 1]
    # Off by what the interpolation of bounds is off.
    assert chosen == pytest.approx(max(bounds), rel=1e-2)


def test_sides_of_unequal_yield_are_chosen_each_for_itself() -> None:
    # Nobody but members at the top, and below a coin: guess in above, and say nothing below.
    counts = ScoreCounts(np.array([0, 225, 225, 50]), np.array([0, 250, 250, 0]))
    found = choose_thresholds(counts)
    assert (found.guess_in, found.guess_out) == (3, 0)
    # The mirror image: guess out below, and never in.
    mirrored = ScoreCounts(np.array([0, 0, 250, 250]), np.array([0, 50, 225, 225]))
    found = choose_thresholds(mirrored)
    assert (found.guess_in, found.guess_out) == (4, 2)


def test_both_sides_are_guessed_where_both_tell() -> None:
    counts = ScoreCounts(np.array([0, 1, 400, 99]), np.array([0, 99, 400, 1]))
    found = choose_thresholds(counts)
    assert (found.guess_in, found.guess_out) == (3, 2)
