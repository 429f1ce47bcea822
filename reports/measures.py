"""What a metric means in plain words, and how its values are written."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.numerals import (
    decimals_for,
    number_below,
    number_text,
    percent_text,
    share_text,
)

_DECIMALS_OF_EPSILON = 2
# Of smaller ones, tenths of a percent would be a single digit.
_SMALL_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class Measure:
    """One metric, as the reports speak of it.

    Attributes:
      title: What tables call it.
      explanation: What it is, in one line without a full stop.
      deed: What the attacker does, with {} for the value: "recognises {} of ...".
      chance: Its value where members and non-members cannot be told apart.
      in_percent: Whether tables write values as percentages. Sentences do so for
        every share, and every metric but epsilon is one.
      spoken_unit: What a percentage is called in a sentence.
      is_share: Whether it lies in [0, 1]; epsilon does not, and is bounded from below
        alone.
    """

    title: str
    explanation: str
    deed: str
    chance: float
    in_percent: bool
    spoken_unit: str = "%"
    is_share: bool = True

    def text(self, value: float) -> str:
        """A value that was configured, such as a limit."""
        return share_text(value) if self.in_percent else f"{value:.10g}"

    @property
    def title_inside(self) -> str:
        """The title within a sentence: "AUC", "advantage"."""
        return self.title if self.title[:2].isupper() else self.title[0].lower() + self.title[1:]

    @property
    def chance_text(self) -> str:
        """What `chance` is, as tables write it."""
        return self.text(self.chance)

    @property
    def spoken_chance(self) -> str:
        """What `chance` is, as sentences say it."""
        if not self.is_share:
            return self.chance_text
        return share_text(self.chance).replace("%", self.spoken_unit)


@dataclasses.dataclass(frozen=True)
class MeasuredText:
    """A measured value as text: "12.3%", "13.9%", "11.0% to 13.9%", "95%".

    A bound from below alone is ">= 0.41", without an interval and an upper bound.
    """

    estimate: str
    upper: str
    interval: str
    confidence: str

    @property
    def with_interval(self) -> str:
        """The estimate with its interval: "12.3% (11.0% to 13.9%)", or ">= 0.41"."""
        return f"{self.estimate} ({self.interval})" if self.interval else self.estimate


def measure_of(spec: config_pb2.MetricSpec) -> Measure:
    """The words for a metric.

    Raises:
      ValueError: If there is no such metric, or no words for it.
    """
    metric = metric_from_spec(spec)
    title = metric_title(metric)
    title = title[0].upper() + title[1:]
    if spec.name not in _WORDS:
        raise ValueError(f"no words for the metric {title}; expected {', '.join(_WORDS)}")
    return _WORDS[spec.name](title, metric.no_leak)


def spoken_text(measure: Measure, value: results_pb2.MeasuredValue) -> MeasuredText:
    """A value with its interval for a sentence: a share is always in percent."""
    if _is_bound(value):
        return _bound_text(value, [measure.chance])
    decimals = _decimals(value, [measure.chance], in_percent=True)

    def spoken(share: float) -> str:
        return percent_text(share, decimals).replace("%", measure.spoken_unit)

    text = _written(value, spoken)
    # "0.4 to 1.7 percentage points", but "0.4% to 1.7%".
    shorter = text.interval.replace(f"{measure.spoken_unit} to", " to")
    return text if measure.spoken_unit == "%" else dataclasses.replace(text, interval=shorter)


def measured_text(
    measure: Measure, value: results_pb2.MeasuredValue, limit: float | None = None
) -> MeasuredText:
    """A value with its interval, with as many digits as the interval deserves.

    Args:
      measure: The metric.
      value: What was measured.
      limit: What it is compared with beside chance; no rounding hides on which
        side of it a bound lies.
    """
    references = [measure.chance] if limit is None else [measure.chance, limit]
    if _is_bound(value):
        return _bound_text(value, references)
    decimals = _decimals(value, references, in_percent=measure.in_percent)
    write = percent_text if measure.in_percent else number_text
    return _written(value, lambda number: write(number, decimals))


def change_text(measure: Measure, value: results_pb2.MeasuredValue, limit: float) -> MeasuredText:
    """A difference of two values with its interval: "+3.1 points", "+0.012".

    Args:
      measure: The metric that both are values of.
      value: The difference.
      limit: What it is compared with beside 0.
    """
    decimals = _decimals(value, [0.0, limit], in_percent=measure.in_percent)

    def write(difference: float) -> str:
        return _signed(number_text(_unit(measure) * difference, decimals))

    text = _written(value, write)
    if not measure.in_percent:
        return text
    return dataclasses.replace(
        text, estimate=f"{text.estimate} points", upper=f"{text.upper} points"
    )


def reckoned_text(measure: Measure, value: float) -> str:
    """A finite value that was reckoned, of the smallest leak found for instance."""
    if measure.in_percent:
        return percent_text(value, 1 if value >= _SMALL_SHARE else 2)
    return number_text(value, 3)


def change_limit_text(measure: Measure, limit: float) -> str:
    """A largest rise allowed: "2 points" of a rate, "0.02" of an area."""
    number = f"{_unit(measure) * limit:.10g}"
    if not measure.in_percent:
        return number
    return f"{number} {'point' if number == '1' else 'points'}"


def find_metric(
    values: Iterable[results_pb2.MetricValue], spec: config_pb2.MetricSpec
) -> results_pb2.MeasuredValue | None:
    """The value of a metric among several, or None."""
    return next((entry.value for entry in values if entry.metric == spec), None)


def _unit(measure: Measure) -> int:
    return 100 if measure.in_percent else 1


def _signed(text: str) -> str:
    return f"+{text}" if text[0].isdigit() and float(text) > 0 else text


def _is_bound(value: results_pb2.MeasuredValue) -> bool:
    return math.isinf(value.upper)


def _bound_text(value: results_pb2.MeasuredValue, references: list[float]) -> MeasuredText:
    decimals = decimals_for(
        [value.lower], references, fewest=_DECIMALS_OF_EPSILON, most=_DECIMALS_OF_EPSILON
    )
    return MeasuredText(
        estimate=f">= {number_below(value.lower, decimals)}",
        upper="",
        interval="",
        confidence=share_text(value.confidence),
    )


def _decimals(
    value: results_pb2.MeasuredValue, references: list[float], *, in_percent: bool
) -> int:
    unit = 100 if in_percent else 1
    return decimals_for(
        [unit * value.lower, unit * value.upper],
        [unit * reference for reference in references],
        fewest=1 if in_percent else 3,
        most=3 if in_percent else 5,
    )


def _written(value: results_pb2.MeasuredValue, write: Callable[[float], str]) -> MeasuredText:
    return MeasuredText(
        estimate=write(value.estimate),
        upper=write(value.upper),
        interval=f"{write(value.lower)} to {write(value.upper)}",
        confidence=share_text(value.confidence),
    )


def _auc(title: str, chance: float) -> Measure:
    return Measure(
        title=title,
        explanation=(
            "How often the attack scores a training record above another record; "
            "0.5 is a coin toss, 1 is every time"
        ),
        deed="picks the training record in {} of cases when shown it beside another record",
        chance=chance,
        in_percent=False,
    )


def _advantage(title: str, chance: float) -> Measure:
    return Measure(
        title=title,
        explanation=(
            "Share of training records recognised, less the share of others falsely accused, "
            "at a threshold chosen beforehand; 0 is no better than chance, 1 is no mistake at all"
        ),
        deed="recognises training records {} more often than it falsely accuses other records",
        chance=chance,
        in_percent=False,
        spoken_unit=" percentage points",
    )


def _tpr_at_fpr(title: str, chance: float) -> Measure:
    rate = share_text(chance)
    return Measure(
        title=title,
        explanation=(
            f"Share of training records recognised when {rate} of others are falsely accused; "
            f"{rate} is no better than chance"
        ),
        deed=f"recognises {{}} of training records at {rate} false alarms",
        chance=chance,
        in_percent=True,
    )


def _balanced_accuracy(title: str, chance: float) -> Measure:
    return Measure(
        title=title,
        explanation=(
            "Share of records that the attack puts on the right side, where half of them are "
            "training records, at a threshold chosen beforehand; 0.5 is a coin toss"
        ),
        deed="is right about {} of records where half of them are training records",
        chance=chance,
        in_percent=False,
    )


def _epsilon(title: str, chance: float) -> Measure:
    return Measure(
        title=title,
        explanation=(
            "Any guarantee of differential privacy for this training would need an epsilon at "
            "least so large; a lower bound, which grows with the number of records and is no "
            "upper limit"
        ),
        deed="shows an epsilon of {}",
        chance=chance,
        in_percent=False,
        is_share=False,
    )


def _precision(title: str, chance: float) -> Measure:
    prior = share_text(chance)
    return Measure(
        title=title,
        explanation=(
            f"Share of accusations that are right, where {prior} of the records that the attacker "
            f"looks at are training records; {prior} is no better than chance"
        ),
        deed=f"is right in {{}} of its accusations where {prior} of records are training records",
        chance=chance,
        in_percent=True,
    )


_WORDS: dict[str, Callable[[str, float], Measure]] = {
    "auc": _auc,
    "advantage": _advantage,
    "balanced_accuracy": _balanced_accuracy,
    "tpr_at_fpr": _tpr_at_fpr,
    "precision": _precision,
    "epsilon": _epsilon,
    "canary_epsilon": _epsilon,
}
