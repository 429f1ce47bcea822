from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.noisy import NOISE_SHARES, noisy
from tfx_privacy.signals.errors import InputError


@pytest.mark.parametrize(
    # Location-30 has 446 columns: 44.6 and 89.2 are rounded to 45 and 89. A half is rounded up.
    ("width", "share", "flipped"),
    [(446, 0.1, 45), (446, 0.2, 89), (5, 0.1, 1), (4, 0.1, 0), (10, 0.0, 0), (10, 1.0, 10)],
)
def test_each_row_has_exactly_the_share_flipped(width, share, flipped, binary_table):
    generator = np.random.default_rng(0)
    rows = binary_table(width).draw(50, generator)
    changed = noisy(binary_table(width), rows, share, generator)
    assert (changed != rows).sum(axis=1).tolist() == [flipped] * 50
    assert set(np.unique(changed)) <= {0.0, 1.0}


def test_columns_are_chosen_by_chance(binary_table):
    rows = np.zeros((20_000, 10))
    changed = noisy(binary_table(10), rows, 0.2, np.random.default_rng(0))
    np.testing.assert_allclose(changed.mean(axis=0), 0.2, atol=0.012)
    assert rows.sum() == 0


def test_values_of_other_kinds_are_redrawn(mixed):
    generator = np.random.default_rng(0)
    rows = mixed.draw(20_000, generator)
    changed = noisy(mixed, rows, 0.5, generator)
    assert np.array_equal(mixed.checked(changed), changed)
    # Half of the columns are chosen; the new value is another one with probability 1, 2/3, 1 and
    # 39/40.
    expected = 0.5 * np.array([1, 2 / 3, 1, 39 / 40])
    np.testing.assert_allclose((changed != rows).mean(axis=0), expected, atol=0.015)


def test_the_papers_shares():
    assert NOISE_SHARES == (0.1, 0.2)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_wrong_share(share, binary_table):
    with pytest.raises(InputError, match=r"must be in \[0, 1\], found"):
        noisy(binary_table(2), np.zeros((1, 2)), share, np.random.default_rng(0))
