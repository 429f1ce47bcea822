"""AUC, DeLong's variance and the Capped Wilson interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfx_privacy.metrics.auc import Auc, auc, delong_variance, effective_size, wilson
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.edges import choose_edges, count_scores

# Ratings of 109 computed tomography images by one reader, from "definitely normal" to "definitely
# abnormal": Hanley and McNeil 1982, Radiology 143, table I. (51 abnormal, 58 normal.)
HANLEY_MCNEIL = ScoreCounts(
    members=np.array([3, 2, 2, 11, 33]), nonmembers=np.array([33, 6, 6, 11, 2])
)


def test_published_example() -> None:
    # Hanley and McNeil 1982 give .893. Stata's manual ([R] roctab, `webuse hanley`) gives .8932
    # with DeLong's standard error .0307, and .83295 to .95339 as the Wald interval from it.
    area, error = auc(HANLEY_MCNEIL), math.sqrt(delong_variance(HANLEY_MCNEIL))
    assert round(area, 4) == 0.8932
    assert round(error, 4) == 0.0307
    assert area - 1.959964 * error == pytest.approx(0.83295, abs=1e-5)
    assert area + 1.959964 * error == pytest.approx(0.95339, abs=1e-5)


# Albumin, total protein, 10 minus the K-G score, and whether surgery would help: 43 patients with
# ovarian cancer of DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, as SAS/STAT's manual
# prints them (PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves").
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


@pytest.mark.parametrize(
    ("column", "sign", "area", "error", "lower", "upper"),
    [
        # The manual's "ROC Association Statistics": area, standard error, 95% Wald limits.
        (0, 1.0, 0.7366, 0.0927, 0.5549, 0.9182),
        (1, 1.0, 0.6478, 0.1000, 0.4518, 0.8439),
        (2, -1.0, 0.7258, 0.1028, 0.5243, 0.9273),
    ],
)
def test_another_published_example(
    column: int, sign: float, area: float, error: float, lower: float, upper: float
) -> None:
    patients = np.array(OVARIAN.split(), dtype=np.float64).reshape(43, 4)
    counts = count_scores(
        sign * patients[:, column],
        patients[:, 3] == 1,
        choose_edges(sign * patients[:, column], patients[:, 3] == 1),
    )
    found = math.sqrt(delong_variance(counts))
    assert round(auc(counts), 4) == area
    assert round(found, 4) == error
    assert auc(counts) - 1.959964 * found == pytest.approx(lower, abs=1e-4)
    assert auc(counts) + 1.959964 * found == pytest.approx(upper, abs=1e-4)


def _kernel(members: NDArray[np.int64], nonmembers: NDArray[np.int64]) -> NDArray[np.float64]:
    higher = members[:, None] > nonmembers[None, :]
    same = members[:, None] == nonmembers[None, :]
    return higher + 0.5 * same


@pytest.mark.parametrize(("m", "n", "levels"), [(40, 25, 5), (30, 60, 2), (17, 23, 1000)])
def test_variance_is_the_definition_over_all_pairs(m: int, n: int, levels: int) -> None:
    # DeLong et al. 1988: the sample variances of the components, over all m n pairs.
    rng = np.random.default_rng(3)
    members, nonmembers = rng.integers(0, levels, m), rng.integers(0, levels, n)
    psi = _kernel(members, nonmembers)
    expected = psi.mean(axis=1).var(ddof=1) / m + psi.mean(axis=0).var(ddof=1) / n
    counts = ScoreCounts(
        np.bincount(members, minlength=levels), np.bincount(nonmembers, minlength=levels)
    )
    assert auc(counts) == pytest.approx(psi.mean(), abs=1e-12)
    assert delong_variance(counts) == pytest.approx(expected, rel=1e-10)


def test_wilson_by_hand() -> None:
    # z = 2 (alpha = .02275013...), 8 of 10: centre (.8 + 4/20)/(1 + 4/10) = 1/1.4,
    # half 2/1.4 sqrt(.16/10 + 4/400) = 2/1.4 sqrt(.026).
    interval = wilson(0.8, 10.0, 0.022750131948179195)
    assert interval.lower == pytest.approx((1 - 2 * math.sqrt(0.026)) / 1.4)
    assert interval.upper == pytest.approx((1 + 2 * math.sqrt(0.026)) / 1.4)


def test_effective_size_by_hand() -> None:
    # Members 2 low and 2 high, non-members 3 low and 1 high: A = (2 * 3/8 + 2 * 7/8) / 4 = .625.
    # V10 = 3/8, 3/8, 7/8, 7/8: variance 1/12. V01 = 3/4, 3/4, 3/4, 1/4: variance 1/16.
    counts = ScoreCounts(np.array([2, 2]), np.array([3, 1]))
    assert auc(counts) == 0.625
    assert delong_variance(counts) == pytest.approx((1 / 12 + 1 / 16) / 4)
    # A (1 - A) / V = .234375 / .0364583 = 6.43; the cap is 3 * 4 * 4 / 9 = 5.33.
    assert effective_size(counts) == pytest.approx(48 / 9)


def test_no_zero_width_where_all_scores_are_equal() -> None:
    interval = Auc().measure(
        ScoreCounts(np.array([0, 100]), np.array([0, 50])), Thresholds.all_at(1), 0.025
    )
    assert interval.estimate == 0.5
    assert interval.lower < 0.45
    assert interval.upper > 0.55


def test_no_zero_width_where_sides_are_separated() -> None:
    counts = ScoreCounts(np.array([0, 100]), np.array([100, 0]))
    interval = Auc().measure(counts, Thresholds.all_at(1), 0.025)
    assert interval.estimate == interval.upper == 1.0
    assert 0.95 < interval.lower < 0.99


def test_one_record_a_side_says_next_to_nothing() -> None:
    interval = Auc().measure(
        ScoreCounts(np.array([0, 1]), np.array([1, 0])), Thresholds.all_at(1), 0.025
    )
    # One success in one toss: Clopper and Pearson's bound is alpha; Wilson's would be .207.
    assert interval.lower == pytest.approx(0.025)
    assert interval.upper == 1.0


def test_swapping_sides_mirrors_the_interval() -> None:
    mirrored = ScoreCounts(HANLEY_MCNEIL.nonmembers, HANLEY_MCNEIL.members)
    there = Auc().measure(HANLEY_MCNEIL, Thresholds.all_at(1), 0.025)
    back = Auc().measure(mirrored, Thresholds.all_at(1), 0.025)
    assert back.estimate == pytest.approx(1 - there.estimate)
    assert back.lower == pytest.approx(1 - there.upper)
    assert back.upper == pytest.approx(1 - there.lower)


def test_misses_above_where_the_auc_is_next_to_one() -> None:
    # Exact, over every outcome that is not rarer than 1e-9: members never err, non-members with
    # probability .002 each (AUC .999). Wilson's bounds alone miss 9.5% above.
    members, nonmembers, wrong = 100, 50, 0.002
    missed = by_wilson = 0.0
    for errors in range(8):
        counts = ScoreCounts(np.array([0, members]), np.array([nonmembers - errors, errors]))
        chance = float(stats.binom.pmf(errors, nonmembers, wrong))
        upper = Auc().measure(counts, Thresholds.all_at(1), 0.025).upper
        missed += chance * (upper < 1.0 - wrong / 2.0)
        by_wilson += chance * (
            wilson(auc(counts), effective_size(counts), 0.025).upper < 1.0 - wrong / 2.0
        )
    assert missed <= 0.025
    assert by_wilson > 0.05
