"""P(member | score): by hand, on populations whose truth is known, and without a leak."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from tfx_privacy.metrics.risk_curve import RiskCurve, at_prior

Scored = tuple[NDArray[np.float64], NDArray[np.bool_]]


def _gaussians(shift: float, members: int, nonmembers: int, seed: int) -> Scored:
    """Scores N(shift, 1) of members and N(0, 1) of the others."""
    rng = np.random.default_rng(seed)
    member = np.arange(members + nonmembers) < members
    return rng.normal(size=len(member)) + shift * member, member


def _truth(scores: NDArray[np.float64], shift: float, prior: float) -> NDArray[np.float64]:
    """Bayes' rule for `_gaussians`: the log-odds are shift * score - shift^2 / 2 + those before."""
    log_odds = shift * scores - shift**2 / 2 + np.log(prior / (1 - prior))
    return 1 / (1 + np.exp(-log_odds))


def test_by_hand() -> None:
    # 10 + 10 rows, two scores: 8 members and 2 others at 1, the rest at 0. Four rows of each
    # side more in each step, at the share of the 20 + 20 rows around, which is that of all,
    # and half a row of each: 12.5 of 19 at the score 1, 6.5 of 19 at 0; in the middle 1/2.
    member = np.repeat([True, False], 10)
    scores = np.concatenate((np.repeat([1.0, 0.0], [8, 2]), np.repeat([1.0, 0.0], [2, 8])))
    curve = RiskCurve.fit(scores, member, 0.5)
    risks = curve(np.array([-5.0, 0.0, 0.5, 1.0, 5.0]))
    np.testing.assert_allclose(risks, np.array([6.5, 6.5, 9.5, 12.5, 12.5]) / 19)


def test_sides_of_other_sizes_by_hand() -> None:
    # Twice the members: they weigh half as much each, and the risk is the same.
    member = np.repeat([True, False], (20, 10))
    scores = np.concatenate((np.repeat([1.0, 0.0], [16, 4]), np.repeat([1.0, 0.0], [2, 8])))
    curve = RiskCurve.fit(scores, member, 0.5)
    np.testing.assert_allclose(curve(np.array([1.0])), 12.5 / 19)
    # At a prior of .2 Bayes' rule makes a quarter of the odds 12.5 to 6.5.
    odds = 12.5 / 6.5 / 4
    np.testing.assert_allclose(
        RiskCurve.fit(scores, member, 0.2)(np.array([1.0])), odds / (1 + odds)
    )


def test_scores_out_of_order_are_pooled() -> None:
    # Members' shares 1/2, 3/4, 1/4 at the scores 0, 1, 2: isotonic regression pools the
    # last two, the median of which is the score 1 (four rows a score).
    scores = np.repeat([0.0, 1.0, 2.0], 4)
    member = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0], bool)
    curve = RiskCurve.fit(scores, member, 0.5)
    # All three steps have equally many of both sides after pooling: one step, at the prior.
    np.testing.assert_allclose(curve(scores), 0.5)


def test_no_handful_of_rows_is_certain() -> None:
    # Five of 100 members above everybody else. Around them: 40 rows with the weight .4, .05
    # theirs and .35 of the others', of which .95 / 1.95 are members'. In rows: 5 of 5 and
    # eight at that share and 1/2 of 1.
    member = np.arange(200) < 100
    scores = np.where(np.arange(200) < 5, 9.0, 0.0)
    around = (0.05 + 0.35 * 0.95 / 1.95) / 0.4
    (risk,) = RiskCurve.fit(scores, member, 0.5)(np.array([9.0]))
    assert risk == pytest.approx((5 + 8 * around + 0.5) / 14)
    assert risk < 0.71
    # Of 2,000 members 1,000 are known for certain: around them are members alone.
    member = np.arange(4_000) < 2_000
    scores = np.where(np.arange(4_000) < 1_000, 9.0, 0.0)
    (risk,) = RiskCurve.fit(scores, member, 0.5)(np.array([9.0]))
    assert risk == pytest.approx(1_008.5 / 1_009)


