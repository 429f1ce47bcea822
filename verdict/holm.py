"""Which of several claims hold together (Holm 1979)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

Claim = TypeVar("Claim", bound=Hashable)


def holm_rejected(p_values: Mapping[Claim, float], level: float) -> frozenset[Claim]:
    """The hypotheses rejected by Holm's step-down procedure.

    The smallest p-value is held against level / k, the next against level / (k - 1),
    and so on up to the first that is larger; the probability that any true hypothesis
    is rejected is at most `level`, however the p-values depend on each other (Holm
    1979, Scandinavian Journal of Statistics 6, section 3).

    Args:
      p_values: By hypothesis.
      level: The family's error, in (0, 1).
    """
    rejected = set()
    ordered = sorted(p_values, key=p_values.__getitem__)
    for position, claim in enumerate(ordered):
        if p_values[claim] > level / (len(ordered) - position):
            break
        rejected.add(claim)
    return frozenset(rejected)
