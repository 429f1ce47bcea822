"""Checks of numbers that come from a model or a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError


def require_finite(values: NDArray[np.floating[Any]], what: str, where: str) -> None:
    """Sees to it that there is no NaN and no infinity.

    Args:
      values: [n] or [n, w].
      what: What the numbers are, for the error: "logits".
      where: Where the rows come from, for the error: "split 'train'".

    Raises:
      InputError: If there is one, with the number of rows that have one.
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    bad = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
    raise InputError(
        f"{where}: {what} are not finite in {len(bad)} of {len(values)} rows read together, "
        f"{values[bad[0]].tolist()} in the first of them: expected neither NaN nor infinity"
    )


def require_no_negative(values: NDArray[np.floating[Any]], what: str, where: str) -> None:
    """Sees to it that no number is below 0.

    Args:
      values: [n], finite.
      what: What the numbers are, for the error: "example weights 'weight'".
      where: Where the rows come from, for the error: "split 'train'".

    Raises:
      InputError: If there is one, with the number of rows that have one.
    """
    bad = np.flatnonzero(values < 0)
    if len(bad):
        raise InputError(
            f"{where}: {what} are negative in {len(bad)} of {len(values)} rows read together, "
            f"{values[bad[0]]} in the first of them: expected 0 or more"
        )
