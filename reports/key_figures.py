"""The two or three numbers that stand large at the top of the page."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import Measure, MeasuredText, measure_of, measured_text
from tfx_privacy.reports.reading import headline, is_above_chance

_MOST = 3


@dataclasses.dataclass(frozen=True)
class KeyFigure:
    """One number and what it is compared with."""

    measure: Measure
    value: MeasuredText
    beside_chance: str


def key_figures(results: results_pb2.PrivacyResults) -> list[KeyFigure]:
    """The values the finding speaks of, and the advantage where it was measured."""
    chosen = headline(results)
    chosen += [
        entry
        for entry in results.best_of_attacks
        if entry.metric.name == "advantage" and entry not in chosen
    ]
    return [_key_figure(entry) for entry in chosen[:_MOST]]


def _key_figure(entry: results_pb2.MetricValue) -> KeyFigure:
    measure = measure_of(entry.metric)
    beside = "above chance" if is_above_chance(entry) else "not shown to be above chance"
    return KeyFigure(
        measure, measured_text(measure, entry.value), f"{beside} ({measure.chance_text})"
    )
