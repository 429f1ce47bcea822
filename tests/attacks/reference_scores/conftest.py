"""Reference models made up for the tests, and records that differ in difficulty."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest


@dataclasses.dataclass(frozen=True)
class World:
    """phi under a target and 16 reference models in complementary pairs.

    Out of a model, phi is N(difficulty, 1); in it, it is higher by 1. So knowing a
    record's difficulty, the best AUC is that of N(1, 1) against N(0, 1), .760; without
    it, with difficulties N(0, 3^2), that of N(1, 10) against N(0, 10), .588.
    """

    member: np.ndarray
    phi: np.ndarray
    references: np.ndarray
    inside: np.ndarray
    population_phi: np.ndarray
    population_references: np.ndarray
    population_inside: np.ndarray


def in_pairs(generator, n, k):
    first = generator.random((n, k // 2)) < 0.5
    return np.stack([first, ~first], axis=2).reshape(n, k)


@pytest.fixture(scope="session")
def world() -> World:
    generator = np.random.default_rng(11)
    n, m, k = 4000, 2000, 16
    difficulty = generator.normal(0, 3, n + m)
    member = (np.arange(n + m) % 2 == 0) & (np.arange(n + m) < n)
    inside = in_pairs(generator, n + m, k)
    phi = difficulty + member + generator.normal(0, 1, n + m)
    references = difficulty[:, None] + inside + generator.normal(0, 1, (n + m, k))
    return World(
        member=member[:n],
        phi=phi[:n],
        references=references[:n],
        inside=inside[:n],
        population_phi=phi[n:],
        population_references=references[n:],
        population_inside=inside[n:],
    )
