from __future__ import annotations

import pytest

from tfx_privacy.attacks.reference_scores.subsets import reference_subsets


def test_eight_models():
    found = [(subset.size, subset.models.tolist()) for subset in reference_subsets(8)]

    assert found == [
        (2, [0, 1]),
        (2, [2, 3]),
        (2, [4, 5]),
        (2, [6, 7]),
        (4, [0, 1, 2, 3]),
        (4, [4, 5, 6, 7]),
        (8, [0, 1, 2, 3, 4, 5, 6, 7]),
    ]


@pytest.mark.parametrize(
    ("k", "sizes"), [(2, [2]), (4, [2, 4]), (6, [2, 4, 6]), (16, [2, 4, 8, 16])]
)
def test_sizes_end_with_all_models(k, sizes):
    subsets = list(reference_subsets(k))

    assert sorted({subset.size for subset in subsets}) == sizes
    for size in sizes:
        models = [model for each in subsets if each.size == size for model in each.models]
        # Whole pairs, from the first on, no model twice, as many as there can be.
        assert models == list(range(k // size * size))


@pytest.mark.parametrize("k", [0, 1, 7, -2])
def test_refuses_what_is_no_pairs(k):
    with pytest.raises(ValueError, match=f"found {k} reference models; expected complementary"):
        reference_subsets(k)
