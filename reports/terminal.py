"""Results and verdicts as plain text, for the log and the command line."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.attacks_table import attack_rows, best_values, metric_columns
from tfx_privacy.reports.banner import banner_of
from tfx_privacy.reports.measures import MeasuredText, measure_of
from tfx_privacy.reports.names import line_of
from tfx_privacy.reports.records_table import records_rows
from tfx_privacy.reports.thresholds_table import ThresholdRow, threshold_rows

_WIDTH = 100
_ATTACK_WIDTH = 22
# A rule of plain characters under the heading and nothing else.
_RULES = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_METRICS_A_TABLE = 3
_MOST_CHARACTERS = 600


def verdict_table(verdict: verdict_pb2.PrivacyVerdict) -> str:
    """The verdict, each threshold's finding and the reasons.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    banner = banner_of(verdict)
    title = f"Privacy verdict: {banner.outcome}. {banner.meaning}"
    table = _table(title)
    for heading in (
        "Metric",
        "Limit",
        "Estimate (interval)",
        "Attack",
        "Finding",
        "Records needed",
    ):
        table.add_column(heading, no_wrap=heading != "Records needed")
    for row in threshold_rows(verdict):
        table.add_row(*_threshold_cells(row))
    lines: list[RenderableType] = [table] if verdict.findings else [_text(title)]
    lines.extend([Text(""), _text(banner.blessing)])
    if banner.quality:
        lines.append(_text(banner.quality))
    return _plain([*lines, *_listed("Why:", banner.reasons)])


def results_table(results: results_pb2.PrivacyResults) -> str:
    """Every attack's metrics with intervals, the best attack, and the records.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    parts: list[RenderableType] = []
    if results.attacks:
        for table in _attack_tables(results):
            parts.extend([table, Text("")])
        parts.append(_text(f"* {results.best_attack} was the best on FIT."))
    else:
        parts.append(_text("No attack ran."))
    skipped = [f"{attack.name}: {attack.reason}" for attack in results.skipped_attacks]
    parts.extend(_listed("Attacks that did not run:", skipped))
    parts.append(Text(""))
    parts.append(_records_table(results))
    return _plain(parts)


def _threshold_cells(row: ThresholdRow) -> list[Text]:
    return [
        _text(row.measure.title if row.must_pass else f"{row.measure.title} ({row.role})"),
        _text(f"<= {row.limit}"),
        _value_cell(row.value),
        _text(row.attack),
        _text(row.outcome),
        _text(row.records),
    ]


def _attack_tables(results: results_pb2.PrivacyResults) -> list[Table]:
    columns = metric_columns(results)
    starts = range(0, len(columns), _METRICS_A_TABLE)
    return [_attack_table(results, slice(start, start + _METRICS_A_TABLE)) for start in starts]


def _attack_table(results: results_pb2.PrivacyResults, shown: slice) -> Table:
    measures = [measure_of(spec) for spec in metric_columns(results)[shown]]
    table = _table(None if shown.start else "Attacks on all judged records: estimate (interval)")
    table.add_column("Attack", width=_ATTACK_WIDTH)
    for measure in measures:
        table.add_column(measure.title)
    for row in attack_rows(results):
        name = f"{row.name} *" if row.is_best else row.name
        table.add_row(_text(name), *map(_value_cell, row.values[shown]))
    table.add_row(_text("best of all"), *map(_value_cell, best_values(results)[shown]))
    table.add_row(_text("guessing"), *(_text(measure.chance_text) for measure in measures))
    return table


def _value_cell(value: MeasuredText | None) -> Text:
    if value is None:
        return _text("not measured")
    return _text(f"{value.estimate} ({value.interval})")


def _records_table(results: results_pb2.PrivacyResults) -> Table:
    table = _table("Records")
    table.add_column("")
    table.add_column("Members", justify="right")
    table.add_column("Non-members", justify="right")
    for row in records_rows(results.records):
        table.add_row(row.title, row.members, row.nonmembers)
    return table


def _listed(heading: str, entries: Sequence[str]) -> list[RenderableType]:
    if not entries:
        return []
    items = Table.grid(padding=(0, 1))
    for entry in entries:
        items.add_row(Text("-"), _text(entry))
    return [_text(heading), items]


def _table(title: str | None) -> Table:
    return Table(
        title=None if title is None else _text(title),
        title_justify="left",
        box=_RULES,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _text(line: str) -> Text:
    # Text, not markup: square brackets in names mean nothing here.
    return Text(_shortened(line_of(line)), overflow="fold")


def _shortened(line: str) -> str:
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."


def _plain(parts: Sequence[RenderableType]) -> str:
    file = io.StringIO()
    console = Console(
        file=file,
        width=_WIDTH,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        force_interactive=False,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().splitlines())
