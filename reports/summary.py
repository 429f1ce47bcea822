"""The best attack, over all and per slice: as text, and as a table for pandas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.reports import reference_words, white_box_words
from tfx_privacy.reports.measures import find_metric, measure_of, measured_text
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.plain_text import cell, plain, rule_table
from tfx_privacy.verdict.limits import resolve_thresholds

if TYPE_CHECKING:
    import pandas as pd

# What stands in the column of attacks for the best of all of them.
BEST_OF_ATTACKS = "best of attacks"
# What stands for a slice where all rows are meant.
WHOLE_FEATURE = "(whole)"

_MOST_SLICES = 10
_SLICE_WIDTH = 44
_LEAST_FPR_OF_A_SLICE = 0.01
_MOST_SLICE_METRICS = 2


def summary_text(results: results_pb2.PrivacyResults) -> str:
    """The best attack over all, what parameters and reference models add, slices most exposed.

    The estimate is of the attack that was best on FIT, the bounds hold for the best of
    all attacks; so on each slice.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    if not results.best_of_attacks:
        return plain([cell("No attack ran."), *slices_summary(results)])
    number = len(results.attacks)
    white_box = white_box_words.one_line(results)
    references = reference_words.one_line(results)
    told = ", ".join(
        f"{measure_of(entry.metric).title} "
        f"{measured_text(measure_of(entry.metric), entry.value).with_interval}"
        for entry in results.best_of_attacks
    )
    return plain(
        [
            cell(f"Best of {number} attack{'s' * (number > 1)} ({results.best_attack}): {told}."),
            *([cell(white_box)] if white_box else []),
            *([cell(references)] if references else []),
            *slices_summary(results),
        ]
    )


def slices_summary(results: results_pb2.PrivacyResults) -> list[RenderableType]:
    """The slices most exposed, and how many there are beside them; nothing without slices."""
    if not results.slices:
        return []
    minimum = resolve_thresholds(thresholds_pb2.PrivacyThresholds()).minimum_slice_records
    columns = _slice_metrics(results)
    measured = [entry for entry in results.slices if _risk(entry, columns) is not None]
    judged = [entry for entry in measured if not _is_too_small(entry, minimum)]
    judged.sort(key=lambda entry: _risk(entry, columns) or 0.0, reverse=True)
    parts: list[RenderableType] = []
    if judged:
        parts.append(_slices_table(judged[:_MOST_SLICES], columns))
    parts.extend(
        cell(sentence)
        for sentence in (
            _more(len(judged)),
            _too_small(len(results.slices) - len(judged), minimum),
            _left_out(results.slices_left_out),
        )
        if sentence
    )
    return parts


def to_frame(results: results_pb2.PrivacyResults) -> pd.DataFrame:
    """Every measured value, one a row.

    Columns: slice_feature and slice_value ("(whole)" and "" for all rows; of a cross both
    are joined by ", "), rows (of the splits), attack ("best of attacks" for the best of
    all), metric (as configurations name it, with its parameter: "tpr_at_fpr_0.01"),
    estimate, lower, upper, confidence, members and nonmembers (judged).

    TF Privacy's table has a row a slice and attack, and the columns of

        frame.pivot_table(
            index=["slice_feature", "slice_value", "attack"], columns="metric", values="estimate"
        )[["auc", "advantage", "precision_0.5"]]

    (its advantage is the largest on the judged rows themselves, `max_in_sample` here.)
    """
    import pandas as pd

    return pd.DataFrame(list(_frame_rows(results)), columns=_FRAME_COLUMNS)


_FRAME_COLUMNS = [
    "slice_feature",
    "slice_value",
    "rows",
    "attack",
    "metric",
    "estimate",
    "lower",
    "upper",
    "confidence",
    "members",
    "nonmembers",
]
_Row = tuple[str, str, int, str, str, float, float, float, float, int, int]


