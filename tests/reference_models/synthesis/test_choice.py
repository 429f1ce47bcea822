from __future__ import annotations

import numpy as np

from tfx_privacy.reference_models.synthesis.choice import choose


def test_each_row_has_as_many_as_asked():
    counts = np.array([0, 1, 7, 3, 7, 10])
    chosen = choose(counts, 10, np.random.default_rng(0))
    assert chosen.sum(axis=1).tolist() == counts.tolist()


def test_every_set_is_equally_likely():
    rows = 12_000
    chosen = choose(np.full(rows, 2), 4, np.random.default_rng(0))
    sets = chosen @ (2 ** np.arange(4))
    _, counts = np.unique(sets, return_counts=True)
    # Six pairs of four columns; the standard error of a share is .0034.
    assert len(counts) == 6
    np.testing.assert_allclose(counts / rows, 1 / 6, atol=0.014)
