"""Risk said against share found: by hand, and how often the interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tfx_privacy.metrics.reliability import (
    calibration_error,
    member_share,
    reliability,
    share_of_side,
)
from tfx_privacy.metrics.risk_histogram import RiskHistogram, count_risks, fine_edges


def test_by_hand() -> None:
    # 40 members and 20 others, in two bins with the risks .25 and .75.
    member = np.repeat([True, False], (40, 20))
    risks = np.concatenate((np.repeat([0.25, 0.75], [10, 30]), np.repeat([0.25, 0.75], [15, 5])))
    counts = count_risks(risks, member, np.array([0.0, 0.5, 1.0]))
    # Twenty rows of the smaller side are one group: all.
    (one,) = reliability(counts, 0.5, 0.025)
    assert one.mean_risk == pytest.approx(0.5 * 0.625 + 0.5 * 0.375)
    assert one.member_share.estimate == 0.5
    assert (one.members, one.nonmembers, one.weight) == (40, 20, 1.0)
    # Twice as many are two: of members 1/4 and 3/4, of the others 3/4 and 1/4.
    low, high = reliability(counts + counts, 0.5, 0.025)
    assert (low.mean_risk, high.mean_risk) == (pytest.approx(0.25), pytest.approx(0.75))
    assert low.member_share.estimate == pytest.approx(0.25 / (0.25 + 0.75))
    assert high.member_share.estimate == pytest.approx(0.75)
    assert (low.members, low.nonmembers, low.weight) == (20, 30, 0.5)
    assert calibration_error([low, high]) == pytest.approx(0.0, abs=1e-9)
    # At a prior of .2: .2 * 3/4 / (.2 * 3/4 + .8 * 1/4) = 3/7.
    shares = [one.member_share.estimate for one in reliability(counts + counts, 0.2, 0.025)]
    assert shares[-1] == pytest.approx(3 / 7)


def test_the_error_is_the_mean_distance_by_weight() -> None:
    # All have the risk .75, and half of them are members, whatever the sides' sizes.
    member = np.repeat([True, False], (300, 100))
    bins = reliability(count_risks(np.full(400, 0.75), member, fine_edges(0.5)), 0.5, 0.025)
    assert len(bins) == 1
    assert calibration_error(bins) == pytest.approx(0.25)


def test_bounds_are_those_of_the_sides_at_half_the_error() -> None:
    """Clopper-Pearson by scipy.stats.binomtest at 97.5%, which leaves 1.25% on each side."""
    found = member_share(30, 100, 10, 80, 0.3, 0.025)
    a = stats.binomtest(30, 100).proportion_ci(0.975, method="exact")
    b = stats.binomtest(10, 80).proportion_ci(0.975, method="exact")
    assert found.estimate == pytest.approx(0.3 * 0.3 / (0.3 * 0.3 + 0.7 * 0.125))
    assert found.lower == pytest.approx(0.3 * a.low / (0.3 * a.low + 0.7 * b.high))
    assert found.upper == pytest.approx(0.3 * a.high / (0.3 * a.high + 0.7 * b.low))


def test_a_side_that_is_absent_has_a_bound_all_the_same() -> None:
    above = member_share(50, 100, 0, 100, 0.5, 0.025)
    assert above.estimate == above.upper == 1.0
    assert 0.85 < above.lower < 1.0
    below = member_share(0, 100, 50, 100, 0.5, 0.025)
    assert below.estimate == below.lower == 0.0
    assert below.upper == pytest.approx(1.0 - above.lower)


def test_share_of_a_side() -> None:
    expected = stats.binomtest(7, 50).proportion_ci(0.95, method="exact")
    found = share_of_side(7, 50, 0.025)
    assert (found.estimate, found.lower, found.upper) == (
        pytest.approx(0.14),
        pytest.approx(expected.low),
        pytest.approx(expected.high),
    )


@pytest.mark.parametrize(
    ("prior", "rows", "shift"), [(0.5, 200, 1.0), (0.1, 1_000, 0.5), (0.5, 1_000, 0.0)]
)
def test_of_true_risks_the_interval_holds_the_mean(prior: float, rows: int, shift: float) -> None:
    """Groups are chosen on the same rows, which must cost no coverage."""
    rng = np.random.default_rng(4)
    missed = groups = 0
    member = np.arange(2 * rows) < rows
    for _ in range(150):
        scores = rng.normal(size=2 * rows) + shift * member
        log_odds = shift * scores - shift**2 / 2 + np.log(prior / (1 - prior))
        # A little of the score in the risk where there is no leak, so that groups differ.
        risks = 1 / (1 + np.exp(-log_odds - (1e-3 * scores if shift == 0 else 0)))
        bins = reliability(count_risks(risks, member, fine_edges(prior)), prior, 0.025)
        groups += len(bins)
        missed += sum(
            not one.member_share.lower <= one.mean_risk <= one.member_share.upper for one in bins
        )
    assert groups >= 150
    # At most 5% may miss; at this many groups by chance up to 6.5%.
    assert stats.binomtest(missed, groups, 0.05, alternative="greater").pvalue > 0.001


def test_risks_that_exaggerate_are_found() -> None:
    rng = np.random.default_rng(5)
    member = np.arange(4_000) < 2_000
    scores = rng.normal(size=4_000) + member
    exaggerated = 1 / (1 + np.exp(-3 * (scores - 0.5)))
    bins = reliability(count_risks(exaggerated, member, fine_edges(0.5)), 0.5, 0.025)
    assert bins[-1].mean_risk > bins[-1].member_share.upper
    assert bins[0].mean_risk < bins[0].member_share.lower
    assert calibration_error(bins) > 0.1


def test_no_group_is_without_rows() -> None:
    # Nearly all rows have one of two risks: fewer groups than ten.
    member = np.arange(2_000) < 1_000
    risks = np.where(np.arange(2_000) % 2 == 0, 0.4, 0.6)
    risks[0] = 0.999
    bins = reliability(count_risks(risks, member, fine_edges(0.5)), 0.5, 0.025)
    assert 2 <= len(bins) <= 3
    assert all(one.members + one.nonmembers > 0 for one in bins)
    assert sum(one.weight for one in bins) == pytest.approx(1.0)
    assert sum(one.members for one in bins) == 1_000


def test_what_cannot_be_judged_is_refused() -> None:
    counts = RiskHistogram(*[np.array([3, 4])] * 4)
    none = RiskHistogram(np.array([3, 4]), *[np.array([0, 0])] * 3)
    with pytest.raises(ValueError, match="7 members and 0 non-members"):
        reliability(none, 0.5, 0.025)
    with pytest.raises(ValueError, match="prior: found 1"):
        reliability(counts, 1.0, 0.025)
    with pytest.raises(ValueError, match="one-sided error"):
        reliability(counts, 0.5, 0.7)
