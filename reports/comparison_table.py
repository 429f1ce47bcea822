"""Measurements side by side: rows for people, and a table for programs."""

from __future__ import annotations

import csv
import dataclasses
import io

from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.comparison import Compared, Comparison, place_text
from tfx_privacy.reports.measures import MeasuredText, measure_of, measured_text
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.numerals import decimals_for, percent_text, share_text
from tfx_privacy.reports.reading import Shown, read

CSV_COLUMNS = (
    "name",
    "epoch",
    "order",
    "model",
    "best_attack",
    "metric",
    "estimate",
    "lower",
    "upper",
    "confidence",
    "members",
    "nonmembers",
)


@dataclasses.dataclass(frozen=True)
class ComparisonRow:
    """One measurement.

    Attributes:
      name: What it is called.
      place: Its epoch or number in the order.
      best_attack: The attack that was best on FIT.
      train_accuracy: As text; None where there is none.
      test_accuracy: The same.
      values: One a metric that all have; None where there is none.
      is_trusted: Whether no control failed.
    """

    name: Name
    place: str
    best_attack: str
    train_accuracy: MeasuredText | None
    test_accuracy: MeasuredText | None
    values: list[MeasuredText | None]
    is_trusted: bool


def comparison_rows(comparison: Comparison) -> list[ComparisonRow]:
    """One row a measurement, in the order of their places."""
    return [_row(each, comparison) for each in comparison.compared]


def comparison_csv(comparison: Comparison) -> str:
    """Every number of the comparison in long form, comma-separated, a heading on top.

    Metrics are of the best of the attacks and have the names of configurations
    ("tpr_at_fpr_0.01"); "train_accuracy" and "test_accuracy" are rows beside them.
    Names that a spreadsheet would take for a formula begin with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for order, each in enumerate(comparison.compared, 1):
        shared = {
            "name": _no_formula(each.name),
            "epoch": place_text(each.place) if comparison.places.are_epochs else "",
            "order": order,
            "model": _no_formula(each.results.model.uri),
            "best_attack": each.results.best_attack,
        }
        for metric, value in _measured(each):
            numbers = {field.name: getattr(value, field.name) for field in value.DESCRIPTOR.fields}
            writer.writerow({**shared, "metric": metric, **numbers})
    return text.getvalue()


def _measured(each: Compared) -> list[tuple[str, results_pb2.MeasuredValue]]:
    measured = [
        (metric_key(metric_from_spec(entry.metric)), entry.value)
        for entry in each.results.best_of_attacks
    ]
    for name, value in (
        ("train_accuracy", each.train_accuracy),
        ("test_accuracy", each.test_accuracy),
    ):
        if value is not None:
            measured.append((name, value))
    return measured


def _row(each: Compared, comparison: Comparison) -> ComparisonRow:
    values = [(spec, each.best(spec)) for spec in comparison.metrics]
    return ComparisonRow(
        name=name_of(each.name),
        place=place_text(each.place),
        best_attack=each.results.best_attack,
        train_accuracy=_accuracy_text(each.train_accuracy),
        test_accuracy=_accuracy_text(each.test_accuracy),
        values=[
            None if value is None else measured_text(measure_of(spec), value)
            for spec, value in values
        ],
        is_trusted=read(each.results, each.evidence).shown is not Shown.NOT_TRUSTED,
    )


def _accuracy_text(value: results_pb2.MeasuredValue | None) -> MeasuredText | None:
    if value is None:
        return None
    decimals = decimals_for([100 * value.lower, 100 * value.upper], [], fewest=1, most=3)
    estimate, lower, upper = (
        percent_text(number, decimals) for number in (value.estimate, value.lower, value.upper)
    )
    return MeasuredText(estimate, upper, f"{lower} to {upper}", share_text(value.confidence))


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
