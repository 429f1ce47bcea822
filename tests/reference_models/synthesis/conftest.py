"""Tables and data that several tests of synthesis use."""

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


@pytest.fixture(scope="session")
def binary_table():
    """Makes a table of so many binary features."""
    return lambda width: FeatureTable((Feature("bits", Binary(), (width,)),))


@pytest.fixture(scope="session")
def mixed():
    """A table of each kind: columns member, colour, size, age."""
    return FeatureTable(
        (
            Feature("member", Binary(("no", "yes"))),
            Feature("colour", Categorical(("red", "green", "blue"))),
            Feature("size", BoundedReal(-1.0, 3.0)),
            Feature("age", Categorical(range(18, 58))),
        )
    )


@pytest.fixture(scope="session")
def location30(data_dir):
    """Records [5010, 446] of zeros and ones, and their classes, 0 to 29, in random order."""
    stored = np.load(data_dir / "location30.npz")
    width = int(stored["x_shape"][1])
    rows = np.unpackbits(stored["x_packed"], axis=1)[:, :width].astype(np.float64)
    labels = stored["y"].astype(np.int64) - int(stored["y"].min())
    order = np.random.default_rng(0).permutation(len(rows))
    return rows[order], labels[order]
