"""The transformed label of a batch, out of what the target's program returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError


def transformed_label(parts: Sequence[NDArray[Any]], rows: int, label_key: str) -> NDArray[Any]:
    """The labels of a batch as [rows, k].

    Args:
      parts: The values [rows, ...]; or all values in one row after the other, and how
        many each row has.
      rows: Rows of the batch.
      label_key: The label's name, for errors.

    Raises:
      InputError: If rows differ in their number of values, or have none.
    """
    values = parts[0]
    if len(parts) > 1:
        lengths = parts[1]
        if lengths.min() != lengths.max():
            raise InputError(
                f"the transformed label {label_key!r} has from {lengths.min()} to {lengths.max()} "
                "values an example: expected the same number in all"
            )
    if not values.size:
        raise InputError(f"the transformed label {label_key!r} has no value: expected at least one")
    return np.reshape(values, (rows, -1))