def _frame_rows(results: results_pb2.PrivacyResults) -> Iterator[_Row]:
    read = results.records.read
    yield from _rows_of(
        (WHOLE_FEATURE, "", read.members + read.nonmembers),
        results.attacks,
        results.best_of_attacks,
    )
    for entry in results.slices:
        feature = ", ".join(part.feature for part in entry.key)
        value = ", ".join(part.value for part in entry.key)
        yield from _rows_of(
            (feature, value, entry.rows.members + entry.rows.nonmembers),
            entry.attacks,
            entry.best_of_attacks,
        )


def _rows_of(
    place: tuple[str, str, int],
    attacks: Sequence[results_pb2.AttackResult],
    best: Sequence[results_pb2.MetricValue],
) -> Iterator[_Row]:
    named = [(attack.name, attack.metrics) for attack in attacks] + [(BEST_OF_ATTACKS, best)]
    for name, metrics in named:
        for entry in metrics:
            value = entry.value
            yield (
                *place,
                name,
                metric_key(metric_from_spec(entry.metric)),
                value.estimate,
                value.lower,
                value.upper,
                value.confidence,
                value.members,
                value.nonmembers,
            )


def _slice_metrics(results: results_pb2.PrivacyResults) -> list[config_pb2.MetricSpec]:
    """AUC, by which slices are sorted, and a rate that a slice has records enough for."""
    specs = [entry.metric for entry in results.best_of_attacks]
    by_auc = [spec for spec in specs if spec.name == "auc"]
    rates = [
        spec for spec in specs if spec.name == "tpr_at_fpr" and spec.fpr >= _LEAST_FPR_OF_A_SLICE
    ]
    rates.sort(key=lambda spec: spec.fpr)
    return ([*by_auc, *rates] or specs)[:_MOST_SLICE_METRICS]


def _risk(entry: results_pb2.SliceResult, columns: Sequence[config_pb2.MetricSpec]) -> float | None:
    value = find_metric(entry.best_of_attacks, columns[0]) if columns else None
    return None if value is None else value.estimate


def _is_too_small(entry: results_pb2.SliceResult, minimum: thresholds_pb2.RecordCounts) -> bool:
    return entry.rows.members < minimum.members or entry.rows.nonmembers < minimum.nonmembers


def _slices_table(
    entries: Sequence[results_pb2.SliceResult], columns: Sequence[config_pb2.MetricSpec]
) -> RenderableType:
    table = rule_table("Slices most exposed, best of all attacks: estimate (interval)")
    table.add_column("Slice", max_width=_SLICE_WIDTH)
    for spec in columns:
        table.add_column(measure_of(spec).title)
    for entry in entries:
        key = ", ".join(f"{part.feature} = {part.value}" for part in entry.key)
        table.add_row(cell(key), *(cell(_value(entry, spec)) for spec in columns))
    return table


def _value(entry: results_pb2.SliceResult, spec: config_pb2.MetricSpec) -> str:
    value = find_metric(entry.best_of_attacks, spec)
    return "not measured" if value is None else measured_text(measure_of(spec), value).with_interval


def _more(judged: int) -> str:
    more = judged - _MOST_SLICES
    return (
        f"{count_text(more)} more slices are less exposed; the report has them." if more > 0 else ""
    )


def _too_small(number: int, minimum: thresholds_pb2.RecordCounts) -> str:
    if not number:
        return ""
    slices = "1 slice is" if number == 1 else f"{count_text(number)} slices are"
    return (
        f"{slices} too small to judge: fewer than {count_text(minimum.members)} members or "
        f"{count_text(minimum.nonmembers)} non-members."
    )


def _left_out(left_out: results_pb2.LeftOutSlices) -> str:
    if not left_out.slices:
        return ""
    return (
        f"{count_text(left_out.slices)} more slices were not measured (sample_sizes.max_slices); "
        f"the largest has {count_text(left_out.largest_rows)} records."
    )
