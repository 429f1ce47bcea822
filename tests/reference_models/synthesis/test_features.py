"""Expected values follow from the definitions; frequencies are those of seeded draws."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.features import (
    Binary,
    BoundedReal,
    Categorical,
    Feature,
    FeatureTable,
)
from tfx_privacy.signals.errors import InputError


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_columns_are_named_by_feature_and_position():
    table = FeatureTable((Feature("a", Binary()), Feature("grid", Binary(), (2, 2))))
    assert table.columns == ("a", "grid[0, 0]", "grid[0, 1]", "grid[1, 0]", "grid[1, 1]")
    assert table.width == 5
    assert len(table.kinds) == 5


def test_draws_are_uniform_over_the_domain(mixed, generator):
    rows = mixed.draw(40_000, generator)
    # A binomial share of 40,000 has a standard error of at most .0025.
    np.testing.assert_allclose(np.bincount(rows[:, 0].astype(int)) / 40_000, 1 / 2, atol=0.01)
    np.testing.assert_allclose(np.bincount(rows[:, 1].astype(int)) / 40_000, 1 / 3, atol=0.01)
    np.testing.assert_allclose(np.bincount(rows[:, 3].astype(int)) / 40_000, 1 / 40, atol=0.004)
    assert rows[:, 2].min() >= -1
    assert rows[:, 2].max() <= 3
    # Uniform on [-1, 3]: mean 1, standard deviation 4 / sqrt(12).
    assert rows[:, 2].mean() == pytest.approx(1.0, abs=0.03)
    assert rows[:, 2].std() == pytest.approx(4 / np.sqrt(12), abs=0.03)


def test_redraw_changes_the_chosen_values_only(mixed, generator):
    rows = mixed.draw(20_000, generator)
    chosen = generator.random(rows.shape) < 0.5
    redrawn = mixed.redraw(rows, chosen, generator)
    assert np.array_equal(redrawn[~chosen], rows[~chosen])
    stayed = [np.mean(redrawn[c, j] == rows[c, j]) for j, c in enumerate(chosen.T)]
    # The new value is the old one with probability 1 / values: 2, 3, infinitely many, 40.
    np.testing.assert_allclose(stayed, [1 / 2, 1 / 3, 0, 1 / 40], atol=0.02)


def test_perturb_flips_binary_values_and_redraws_others(mixed, generator):
    rows = mixed.draw(20_000, generator)
    chosen = generator.random(rows.shape) < 0.5
    perturbed = mixed.perturb(rows, chosen, generator)
    assert np.array_equal(perturbed[~chosen], rows[~chosen])
    stayed = [np.mean(perturbed[c, j] == rows[c, j]) for j, c in enumerate(chosen.T)]
    np.testing.assert_allclose(stayed, [0, 1 / 3, 0, 1 / 40], atol=0.02)


def test_codes_of_values_and_back(mixed):
    columns = {
        "age": np.array([18, 57, 20]),
        "member": np.array([b"yes", b"no", b"no"], dtype=object),
        "size": np.array([-1.0, 3.0, 0.25], dtype=np.float32),
        "colour": np.array(["blue", "red", "green"]),
        "unused": np.zeros(3),
    }
    rows = mixed.encode(columns)
    assert rows.tolist() == [[1, 2, -1, 0], [0, 0, 3, 39], [0, 1, 0.25, 2]]
    back = mixed.decode(rows)
    assert {name: column.tolist() for name, column in back.items()} == {
        "member": ["yes", "no", "no"],
        "colour": ["blue", "red", "green"],
        "size": [-1.0, 3.0, 0.25],
        "age": [18, 57, 20],
    }


def test_a_feature_with_a_shape_keeps_it():
    table = FeatureTable((Feature("a", Binary((3, 7))), Feature("grid", Binary(), (2, 2))))
    columns = {"a": np.array([[7.0], [3.0]]), "grid": np.arange(8).reshape(2, 2, 2) % 2}
    rows = table.encode(columns)
    assert rows.tolist() == [[1, 0, 1, 0, 1], [0, 0, 1, 0, 1]]
    assert table.decode(rows)["a"].tolist() == [7, 3]
    assert np.array_equal(table.decode(rows)["grid"], columns["grid"])


def test_a_long_range_costs_nothing(generator):
    values = range(-(2**52), 2**52)
    table = FeatureTable((Feature("id", Categorical(values)),))
    rows = table.draw(1_000, generator)
    assert np.array_equal(table.encode(table.decode(rows)), rows)
    assert table.encode({"id": np.array([2**52 - 1])})[0, 0] == 2**53 - 1


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": np.array([0])}, r"features \['b'\] are missing; found \['a'\]"),
        ({"a": np.array([0, 2]), "b": np.zeros(2)}, "feature 'a' has the value 2, which is not"),
        ({"a": np.array([0]), "b": np.array([1.5])}, "feature 'b' has the value 1.5 in row 0"),
        ({"a": np.array([0]), "b": np.array([np.nan])}, "feature 'b' has the value nan"),
        ({"a": np.array([0]), "b": np.zeros((1, 2))}, r"'b' has shape \(1, 2\), expected \(n, 1\)"),
        ({"a": np.array([0]), "b": np.zeros(2)}, "different numbers of rows: {'a': 1, 'b': 2}"),
    ],
)
def test_values_outside_the_domain_are_named(columns, message):
    table = FeatureTable((Feature("a", Binary()), Feature("b", BoundedReal(0, 1))))
    with pytest.raises(InputError, match=message):
        table.encode(columns)


@pytest.mark.parametrize("value", [3.0, -1.0, 0.5])
def test_codes_outside_the_domain_are_named(value):
    table = FeatureTable((Feature("a", Categorical(range(3)), (2,)),))
    with pytest.raises(InputError, match=rf"'a\[1\]' has the value {value} in row 1, .* 0 to 2"):
        table.checked(np.array([[0, 1], [2, value]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Binary((1, 1)), "more than once"),
        (lambda: Binary((1, 2, 3)), "has two values"),
        (lambda: Categorical(()), "at least one value"),
        (lambda: Categorical(("a", "a")), "more than once"),
        (lambda: Categorical(range(2**53 + 1)), "at most 2\\*\\*53 values"),
        (lambda: BoundedReal(1, 0), "found low 1, high 0"),
        (lambda: BoundedReal(0, np.inf), "finite low <= high"),
        (lambda: BoundedReal(-1.7e308, 1.7e308), "too wide"),
        (lambda: FeatureTable(()), "at least one feature"),
        (lambda: FeatureTable((Feature("a", Binary()),) * 2), r"\['a'\] come more than once"),
    ],
)
def test_wrong_domains(make, message):
    with pytest.raises(InputError, match=message):
        make()
