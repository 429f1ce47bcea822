"""Noisy real data: records that the attacker knows with errors.

Shokri et al. 2017, section V.C: 10% or 20% of the features of each record are wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.reference_models.synthesis.choice import choose
from tfx_privacy.reference_models.synthesis.features import FeatureTable
from tfx_privacy.signals.errors import InputError

# The paper's.
NOISE_SHARES = (0.1, 0.2)


def noisy(
    features: FeatureTable,
    rows: NDArray[np.generic],
    share: float,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Copies of records, in each of which a share of the values is changed.

    Args:
      features: The domain.
      rows: [n, width].
      share: Of the columns, 0 to 1; the number of them is rounded, halves up, and the same in
        each row. Binary values are flipped, others drawn anew from their domain, where one may
        come out as it was.
      generator: The source of chance.

    Raises:
      InputError: If the share is not in [0, 1], or a value is outside its domain.
    """
    values = features.checked(rows)
    return features.perturb(values, _chosen(values, share, generator), generator)


def redrawn(
    features: FeatureTable,
    rows: NDArray[np.generic],
    share: float,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Copies of records, in each of which a share of the values is drawn anew from its domain.

    As `noisy`, but binary values are not flipped either: half of those chosen stay as they were.
    """
    values = features.checked(rows)
    return features.redraw(values, _chosen(values, share, generator), generator)


def _chosen(
    values: NDArray[np.float64], share: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    if not 0 <= share <= 1:
        raise InputError(f"the share of noise must be in [0, 1], found {share}")
    rows, width = values.shape
    count = int(np.floor(share * width + 0.5))
    return choose(np.full(rows, count), width, generator)
