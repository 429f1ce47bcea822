"""Which claims of a family hold together, and what one claim needs at worst."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tfx_privacy.verdict.claim import Claim, ClaimName
from tfx_privacy.verdict.holm import holm_rejected

# A false BLOCK happens in at most 5% of verdicts: half of that is for claims about
# the whole (metrics and attacks, changes among them), half for claims about slices.
WHOLE_FAMILY_LEVEL = 0.025
SLICE_FAMILY_LEVEL = 0.025


@dataclasses.dataclass(frozen=True)
class Family:
    """Claims that share one error.

    Attributes:
      blocking: Those whose limit is exceeded, by Holm.
      alpha: The level that a single claim needs at worst.
      level: The level that a single claim needs at best.
    """

    blocking: frozenset[ClaimName]
    alpha: float
    level: float


def family_of(claims: Iterable[Claim], level: float) -> Family:
    """Corrects the p-values of claims that share an error of `level`."""
    p_values = {claim.name: claim.p_value for claim in claims}
    blocking = holm_rejected(p_values, level)
    return Family(blocking, level / max(1, len(p_values)), level)
