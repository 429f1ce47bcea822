"""A comparison as plain text, for the command line."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from tfx_privacy.reports.comparison import Comparison
from tfx_privacy.reports.comparison_table import comparison_rows
from tfx_privacy.reports.comparison_words import (
    accuracy_sentence,
    change_sentence,
    onset_sentence,
    places_sentence,
)
from tfx_privacy.reports.measures import MeasuredText, measure_of
from tfx_privacy.reports.plain_text import cell, listed, plain, rule_table

_NAME_WIDTH = 24
_MOST_METRICS = 2


def comparison_text(comparison: Comparison) -> str:
    """A row a measurement, and what changed.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    table = rule_table("Best of all attacks: estimate (interval)")
    table.add_column("Epoch" if comparison.places.are_epochs else "No.", justify="right")
    table.add_column("Name", max_width=_NAME_WIDTH)
    table.add_column("Test accuracy")
    for spec in comparison.metrics[:_MOST_METRICS]:
        table.add_column(measure_of(spec).title)
    for row in comparison_rows(comparison):
        values = [_value(value) for value in row.values[:_MOST_METRICS]]
        accuracy = "" if row.test_accuracy is None else row.test_accuracy.estimate
        table.add_row(*map(cell, (row.place, row.name.short, accuracy, *values)))
    parts: list[RenderableType] = [table, Text("")]
    sentences = (
        change_sentence(comparison),
        onset_sentence(comparison),
        places_sentence(comparison),
        accuracy_sentence(comparison),
    )
    parts.extend(cell(sentence) for sentence in sentences if sentence)
    parts.extend(listed("They differ in more than the model:", comparison.warnings))
    return plain(parts)


def _value(value: MeasuredText | None) -> str:
    return "not measured" if value is None else value.with_interval
