from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.exact_linear import ExactLinear


@pytest.fixture
def layer():
    generator = np.random.default_rng(3)
    return ExactLinear.of(generator.normal(0, 0.4, (60, 16)), generator.normal(0, 1, 16), 8.0)


def test_is_the_product_it_says(layer):
    weight, bias = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([1.0, 0.0])

    found = ExactLinear.of(weight, bias, 4.0)(np.array([[1.0, 1.5], [-2.0, 0.0]]))

    # 1 * .5 + 1.5 * 2 + 1, -1 + 1.5 / 4; -1 + 1, 2.
    np.testing.assert_array_equal(found, [[4.5, -0.625], [0.0, 2.0]])


def test_rounds_to_a_fine_grid():
    generator = np.random.default_rng(4)
    weight, bias = generator.normal(0, 0.3, (80, 16)), generator.normal(0, 1, 16)
    x = generator.uniform(-8, 8, (500, 80))

    found = ExactLinear.of(weight, bias, 8.0)(x)

    np.testing.assert_allclose(found, x @ weight + bias, atol=2e-5)


def test_does_not_depend_on_the_order_of_summation(layer):
    x = np.random.default_rng(5).uniform(-8, 8, (200, 60))
    expected = layer(x)

    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        shuffled = ExactLinear(layer.weight[order], layer.bias, layer.input_limit, layer.grid_bits)
        np.testing.assert_array_equal(shuffled(x[:, order]), expected)


def test_a_row_does_not_depend_on_its_neighbours(layer):
    x = np.random.default_rng(6).uniform(-8, 8, (1000, 60))
    expected = layer(x)

    for rows in (slice(0, 1), slice(17, 24), slice(3, 998)):
        np.testing.assert_array_equal(layer(x[rows]), expected[rows])


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("limit", [0.1, 8.0, 1e5])
def test_no_sum_is_too_large_to_be_exact(scale, limit):
    weight = np.random.default_rng(7).normal(0, scale, (50, 3))
    layer = ExactLinear.of(weight, np.zeros(3), limit)

    # The worst input has every column at the limit, with the sign of the weight.
    grid_input = int(np.rint(np.ldexp(limit, layer.grid_bits)))
    worst = [sum(abs(int(w)) for w in column) * grid_input for column in layer.weight.T]
    assert max(worst) <= 2**53
    largest = layer(np.sign(weight[:, :1]).T * limit)[0, 0]
    assert 0 <= largest <= layer.output_limit


def test_cuts_off_larger_inputs(layer):
    x = np.random.default_rng(8).uniform(-100, 100, (20, 60))

    np.testing.assert_array_equal(layer(x), layer(np.clip(x, -8, 8)))


def test_a_layer_of_zeros_gives_its_bias():
    layer = ExactLinear.of(np.zeros((4, 2)), np.array([1.5, -2.0]), 8.0)

    np.testing.assert_array_equal(layer(np.ones((3, 4))), np.tile([1.5, -2.0], (3, 1)))
    assert layer.output_limit == 2.0
