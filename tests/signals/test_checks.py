"""Numbers that are not finite."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.signals.checks import require_finite
from tfx_privacy.signals.errors import InputError


def test_finite_numbers_pass():
    require_finite(np.array([[0.0, -1e38]]), "logits", "here")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_others_are_counted_by_row(bad: float):
    values = np.array([[0.0, 1.0], [bad, bad], [2.0, bad]])

    with pytest.raises(InputError, match=r"^split 'eval': logits are not finite in 2 of 3 rows"):
        require_finite(values, "logits", "split 'eval'")
