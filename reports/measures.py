"""What a metric means in plain words, and how its values are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.numerals import decimals_for, number_text, percent_text, share_text


@dataclasses.dataclass(frozen=True)
class Measure:
    """One metric, as the reports speak of it.

    Attributes:
      title: What tables call it.
      explanation: What it is, in one line without a full stop.
      deed: What the attacker does, with {} for the value: "recognises {} of ...".
      chance: Its value where members and non-members cannot be told apart.
      in_percent: Whether tables write values as percentages. Sentences always do.
      spoken_unit: What a percentage is called in a sentence.
    """

    title: str
    explanation: str
    deed: str
    chance: float
    in_percent: bool
    spoken_unit: str = "%"

    def text(self, value: float) -> str:
        """A value that was configured, such as a limit."""
        return share_text(value) if self.in_percent else f"{value:.10g}"

    @property
    def chance_text(self) -> str:
        """What `chance` is, as tables write it."""
        return self.text(self.chance)

    @property
    def spoken_chance(self) -> str:
        """What `chance` is, as sentences say it."""
        return share_text(self.chance).replace("%", self.spoken_unit)


@dataclasses.dataclass(frozen=True)
class MeasuredText:
    """A measured value as text: "12.3%", "13.9%", "11.0% to 13.9%", "95%"."""

    estimate: str
    upper: str
    interval: str
    confidence: str


def measure_of(spec: config_pb2.MetricSpec) -> Measure:
    """The words for a metric.

    Raises:
      ValueError: If there is no such metric, or no words for it.
    """
    metric = metric_from_spec(spec)
    title = metric_title(metric)
    title = title[0].upper() + title[1:]
    match metric:
        case Auc():
            return _auc(title, metric.no_leak)
        case Advantage():
            return _advantage(title, metric.no_leak)
        case TprAtFpr():
            return _tpr_at_fpr(title, metric.no_leak)
        case Precision():
            return _precision(title, metric.no_leak)
    raise ValueError(f"no words for the metric {title}; expected AUC, advantage, TPR or precision")


def spoken_text(measure: Measure, value: results_pb2.MeasuredValue) -> MeasuredText:
    """A value with its interval for a sentence: always in percent."""
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
    decimals = _decimals(value, references, in_percent=measure.in_percent)
    write = percent_text if measure.in_percent else number_text
    return _written(value, lambda number: write(number, decimals))


def find_metric(
    values: Iterable[results_pb2.MetricValue], spec: config_pb2.MetricSpec
) -> results_pb2.MeasuredValue | None:
    """The value of a metric among several, or None."""
    return next((entry.value for entry in values if entry.metric == spec), None)


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
