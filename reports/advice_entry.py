"""One thing to do next."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Advice:
    """One thing to do, and why."""

    title: str
    text: str
