"""The slices, riskiest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.reports.measures import MeasuredText, find_metric, measure_of, measured_text
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.numerals import count_text

_MOST_ROWS = 200
_MOST_SMALL_ROWS = 25
# Names can be long; the page stays below 5 MB whatever they are.
_MOST_BYTES_OF_NAMES = 1_500_000


@dataclasses.dataclass(frozen=True)
class SliceRow:
    """One slice.

    Attributes:
      key: Features and values.
      members: Members among the rows of the splits, as text.
      nonmembers: Non-members among them.
      judged_members: How many of these were judged.
      judged_nonmembers: How many of these were judged.
      values: One a metric, in the order of the columns; None where there is none.
      bar: The first metric's (estimate, lower, upper); None where there is none.
      best: The first metric of the best of all attacks; None where there is none.
      note: Why nothing, or little, can be said; empty where something can.
    """

    key: list[tuple[Name, Name]]
    members: str
    nonmembers: str
    judged_members: str
    judged_nonmembers: str
    values: list[MeasuredText | None]
    bar: tuple[float, float, float] | None
    best: MeasuredText | None
    note: str


@dataclasses.dataclass(frozen=True)
class SlicesTable:
    """What is shown of the slices, and how many more there are.

    Attributes:
      columns: The metrics shown; rows are sorted by the first of them.
      best_measure: The title of the metric of the best attack on each slice; None where
        results have none.
      rows: Slices large enough to judge, riskiest first.
      small_rows: Slices too small to judge, riskiest first.
      judged: Slices large enough to judge, shown or not.
      too_small: Slices too small to judge, shown or not.
      left_out: How many slices were not measured, in a sentence; empty where all were.
    """

    columns: list[config_pb2.MetricSpec]
    best_measure: str | None
    rows: list[SliceRow]
    small_rows: list[SliceRow]
    judged: int
    too_small: int
    left_out: str

    @property
    def not_shown(self) -> int:
        """Slices large enough to judge that are not shown."""
        return self.judged - len(self.rows)

    @property
    def small_not_shown(self) -> int:
        """Slices too small to judge that are not shown."""
        return self.too_small - len(self.small_rows)


def slices_table(
    results: results_pb2.PrivacyResults,
    columns: Sequence[config_pb2.MetricSpec],
    minimum: thresholds_pb2.RecordCounts,
) -> SlicesTable:
    """The riskiest slices by the best attack.

    Args:
      results: What was measured.
      columns: The metrics to show, the one to sort by first.
      minimum: A slice with fewer rows of the splits is too small to judge.
    """
    shown = list(columns)

    def risk(entry: results_pb2.SliceResult) -> float:
        value = _value(entry, results.best_attack, shown[0]) if shown else None
        return -1.0 if value is None else value.estimate

    ordered = sorted(results.slices, key=risk, reverse=True)
    judged = [entry for entry in ordered if not is_too_small(entry, minimum)]
    small = [entry for entry in ordered if is_too_small(entry, minimum)]
    rows = _rows(judged[:_MOST_ROWS], results.best_attack, shown, _MOST_BYTES_OF_NAMES, "")
    small_rows = _rows(
        small[:_MOST_SMALL_ROWS],
        results.best_attack,
        shown,
        _MOST_BYTES_OF_NAMES // 4,
        "too small to judge",
    )
    has_best = bool(shown) and any(_best(entry, shown[0]) is not None for entry in ordered)
    return SlicesTable(
        columns=shown,
        best_measure=measure_of(shown[0]).title if has_best else None,
        rows=rows,
        small_rows=small_rows,
        judged=len(judged),
        too_small=len(small),
        left_out=left_out_text(results),
    )


def left_out_text(results: results_pb2.PrivacyResults) -> str:
    """How many slices were not measured, and how large they are; empty where all were."""
    left = results.slices_left_out
    if not left.slices:
        return ""
    one = left.slices == 1
    rows = f"{count_text(left.largest_rows)} {'row' if left.largest_rows == 1 else 'rows'}"
    return (
        f"{count_text(left.slices)} more {'slice was' if one else 'slices were'} not measured, "
        f"{f'with {rows}' if one else f'the largest of them with {rows}'} of the splits: at most "
        f"{count_text(results.config.sample_sizes.max_slices)} are, those with the most FIT rows "
        f"(sample_sizes.max_slices). Nothing can be said about {'it' if one else 'them'}."
    )


def is_too_small(entry: results_pb2.SliceResult, minimum: thresholds_pb2.RecordCounts) -> bool:
    """Whether a slice has fewer rows of the splits than judging it takes."""
    rows = entry.rows
    return rows.members < minimum.members or rows.nonmembers < minimum.nonmembers


def _rows(
    entries: Sequence[results_pb2.SliceResult],
    best_attack: str,
    columns: Sequence[config_pb2.MetricSpec],
    most_bytes: int,
    note: str,
) -> list[SliceRow]:
    rows: list[SliceRow] = []
    bytes_left = most_bytes
    for entry in entries:
        row = _row(entry, best_attack, columns, note)
        bytes_left -= sum(_weight(name) for pair in row.key for name in pair)
        if bytes_left < 0:
            break
        rows.append(row)
    return rows


def _weight(name: Name) -> int:
    # A character of markup becomes five when escaped.
    text = name.short + (name.full or "")
    return len(text.encode()) + 4 * sum(text.count(sign) for sign in "&<>\"'")


def _row(
    entry: results_pb2.SliceResult,
    best_attack: str,
    columns: Sequence[config_pb2.MetricSpec],
    note: str,
) -> SliceRow:
    values = [(spec, _value(entry, best_attack, spec)) for spec in columns]
    first = values[0][1] if values else None
    best = _best(entry, columns[0]) if columns else None
    return SliceRow(
        key=[(name_of(part.feature), name_of(part.value)) for part in entry.key],
        members=count_text(entry.rows.members),
        nonmembers=count_text(entry.rows.nonmembers),
        judged_members=count_text(entry.judge.members),
        judged_nonmembers=count_text(entry.judge.nonmembers),
        values=[
            None if value is None else measured_text(measure_of(spec), value)
            for spec, value in values
        ],
        bar=None if first is None else (first.estimate, first.lower, first.upper),
        best=None if best is None else measured_text(measure_of(columns[0]), best),
        note=note,
    )


def _best(
    entry: results_pb2.SliceResult, spec: config_pb2.MetricSpec
) -> results_pb2.MeasuredValue | None:
    return find_metric(entry.best_of_attacks, spec)


def _value(
    entry: results_pb2.SliceResult, attack: str, spec: config_pb2.MetricSpec
) -> results_pb2.MeasuredValue | None:
    for result in entry.attacks:
        if result.name == attack:
            return find_metric(result.metrics, spec)
    return None
