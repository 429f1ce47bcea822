"""How surely something is above its limit."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import optimize

# Below this a p-value is not told apart from this; no family is so large.
SMALLEST = 1e-12
_LARGEST_ALPHA = 0.4999
# Of the logarithm of alpha.
_PRECISION = 2e-6


def p_value_above(lower_bound: Callable[[float], float], limit: float) -> float:
    """The smallest one-sided level at which a lower bound exceeds the limit.

    That is the p-value of "it is at most the limit", by inverting the interval: the
    root, by Brent's method, of bound - limit as a function of the logarithm of alpha,
    rounded up by a relative 6e-6 at most.

    Args:
      lower_bound: The lower bound at a one-sided error in (0, 0.5); does not fall as
        the error grows, and may rise in steps.
      limit: The largest value allowed.

    Returns:
      The level, rounded up, in [SMALLEST, 0.5); 1.0 where no level does.
    """
    if not lower_bound(_LARGEST_ALPHA) > limit:
        return 1.0
    if lower_bound(SMALLEST) > limit:
        return SMALLEST
    root = optimize.brentq(
        # A step may lie on the limit, which does not exceed it: not a root, but below one.
        lambda level: (lower_bound(math.exp(level)) - limit) or -math.ulp(limit),
        math.log(SMALLEST),
        math.log(_LARGEST_ALPHA),
        xtol=_PRECISION,
    )
    return min(math.exp(float(root) + 2.0 * _PRECISION), _LARGEST_ALPHA)
