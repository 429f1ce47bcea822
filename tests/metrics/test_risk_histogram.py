"""Records by risk: where bins end, and sums that are the same in any order."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.risk_histogram import (
    RISK_UNIT,
    count_risks,
    count_risks_by_group,
    fine_edges,
    shown_bins,
    shown_edges,
    told_risks,
)

_EDGES = np.array([0.0, 0.25, 0.5, 1.0])


def test_a_bin_has_its_upper_edge() -> None:
    risks = np.array([0.1, 0.25, 0.26, 0.5, 0.75, 0.9])
    member = np.array([True, True, False, True, False, False])
    counts = count_risks(risks, member, _EDGES)
    assert counts.members.tolist() == [2, 1, 0]
    assert counts.nonmembers.tolist() == [0, 1, 2]
    np.testing.assert_allclose(counts.member_risk * RISK_UNIT, [0.35, 0.5, 0.0], atol=1e-9)
    np.testing.assert_allclose(counts.nonmember_risk * RISK_UNIT, [0.0, 0.26, 1.65], atol=1e-9)
    assert counts.mean_member_risk == pytest.approx(0.85 / 3)


def test_groups_by_hand() -> None:
    risks, member = np.array([0.1, 0.6, 0.3]), np.array([True, True, False])
    counts = count_risks_by_group(risks, member, _EDGES, np.array([1, 0, 1]), 2)
    assert counts.members.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert counts.nonmembers.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert counts.of_group(1).mean_member_risk == pytest.approx(0.1)


def test_sums_are_the_same_bits_in_any_order() -> None:
    rng = np.random.default_rng(0)
    risks, member = rng.uniform(size=5_000), rng.uniform(size=5_000) < 0.5
    edges = fine_edges(0.5)
    whole = count_risks(risks, member, edges)
    order = rng.permutation(5_000)
    parts = [count_risks(risks[rows], member[rows], edges) for rows in np.array_split(order, 7)]
    added = parts[0]
    for part in parts[1:]:
        added = part + added
    for name in ("members", "nonmembers", "member_risk", "nonmember_risk"):
        np.testing.assert_array_equal(getattr(added, name), getattr(whole, name))
    assert added.mean_member_risk == pytest.approx(risks[member].mean(), abs=1e-9)


@pytest.mark.parametrize("prior", [0.001, 0.1, 0.5, 0.95])
def test_shown_edges_and_told_risks_are_among_the_fine_ones(prior: float) -> None:
    fine, shown = fine_edges(prior), shown_edges(prior)
    assert (np.diff(fine) > 0).all()
    assert (fine[0], fine[-1], shown[0], shown[-1]) == (0.0, 1.0, 0.0, 1.0)
    assert len(shown) == 51
    np.testing.assert_array_equal(fine[shown_bins(prior)], shown[:-1])
    assert np.isin(told_risks(prior), fine).all()
    assert (told_risks(prior) > prior).all()
    # The prior is in the middle: a risk at even odds.
    assert shown[25] == pytest.approx(prior)


def test_at_even_odds_bins_are_of_two_hundredths() -> None:
    np.testing.assert_allclose(shown_edges(0.5), np.arange(51) / 50, atol=1e-12)
    assert told_risks(0.5).tolist() == [0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    assert told_risks(0.1).tolist()[:3] == [0.2, 0.3, 0.4]


def test_wider_bins_lose_nothing() -> None:
    rng = np.random.default_rng(1)
    counts = count_risks(rng.uniform(size=900), rng.uniform(size=900) < 0.3, fine_edges(0.3))
    wide = counts.in_wider_bins(shown_bins(0.3))
    assert len(wide.members) == 50
    assert (wide.n_members, wide.n_nonmembers) == (counts.n_members, counts.n_nonmembers)
    assert wide.mean_member_risk == counts.mean_member_risk
