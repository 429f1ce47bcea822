"""Numbers as sentences have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr

_FEWEST_DECIMALS = 2
_MOST_DECIMALS = 6


def in_percent(metric: Metric) -> bool:
    """Whether sentences write the metric in percent."""
    return isinstance(metric, TprAtFpr | Precision)


def limit_text(metric: Metric, limit: float) -> str:
    """A limit as it was written."""
    return f"{100 * limit:g}%" if in_percent(metric) else f"{limit:g}"


def rise_text(metric: Metric, rise: float) -> str:
    """A limit on a rise as it was written."""
    if not in_percent(metric):
        return f"{rise:g}"
    points = f"{100 * rise:g}"
    return f"{points} percentage point{'' if points == '1' else 's'}"


def value_texts(metric: Metric, values: Sequence[float], limit: float) -> list[str]:
    """Values with decimals enough to stand on their side of a limit.

    Args:
      metric: What they are values of.
      values: Estimate and bounds, for instance.
      limit: What they are held against.
    """
    unit = "%" if in_percent(metric) else ""
    return [text + unit for text in _plain_texts(metric, values, limit)]


def bound_text(bound: float, limit: float) -> str:
    """A lower bound, cut off rather than rounded, with decimals enough to stand on its side."""
    for decimals in range(_FEWEST_DECIMALS, _MOST_DECIMALS):
        # 0.29 * 100 is 28.999999999999996; rounding first keeps what is whole.
        cut = math.floor(round(bound * 10**decimals, 6)) / 10**decimals
        if _same_side(cut, bound, limit):
            break
    return f"{cut:.{decimals}f}"


def difference_texts(metric: Metric, values: Sequence[float], limit: float) -> list[str]:
    """As `value_texts`, without a unit: percentage points, where it is in percent."""
    return _plain_texts(metric, values, limit)


def rows_text(members: int, nonmembers: int) -> str:
    """A number of records on each side."""
    return f"{members:,} training and {nonmembers:,} other records"


def round_up(records: int) -> int:
    """Two leading digits are all that a number of records needed is worth."""
    unit = int(10 ** max(0, len(str(records)) - 2))
    return -(-records // unit) * unit


def _plain_texts(metric: Metric, values: Sequence[float], limit: float) -> list[str]:
    scale = 100.0 if in_percent(metric) else 1.0
    scaled = [scale * value for value in values]
    fewest = _FEWEST_DECIMALS - 1 if in_percent(metric) else _FEWEST_DECIMALS
    for decimals in range(fewest, _MOST_DECIMALS):
        shown = [f"{value:.{decimals}f}" for value in scaled]
        if all(_same_side(float(s), v, scale * limit) for s, v in zip(shown, scaled, strict=True)):
            break
    return ["infinity" if math.isinf(v) else s for s, v in zip(shown, scaled, strict=True)]


def _same_side(shown: float, value: float, limit: float) -> bool:
    return (shown > limit) == (value > limit) and (shown < limit) == (value < limit)
