"""Which reference model is trained on which record: by hashes, so nothing is stored.

Reference models come in complementary pairs: model 2j is trained on a record where a
hash of (seed, the record's key, j) is below 1/2, model 2j + 1 on all others. So every
record is in exactly half of the models, whatever their number, as LiRA's authors
have it (Carlini et al., "Membership Inference Attacks From First Principles", S&P
2022), and a pair that is added later leaves the earlier ones as
they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.identity import Ids, hash_fractions


def inside(keys: Ids, seed: int, k: int) -> NDArray[np.bool_]:
    """Whether each reference model is trained on each record.

    Args:
      keys: [n, 2] uint64: units where there are units, so that all rows of one are
        together; ids otherwise.
      seed: Of the whole measurement.
      k: The number of reference models, even and at least 2.

    Returns:
      [n, k] bool. For k models the first columns are those for fewer models.

    Raises:
      InputError: If k is odd or less than 2.
    """
    check_count(k)
    return np.concatenate([inside_pair(keys, seed, pair) for pair in range(k // 2)], axis=1)


def inside_pair(keys: Ids, seed: int, pair: int) -> NDArray[np.bool_]:
    """Two columns of `inside`, [n, 2]: those of models 2 * pair and 2 * pair + 1."""
    first = hash_fractions(keys, seed, f"reference pair {pair}") < 0.5
    both: NDArray[np.bool_] = np.stack([first, ~first], axis=1)
    return both


def check_count(k: int) -> None:
    """Raises an InputError unless k models are complementary pairs, one at least."""
    if k < 2 or k % 2:
        raise InputError(
            f"found {k} as the number of reference models; expected an even number, 2 at least: "
            "they are trained in pairs, one on each half of the records"
        )
