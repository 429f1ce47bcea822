"""The two or three numbers that stand large at the top of the page."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import Measure, MeasuredText, measure_of, measured_text
from tfx_privacy.reports.reading import Reading, Shown, headline, lies_above_chance

_MOST = 3


@dataclasses.dataclass(frozen=True)
class KeyFigure:
    """One number and what it is compared with.

    Attributes:
      measure: The metric.
      value: What was measured.
      range_text: Its interval, or what a bound from below is.
      beside_chance: How it compares with guessing, as far as that was shown.
    """

    measure: Measure
    value: MeasuredText
    range_text: str
    beside_chance: str


def key_figures(reading: Reading) -> list[KeyFigure]:
    """The values the finding speaks of, and the advantage where it was measured."""
    chosen = headline(reading)
    chosen += [
        entry
        for entry in reading.results.best_of_attacks
        if entry.metric.name == "advantage" and entry not in chosen
    ]
    return [_key_figure(reading, entry) for entry in chosen[:_MOST]]


def _key_figure(reading: Reading, entry: results_pb2.MetricValue) -> KeyFigure:
    measure = measure_of(entry.metric)
    text = measured_text(measure, entry.value)
    range_text = (
        f"{text.interval} ({text.confidence} interval)"
        if text.interval
        else f"a lower bound ({text.confidence}), no upper limit"
    )
    beside = f"{_beside_chance(reading, entry)} (chance: {measure.chance_text})"
    return KeyFigure(measure, text, range_text, beside)


def _beside_chance(reading: Reading, entry: results_pb2.MetricValue) -> str:
    if reading.shown is Shown.NOT_TRUSTED:
        return "not to be trusted: a control failed"
    if reading.is_above_chance(entry):
        return "above chance"
    if lies_above_chance(entry):
        number = len(reading.results.best_of_attacks)
        return f"not shown to be above chance, allowing for {number} metrics"
    return "not shown to be above chance"
