"""Findings in sentences, for a reader without statistics."""

from __future__ import annotations

from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.registry import metric_title
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.verdict.records_to_decide import MOST_TIMES, NOT_DECIDABLE

_FEWEST_DECIMALS = 2
_MOST_DECIMALS = 6


def blocking(
    metric: Metric, limit: float, attack: str, interval: Interval, members: int, nonmembers: int
) -> str:
    """Why a threshold blocks."""
    return (
        f"BLOCK: an attacker using '{attack}' {_reaches(metric, interval, limit)} on "
        f"{_rows(members, nonmembers)}; the limit is {_limit(metric, limit)}."
    )


def passing(
    metric: Metric, limit: float, attack: str, interval: Interval, members: int, nonmembers: int
) -> str:
    """That the attacks that ran do not exceed a limit; not that the model is safe."""
    return (
        f"PASS: the attacks that ran do not exceed the limit of {_limit(metric, limit)} on "
        f"{metric_title(metric)}: the one that comes closest, '{attack}', "
        f"{_reaches(metric, interval, limit)} on {_rows(members, nonmembers)}."
    )


def too_wide(
    metric: Metric,
    limit: float,
    attack: str,
    interval: Interval,
    members: int,
    nonmembers: int,
    records: int,
    needed: int,
) -> str:
    """Why a threshold is undecided for want of records, and how many would settle it."""
    if interval.lower > limit:
        where = "is below this range, but with so many comparisons one such may be chance"
    else:
        where = "lies within this range"
    return (
        f"CANNOT TELL: an attacker using '{attack}' {_reaches(metric, interval, limit)} on "
        f"{_rows(members, nonmembers)}; the limit of {_limit(metric, limit)} {where}. "
        + _what_would_settle(records, needed)
    )


def not_measured(metric: Metric, why: str) -> str:
    """Why there is nothing to judge a threshold by."""
    return f"CANNOT TELL: {metric_title(metric)} was not measured: {why}."


def not_counted(sentence: str) -> str:
    """A finding that decides nothing: a threshold that can only block and did not."""
    return f"{sentence} (This threshold can only block; nothing follows from it.)"


def nothing_must_pass() -> str:
    """Why a gate whose thresholds can only block has nothing to show."""
    return (
        "CANNOT TELL: no threshold has the role MUST_PASS, so there is none that the model could "
        "be shown to keep; those there are can only block, and did not."
    )


def blessed_with_warning() -> str:
    """That the policy blesses what could not be decided."""
    return (
        "Blessed with a warning: nothing is wrong but that there are too few records to tell, "
        "and the policy is BLESSED_WITH_WARNING."
    )


def policy_does_not_apply() -> str:
    """That the policy does not bless: more records would settle nothing."""
    return (
        "Not blessed: the policy BLESSED_WITH_WARNING holds only where there are MUST_PASS "
        "thresholds, and nothing is wrong but that there are too few records to tell."
    )


def quality_refused() -> str:
    """That the Evaluator did not bless, whatever privacy says."""
    return "Not blessed: the Evaluator did not bless the model's quality."


def skipped(attack: str, reason: str) -> str:
    """That an attack did not run."""
    return f"Not judged: the attack '{attack}' did not run; it {reason.rstrip('.')}."


def duplicates_not_checked() -> str:
    """That the records have no identity."""
    return (
        "Duplicates were not checked: the records have no ids, and a record that is on both sides "
        "makes every number here wrong."
    )


def _what_would_settle(records: int, needed: int) -> str:
    if needed == NOT_DECIDABLE:
        return (
            f"Not decidable near this estimate: not even {MOST_TIMES} times the {records:,} "
            "records of the splits would settle it."
        )
    return (
        f"Some {_round_up(needed):,} records in the splits in place of {records:,} would settle "
        "it, if the estimate is right."
    )


def _reaches(metric: Metric, interval: Interval, limit: float) -> str:
    estimate, lower, upper = _numbers(metric, interval, limit)
    between = f"(95% between {lower} and {upper})"
    if isinstance(metric, TprAtFpr):
        alarms = f"{100 * metric.fpr:g}%"
        return f"recognises {estimate} of training records at {alarms} false alarms {between}"
    if isinstance(metric, Precision):
        prior = f"{100 * metric.prior:g}%"
        return (
            f"is right about {estimate} of the records that it calls training records, where "
            f"{prior} of all are {between},"
        )
    article = "an " if metric_title(metric) == "advantage" else ""
    of = "of " if article else ""
    return f"reaches {article}{metric_title(metric)} {of}{estimate} {between}"


def _rows(members: int, nonmembers: int) -> str:
    return f"{members:,} training and {nonmembers:,} other records"


def _limit(metric: Metric, limit: float) -> str:
    return f"{100 * limit:g}%" if _in_percent(metric) else f"{limit:g}"


def _numbers(metric: Metric, interval: Interval, limit: float) -> tuple[str, str, str]:
    """Estimate and bounds, with decimals enough to stand on their side of the limit."""
    scale, unit = (100.0, "%") if _in_percent(metric) else (1.0, "")
    values = [scale * value for value in (interval.estimate, interval.lower, interval.upper)]
    fewest = _FEWEST_DECIMALS - 1 if unit else _FEWEST_DECIMALS
    for decimals in range(fewest, _MOST_DECIMALS):
        shown = [f"{value:.{decimals}f}" for value in values]
        if all(_same_side(float(s), v, scale * limit) for s, v in zip(shown, values, strict=True)):
            break
    estimate, lower, upper = (text + unit for text in shown)
    return estimate, lower, upper


def _same_side(shown: float, value: float, limit: float) -> bool:
    return (shown > limit) == (value > limit) and (shown < limit) == (value < limit)


def _in_percent(metric: Metric) -> bool:
    return isinstance(metric, TprAtFpr | Precision)


def _round_up(records: int) -> int:
    """Two leading digits are all that such a number is worth."""
    unit = int(10 ** max(0, len(str(records)) - 2))
    return -(-records // unit) * unit
