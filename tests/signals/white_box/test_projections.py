"""What a sketch keeps of a gradient, on average and how widely around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.white_box.projections import (
    SketchProjection,
    SketchSize,
    activation_projection,
)

SIZE = SketchSize(16, 16)
SEEDS = 1_500


def squared_sketches(gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """|P^T G Q|^2 over seeds, relative to |G|^2."""
    rows, columns = gradient.shape
    found = []
    for seed in range(SEEDS):
        projection = SketchProjection(seed, 0, 0, SIZE)
        sketch = projection.left(rows).T @ gradient @ projection.right(columns)
        found.append((sketch**2).sum())
    return np.array(found) / (gradient**2).sum()


def test_squared_length_is_kept_in_expectation_with_the_spread_that_is_documented() -> None:
    rng = np.random.default_rng(0)
    found = squared_sketches(np.outer(rng.normal(size=30), rng.normal(size=20)))
    spread = np.sqrt((1 + 2 / 16) ** 2 - 1)
    assert abs(found.mean() - 1) < 4 * spread / np.sqrt(SEEDS)
    # The standard error of a spread with these heavy tails is some 4% at 1,500.
    np.testing.assert_allclose(found.std(), spread, rtol=0.15)


def test_gradients_of_many_positions_spread_less_by_the_formula() -> None:
    # As a convolution's: rows of a kernel 3 x 3 x 3 after a rectifier, 200 positions. The formula
    # is derived from the fourth moments of normal numbers.
    rng = np.random.default_rng(1)
    gradient = np.maximum(rng.normal(size=(200, 27)), 0).T @ rng.normal(size=(200, 32))
    squares = np.linalg.svd(gradient, compute_uv=False) ** 2
    rho = (squares**2).sum() / squares.sum() ** 2
    spread = np.sqrt(2 / 256 + rho * (2 / 16 + 2 / 16 + 2 / 256))
    assert 0.15 < spread < 0.3
    found = squared_sketches(gradient)
    assert abs(found.mean() - 1) < 4 * spread / np.sqrt(SEEDS)
    np.testing.assert_allclose(found.std(), spread, rtol=0.12)


def test_vectors_spread_by_the_size_of_the_sketch() -> None:
    vector = np.random.default_rng(2).normal(size=40)
    found = (
        np.array(
            [
                ((vector @ SketchProjection(seed, 1, 0, SIZE).of_vector(40)) ** 2).sum()
                for seed in range(SEEDS)
            ]
        )
        / (vector**2).sum()
    )
    spread = np.sqrt(2 / 256)
    assert abs(found.mean() - 1) < 4 * spread / np.sqrt(SEEDS)
    np.testing.assert_allclose(found.std(), spread, rtol=0.1)


def test_sketches_of_two_weights_add_up_to_one_of_both() -> None:
    # Cross terms have expectation zero only if the weights' projections are independent.
    rng = np.random.default_rng(3)
    kernel, bias = rng.normal(size=(30, 20)), 5 * rng.normal(size=20)
    found = []
    for seed in range(SEEDS):
        first, second = SketchProjection(seed, 0, 0, SIZE), SketchProjection(seed, 0, 1, SIZE)
        sketch = (first.left(30).T @ kernel @ first.right(20)).ravel()
        found.append(((sketch + bias @ second.of_vector(20)) ** 2).sum())
    relative = np.array(found) / ((kernel**2).sum() + (bias**2).sum())
    assert abs(relative.mean() - 1) < 4 * relative.std() / np.sqrt(SEEDS)


def test_projections_are_of_seed_position_and_shape_alone() -> None:
    projection = SketchProjection(1, 2, 3, SIZE)
    np.testing.assert_array_equal(projection.left(9), SketchProjection(1, 2, 3, SIZE).left(9))
    others = [
        SketchProjection(0, 2, 3, SIZE).left(9),
        SketchProjection(1, 0, 3, SIZE).left(9),
        SketchProjection(1, 2, 0, SIZE).left(9),
        projection.right(9),
        projection.left(10)[:9],
    ]
    for other in others:
        assert not np.allclose(projection.left(9), other)


def test_activations_keep_their_squared_length_in_expectation() -> None:
    values = np.random.default_rng(4).normal(size=50)
    found = (
        np.array(
            [
                ((values @ activation_projection(seed, 0, 50, 32)) ** 2).sum()
                for seed in range(SEEDS)
            ]
        )
        / (values**2).sum()
    )
    assert abs(found.mean() - 1) < 4 * np.sqrt(2 / 32) / np.sqrt(SEEDS)
