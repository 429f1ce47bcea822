from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.biased_sample import biased_sample, unequal_shares
from tfx_privacy.signals.errors import InputError

LABELS = np.repeat([0, 1, 2], [500, 300, 200])


@pytest.mark.parametrize(
    ("shares", "size", "expected"),
    [
        ({0: 0.1, 1: 0.3, 2: 0.6}, 300, [30, 90, 180]),
        # Weights need not sum to 1, and a class without one is left out.
        ({1: 3.0, 2: 1.0}, 200, [0, 150, 50]),
        # Of 10 rows 3.33 each: the odd one goes to the first.
        ({0: 1, 1: 1, 2: 1}, 10, [4, 3, 3]),
        # 1.4, 2.8 and 2.8 of 7: the two larger remainders are rounded up.
        ({0: 1, 1: 2, 2: 2}, 7, [1, 3, 3]),
        ({0: 1, 1: 0}, 5, [5, 0, 0]),
        ({0: 1}, 0, [0, 0, 0]),
    ],
)
def test_classes_have_exactly_their_shares(shares, size, expected):
    rows = biased_sample(LABELS, shares, size, np.random.default_rng(0))
    assert np.bincount(LABELS[rows], minlength=3).tolist() == expected
    assert len(np.unique(rows)) == size


def test_rows_of_a_class_are_equally_likely_and_in_random_order():
    labels = np.array([0, 0, 0, 0, 1])
    counts = np.zeros(5)
    last_is_of_class_1 = 0
    for seed in range(3_000):
        rows = biased_sample(labels, {0: 2, 1: 1}, 3, np.random.default_rng(seed))
        counts[rows] += 1
        last_is_of_class_1 += labels[rows[-1]] == 1
    np.testing.assert_allclose(counts / 3_000, [0.5] * 4 + [1], atol=0.04)
    assert last_is_of_class_1 / 3_000 == pytest.approx(1 / 3, abs=0.04)


def test_unequal_shares_span_the_ratio():
    shares = unequal_shares(5, 16.0, np.random.default_rng(0))
    # 1, 2, 4, 8, 16 over 31, shuffled.
    np.testing.assert_allclose(sorted(shares.values()), np.array([1, 2, 4, 8, 16]) / 31)
    assert list(shares) == [0, 1, 2, 3, 4]
    assert list(shares.values()) != sorted(shares.values())


@pytest.mark.parametrize(
    ("shares", "size", "message"),
    [
        ({0: 0.1, 2: 0.9}, 300, "270 rows of class 2 are to be drawn, but only 200 of the 1000"),
        ({5: 1.0}, 1, "1 rows of class 5 are to be drawn, but only 0"),
        ({0: -1, 1: 2}, 1, "not negative"),
        ({0: 0.0}, 1, "not all 0"),
        ({}, 1, "not all 0"),
        ({0: np.nan}, 1, "finite"),
        ({0: 1}, -1, "at least 0"),
    ],
)
def test_wrong_input(shares, size, message):
    with pytest.raises(InputError, match=message):
        biased_sample(LABELS, shares, size, np.random.default_rng(0))


@pytest.mark.parametrize(("classes", "ratio"), [(0, 2.0), (3, 0.5), (3, np.inf), (3, np.nan)])
def test_wrong_ratio(classes, ratio):
    with pytest.raises(InputError, match="at least 1 class"):
        unequal_shares(classes, ratio, np.random.default_rng(0))
