"""An estimate between its bounds."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate and an interval around it; lower <= estimate <= upper."""

    estimate: float
    lower: float
    upper: float
