"""Numbers that are not finite, or negative."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.signals.checks import require_finite, require_no_negative
from tfx_privacy.signals.errors import InputError


def test_finite_numbers_pass():
    require_finite(np.array([[0.0, -1e38]]), "logits", "here")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_others_are_counted_by_row(bad: float):
    values = np.array([[0.0, 1.0], [bad, bad], [2.0, bad]])

    with pytest.raises(InputError, match=r"^split 'eval': logits are not finite in 2 of 3 rows"):
        require_finite(values, "logits", "split 'eval'")


def test_negative_numbers_are_counted():
    require_no_negative(np.array([0.0, 1e38]), "weights", "here")
    with pytest.raises(
        InputError, match=r"^split 'eval': weights are negative in 2 of 3 rows .*-2"
    ):
        require_no_negative(np.array([1.0, -2.0, -3.0]), "weights", "split 'eval'")
