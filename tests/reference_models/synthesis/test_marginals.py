"""Expected shares are those of the data; draws are seeded simulations."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.features import BoundedReal, Feature, FeatureTable
from tfx_privacy.reference_models.synthesis.marginals import (
    RangeMarginal,
    marginals,
    marginals_per_class,
)
from tfx_privacy.signals.errors import InputError

DRAWS = 40_000


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_draws_have_the_datas_marginals_and_are_independent(mixed, generator):
    # The first two columns determine each other in the data.
    rows = np.array([[0, 0, 0.0, 0], [0, 0, 0.0, 0], [0, 0, 0.0, 5], [1, 2, 1.0, 5]])
    drawn = marginals(mixed, rows).draw(DRAWS, generator)
    assert np.mean(drawn[:, 0] == 1) == pytest.approx(1 / 4, abs=0.01)
    assert np.mean(drawn[:, 1] == 2) == pytest.approx(1 / 4, abs=0.01)
    assert set(np.unique(drawn[:, 1])) == {0, 2}
    assert np.mean(drawn[:, 3] == 5) == pytest.approx(1 / 2, abs=0.012)
    assert np.mean((drawn[:, 0] == 1) & (drawn[:, 1] == 2)) == pytest.approx(1 / 16, abs=0.006)


def test_a_real_column_keeps_its_distribution_and_its_atoms(generator):
    table = FeatureTable((Feature("x", BoundedReal(-5.0, 5.0)),))
    normal = generator.normal(size=7_000).clip(0.5, 5)
    values = np.concatenate([np.zeros(3_000), normal])[:, None]
    drawn = marginals(table, values).draw(DRAWS, generator)
    # 30% are exactly 0, and what is clipped exactly .5; no quantile in between is lost.
    assert np.mean(drawn == 0) == pytest.approx(0.3, abs=0.02)
    assert np.mean(drawn == 0.5) == pytest.approx(np.mean(values == 0.5), abs=0.02)
    levels = np.array([0.1, 0.2, 0.4, 0.6, 0.8, 0.85, 0.9, 0.95])
    np.testing.assert_allclose(np.quantile(drawn, levels), np.quantile(values, levels), atol=0.05)
    assert drawn.min() >= values.min()
    assert drawn.max() <= values.max()


def test_per_class_they_are_those_of_the_class(binary_table, generator):
    rows = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 1], [0, 1]])
    labels = np.array([3, 3, 7, 7, 7, 7])
    known = marginals_per_class(binary_table(2), rows, labels)
    classes = generator.permutation(np.repeat([3, 7], DRAWS // 2))
    drawn = known.draw(classes, generator)
    assert (drawn[:, 0] == (classes == 3)).all()
    assert drawn[classes == 3, 1].mean() == pytest.approx(1 / 2, abs=0.015)
    assert drawn[classes == 7, 1].mean() == pytest.approx(3 / 4, abs=0.015)


def test_bins_of_codes(generator):
    # Codes 0 to 3 share .8, code 9 has .2.
    column = RangeMarginal(np.array([0.0, 9.0]), np.array([3.0, 9.0]), np.array([0.8, 0.2]))
    shares = np.bincount(column.draw(DRAWS, generator).astype(int), minlength=10) / DRAWS
    np.testing.assert_allclose(shares, [0.2] * 4 + [0] * 5 + [0.2], atol=0.01)


def test_wrong_input(binary_table, generator):
    table = binary_table(2)
    with pytest.raises(InputError, match="no rows to take marginals of"):
        marginals(table, np.zeros((0, 2)))
    with pytest.raises(InputError, match=r"rows of shape \(3, 4\) found, expected \(n, 2\)"):
        marginals(table, np.zeros((3, 4)))
    with pytest.raises(InputError, match="2 rows need as many labels"):
        marginals_per_class(table, np.zeros((2, 2)), np.zeros(3, int))
    with pytest.raises(InputError, match="no rows"):
        marginals_per_class(table, np.zeros((0, 2)), np.zeros(0, int))
    known = marginals_per_class(table, np.zeros((2, 2)), np.array([0, 4]))
    with pytest.raises(InputError, match=r"no marginals of classes \[2\].*those of \[0, 4\]"):
        known.draw(np.array([0, 2]), generator)
    with pytest.raises(InputError, match="no class to draw"):
        known.draw(np.zeros(0, int), generator)
