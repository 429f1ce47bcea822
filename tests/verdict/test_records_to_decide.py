"""How many records would decide."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.interval import Interval
from tfx_privacy.verdict.records_to_decide import NOT_DECIDABLE, records_to_decide


def _needed(estimate: float, limit: float, half: float = 0.0196, block_alpha: float = 0.025) -> int:
    interval = Interval(estimate, estimate - half, estimate + half)
    return records_to_decide(interval, limit, 3000, 0.025, block_alpha)


def test_by_hand() -> None:
    # s = .01, (1.95996 + .84162) .01 / .012 = 2.3346, squared 5.4506.
    assert _needed(0.538, 0.55) == pytest.approx(3000 * 5.4506, abs=2)
    assert _needed(0.562, 0.55) == pytest.approx(3000 * 5.4506, abs=2)


def test_blocking_needs_more_where_several_claims_share_the_error() -> None:
    # z of .0125 is 2.2414: ((2.2414 + .84162) / 1.2)^2 = 6.6008.
    assert _needed(0.562, 0.55, block_alpha=0.0125) == pytest.approx(3000 * 6.6008, abs=2)
    assert _needed(0.538, 0.55, block_alpha=0.0125) == pytest.approx(3000 * 5.4506, abs=2)


def test_the_side_towards_the_limit_counts() -> None:
    interval = Interval(0.54, lower=0.2, upper=0.56)
    wide = Interval(0.54, lower=0.5, upper=0.56)
    assert records_to_decide(interval, 0.55, 3000, 0.025, 0.025) == records_to_decide(
        wide, 0.55, 3000, 0.025, 0.025
    )


def test_near_the_limit_nothing_is_promised() -> None:
    # Ten times N: |estimate - limit| = 2.80159 s / sqrt(10) = .886 s.
    assert _needed(0.55 - 0.0089, 0.55) > 29_000
    assert _needed(0.55 - 0.0088, 0.55) == NOT_DECIDABLE
    assert _needed(0.55, 0.55) == NOT_DECIDABLE


def test_so_many_records_do_decide() -> None:
    # A share seen in N records, truth .5, limit .52, undecided at 2,000; with the records that it
    # asks for, the upper bound keeps the limit in some 80% of samples.
    half = 1.96 * np.sqrt(0.25 / 2000)
    interval = Interval(0.5, 0.5 - half, 0.5 + half)
    needed = records_to_decide(interval, 0.52, 2000, 0.025, 0.025)
    rng = np.random.default_rng(1)
    shares = rng.binomial(needed, 0.5, 4000) / needed
    decided = shares + 1.96 * np.sqrt(shares * (1 - shares) / needed) <= 0.52
    assert decided.mean() == pytest.approx(0.8, abs=0.03)
