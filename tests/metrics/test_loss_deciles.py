"""Tenths by loss, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.metrics.loss_deciles import DECILES, choose_decile_edges, decile_of


def _deciles(loss: list[float], edges: np.ndarray) -> list[str]:
    return [DECILES[code] for code in decile_of(np.array(loss, np.float32), edges)]


def test_twenty_rows_of_ten_a_side_make_tenths_of_two() -> None:
    # Losses 1 to 20: each row is a twentieth, so a tenth ends at every even one.
    loss = np.arange(1, 21, dtype=np.float32)
    edges = choose_decile_edges(loss, loss % 2 == 1)
    assert edges.tolist() == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert _deciles([1, 2, 3, 4, 18, 19, 20], edges) == ["1", "1", "2", "2", "9", "10", "10"]


def test_sides_weigh_the_same_however_many_rows_they_have() -> None:
    # Eight members with losses 1 to 8 and two non-members with 9 and 10: a member is a
    # sixteenth, a non-member a quarter. Half of the weight ends at 8, three quarters at 9.
    # Of sixteenths: 1.6 needs 2 members, 3.2 needs 4, 4.8 needs 5, 6.4 needs 7, 8 needs 8;
    # 9.6 and 11.2 lie in the first non-member (12), 12.8 and 14.4 in the second.
    loss = np.arange(1, 11, dtype=np.float32)
    edges = choose_decile_edges(loss, loss <= 8)
    assert edges.tolist() == [2, 4, 5, 7, 8, 9, 9, 10, 10]


def test_losses_do_not_have_to_be_in_order() -> None:
    loss = np.arange(1, 21, dtype=np.float32)
    order = np.random.default_rng(0).permutation(20)
    expected = choose_decile_edges(loss, loss <= 10)
    assert choose_decile_edges(loss[order], loss[order] <= 10).tolist() == expected.tolist()


def test_rows_of_equal_loss_are_in_one_tenth_and_some_tenths_have_none() -> None:
    # Ten of twenty losses are 0: the first five tenths end there, and the rest have two rows each.
    loss = np.concatenate((np.zeros(10), np.arange(1, 11))).astype(np.float32)
    edges = choose_decile_edges(loss, np.arange(20) % 2 == 0)
    assert edges.tolist() == [0, 0, 0, 0, 0, 2, 4, 6, 8]
    found = _deciles(loss.tolist(), edges)
    assert found == ["1"] * 10 + [str(number) for number in (6, 6, 7, 7, 8, 8, 9, 9, 10, 10)]


def test_losses_that_are_all_equal_make_one_slice() -> None:
    edges = choose_decile_edges(np.full(6, 0.5, np.float32), np.arange(6) < 3)
    assert set(_deciles([0.5] * 6, edges)) == {"1"}


def test_the_largest_loss_of_other_rows_is_in_the_last_tenth() -> None:
    loss = np.arange(1, 21, dtype=np.float32)
    assert _deciles([-1.0, 1e9], choose_decile_edges(loss, loss > 10)) == ["1", "10"]


@pytest.mark.parametrize("member", [True, False])
def test_a_side_alone_makes_tenths_of_its_own(member: bool) -> None:
    loss = np.arange(1, 11, dtype=np.float32)
    assert choose_decile_edges(loss, np.full(10, member)).tolist() == list(range(1, 10))


def test_without_rows_there_are_no_tenths() -> None:
    assert len(choose_decile_edges(np.empty(0, np.float32), np.empty(0, np.bool_))) == 0