@pytest.mark.parametrize("prior", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("shift", [0.5, 1.0, 2.5])
def test_near_the_truth_at_any_prior(shift: float, prior: float) -> None:
    curve = RiskCurve.fit(*_gaussians(shift, 10_000, 5_000, seed=1), prior)
    scores, member = _gaussians(shift, 40_000, 40_000, seed=2)
    risks, truth = curve(scores), _truth(scores, shift, prior)
    weight = np.where(member, prior, 1 - prior)
    assert np.average(np.abs(risks - truth), weights=weight) < 0.015
    assert np.average(risks, weights=weight) == pytest.approx(prior, abs=0.02)
    assert (np.diff(curve.risks) >= 0).all()
    assert 0 < curve.risks[0] <= curve.risks[-1] < 1


@pytest.mark.parametrize(("rows", "mean", "extreme"), [(50, 0.05, 0.13), (1_000, 0.022, 0.11)])
def test_without_a_leak_risks_are_about_the_prior(rows: int, mean: float, extreme: float) -> None:
    """Isotonic regression alone would be off by .36 and .18 at the extremes."""
    scores, _ = _gaussians(0.0, 5_000, 5_000, seed=3)
    errors = [
        np.abs(RiskCurve.fit(*_gaussians(0.0, rows, rows, seed=run), 0.5)(scores) - 0.5)
        for run in range(40)
    ]
    assert np.mean(errors) < mean
    assert np.mean([np.quantile(error, 0.99) for error in errors]) < extreme


def test_the_error_falls_with_the_rows() -> None:
    scores, _ = _gaussians(1.0, 5_000, 5_000, seed=3)
    error = {
        rows: np.mean(
            [
                np.abs(
                    RiskCurve.fit(*_gaussians(1.0, rows, rows, seed=run), 0.5)(scores)
                    - _truth(scores, 1.0, 0.5)
                ).mean()
                for run in range(10)
            ]
        )
        for rows in (50, 500, 5_000)
    }
    assert error[50] > 1.5 * error[500] > 2.25 * error[5_000]


def test_nearer_to_the_truth_than_fifteen_bins() -> None:
    """Against the rule of TF Privacy's `_compute_membership_probability`.

    Its risk of a record: the share of members, sides weighted alike, in the bin of its loss,
    of 15 bins in equal ratios between the smallest and the largest positive loss. It takes
    the histograms from the records whose risk it gives; here they are other ones.
    """
    shift = 1.0
    losses = {name: np.exp(-_gaussians(shift, 500, 500, seed)[0]) for name, seed in _SEEDS.items()}
    member = np.arange(1_000) < 500
    edges = np.geomspace(losses["fit"].min(), losses["fit"].max(), 16)
    bins = np.clip(np.searchsorted(edges, losses["fit"], side="right") - 1, 0, 14)
    inside = np.bincount(bins[member], minlength=15)
    outside = np.bincount(bins[~member], minlength=15)
    theirs = inside / np.maximum(inside + outside, 1)
    of_new = np.clip(np.searchsorted(edges, losses["new"], side="right") - 1, 0, 14)
    truth = _truth(-np.log(losses["new"]), shift, 0.5)
    ours = RiskCurve.fit(-losses["fit"], member, 0.5)(-losses["new"])
    assert np.abs(ours - truth).mean() < 0.75 * np.abs(theirs[of_new] - truth).mean()


_SEEDS = {"fit": 11, "new": 12}


def test_any_rising_scale_of_scores_has_the_same_knots() -> None:
    scores, member = _gaussians(1.0, 300, 200, seed=5)
    plain, stretched = (
        RiskCurve.fit(values, member, 0.5) for values in (scores, np.exp(3 * scores))
    )
    np.testing.assert_array_equal(np.exp(3 * plain.scores), stretched.scores)
    np.testing.assert_array_equal(plain.risks, stretched.risks)


def test_the_order_of_rows_is_nothing() -> None:
    scores, member = _gaussians(1.0, 300, 200, seed=5)
    order = np.random.default_rng(0).permutation(500)
    one, other = (
        RiskCurve.fit(scores, member, 0.5),
        RiskCurve.fit(scores[order], member[order], 0.5),
    )
    np.testing.assert_array_equal(one.risks, other.risks)


def test_bayes_rule() -> None:
    # Even odds of 3 to 1, at one member in ten: .1 * 3 / (.1 * 3 + .9) = .25.
    assert at_prior(np.array([0.75]), 0.1)[0] == pytest.approx(0.25)
    np.testing.assert_array_equal(at_prior(np.array([0.0, 0.3, 1.0]), 0.5), [0.0, 0.3, 1.0])


def test_what_cannot_be_fitted_is_refused() -> None:
    scores, member = _gaussians(1.0, 3, 2, seed=0)
    with pytest.raises(ValueError, match="5 members and 0 non-members"):
        RiskCurve.fit(scores, np.ones(5, bool), 0.5)
    with pytest.raises(ValueError, match="shapes"):
        RiskCurve.fit(scores, member[:4], 0.5)
    for prior in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="prior: found"):
            RiskCurve.fit(scores, member, prior)


def test_one_bad_score_is_an_error_and_not_a_risk_of_one() -> None:
    """In TF Privacy a NaN among the losses makes every record's risk 1.0."""
    scores, member = _gaussians(1.0, 3, 2, seed=0)
    curve = RiskCurve.fit(scores, member, 0.5)
    scores[1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 5"):
        RiskCurve.fit(scores, member, 0.5)
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 5"):
        curve(scores)


def test_the_steps_are_the_convex_hull_of_the_roc_curve() -> None:
    """Fawcett and Niculescu-Mizil 2007; slopes of the hull by SciPy's convex hull."""
    scores, member = _gaussians(1.0, 3_000, 3_000, seed=7)
    curve = RiskCurve.fit(scores, member, 0.5)
    order = np.argsort(-scores)
    roc = np.column_stack((np.cumsum(~member[order]) / 3_000, np.cumsum(member[order]) / 3_000))
    roc = np.vstack(([[0.0, 0.0]], roc, [[1.0, 0.0]]))
    corners = roc[ConvexHull(roc).vertices]
    corners = corners[(corners != [1.0, 0.0]).any(axis=1)]
    edges = np.diff(corners[np.lexsort((corners[:, 1], corners[:, 0]))], axis=0)[::-1]
    assert len(curve.scores) == len(edges)
    # The rows that are added change the inner steps, of hundreds of rows, by little.
    shares, rows = edges[:, 1] / edges.sum(axis=1), 3_000 * edges.sum(axis=1)
    many = rows > 200
    assert many.sum() >= 5
    np.testing.assert_allclose(curve.risks[many], shares[many], atol=0.01)
