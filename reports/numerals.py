"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

_UNKNOWN = "not known"
_MOST_DECIMALS = 6


def count_text(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def about_text(number: int) -> str:
    """A number that was reckoned, rounded up to two digits: 11,873 is "about 12,000"."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return f"about {count_text(-(-number // unit) * unit)}"


def share_text(share: float) -> str:
    """A share that was configured, as short as it is exact: 0.01 is "1%"."""
    return f"{100 * share:.10g}%"


def percent_text(share: float, decimals: int) -> str:
    """A share that was measured: "12.3%"."""
    return f"{_fixed(100 * share, decimals)}%" if math.isfinite(share) else _UNKNOWN


def number_text(number: float, decimals: int) -> str:
    """A number that was measured: "0.762"."""
    return _fixed(number, decimals) if math.isfinite(number) else _UNKNOWN


def number_below(number: float, decimals: int) -> str:
    """A number that was measured, cut off: what is at least 0.418 is at least "0.41"."""
    if not math.isfinite(number):
        return _UNKNOWN
    # 0.29 * 100 is 28.999999999999996; rounding first keeps what is whole.
    return _fixed(math.floor(round(number * 10**decimals, 6)) / 10**decimals, decimals)


def score_text(score: float) -> str:
    """A score of an attack, to three digits."""
    return f"{score:.3g}" if math.isfinite(score) else _UNKNOWN


def seconds_text(seconds: float) -> str:
    """A duration: "0.4 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def decimals_for(
    bounds: Sequence[float], references: Sequence[float], fewest: int, most: int
) -> int:
    """How many decimals an interval deserves.

    Two digits of its width, within [fewest, most]; and more where rounding would
    hide on which side of a reference (chance, a limit) a bound lies.

    Args:
      bounds: The numbers to be shown, in the unit they are shown in.
      references: What they are compared with, in the same unit.
      fewest: At least so many.
      most: At most so many, rounding at a reference apart.
    """
    finite = [bound for bound in bounds if math.isfinite(bound)]
    if not finite:
        return fewest
    width = max(finite) - min(finite)
    wanted = 1 + math.ceil(-math.log10(width)) if width > 0 else fewest
    decimals = min(max(wanted, fewest), most)
    while decimals < _MOST_DECIMALS and any(
        bound != reference and round(bound, decimals) == round(reference, decimals)
        for bound in finite
        for reference in references
    ):
        decimals += 1
    return decimals


def _fixed(number: float, decimals: int) -> str:
    text = f"{number:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text
