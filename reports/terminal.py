"""Results and verdicts as plain text, for the log and the command line."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.attacks_table import attack_rows, best_values, metric_columns
from tfx_privacy.reports.banner import banner_of
from tfx_privacy.reports.controls_section import power_sentences
from tfx_privacy.reports.epsilon_words import epsilon_sentences
from tfx_privacy.reports.measures import MeasuredText, measure_of
from tfx_privacy.reports.names import line_of
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.policy_facts import baseline_facts, policy_facts
from tfx_privacy.reports.reading import Reading, read
from tfx_privacy.reports.records_table import records_rows
from tfx_privacy.reports.slice_findings import slice_findings
from tfx_privacy.reports.thresholds_table import WHOLE_SCOPE, ThresholdRow, threshold_rows
from tfx_privacy.reports.verdict_controls import control_rows

_WIDTH = 100
_ATTACK_WIDTH = 28
_METRIC_WIDTH = 18
_SLICE_WIDTH = 30
_MOST_SLICES = 10
# A rule of plain characters under the heading and nothing else.
_RULES = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_METRICS_A_TABLE = 3
_MOST_CHARACTERS = 600


def verdict_table(verdict: verdict_pb2.PrivacyVerdict) -> str:
    """The verdict, each threshold's finding, slices, controls, policies and the reasons.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    banner = banner_of(verdict)
    title = f"Privacy verdict: {banner.outcome}. {banner.meaning}"
    lines: list[RenderableType] = [_text(title)]
    if verdict.findings:
        lines.append(_thresholds_table(verdict))
    if not banner.findings_count:
        lines.append(_text("None of these findings counts, because a control failed."))
    lines.extend([Text(""), _text(banner.blessing)])
    if banner.quality:
        lines.append(_text(banner.quality))
    lines.extend(_listed("Why:", verdict.reasons))
    lines.extend(_slices(verdict))
    lines.extend(_controls(verdict))
    facts = [*baseline_facts(verdict), *policy_facts(verdict)]
    lines.extend(_listed("Judged by:", [f"{about}: {said}" for about, said in facts]))
    return _plain(lines)


def results_table(results: results_pb2.PrivacyResults, evidence: Evidence) -> str:
    """Every attack's metrics with intervals, the best attack, the controls, the records.

    Args:
      results: What was measured.
      evidence: The counts behind it, for the controls.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    reading = read(results, evidence)
    parts: list[RenderableType] = []
    if results.attacks:
        for table in _attack_tables(results):
            parts.extend([table, Text("")])
        parts.append(_text(f"* {results.best_attack} was the best on FIT."))
    else:
        parts.append(_text("No attack ran."))
    parts.extend(map(_text, epsilon_sentences(reading)))
    skipped = [f"{attack.name}: {attack.reason}" for attack in results.skipped_attacks]
    parts.extend(_listed("Attacks that did not run:", skipped))
    parts.append(Text(""))
    parts.extend(_listed("Can these numbers be trusted?", _trust_lines(reading)))
    parts.append(Text(""))
    parts.append(_records_table(results))
    return _plain(parts)


def _thresholds_table(verdict: verdict_pb2.PrivacyVerdict) -> Table:
    table = _table(None)
    table.add_column("Metric", max_width=_METRIC_WIDTH)
    table.add_column("Limit", no_wrap=True)
    table.add_column("Estimate (interval)", no_wrap=True)
    table.add_column("Attack", max_width=_ATTACK_WIDTH)
    table.add_column("Finding", no_wrap=True)
    for row in threshold_rows(verdict):
        table.add_row(*_threshold_cells(row))
    return table


def _threshold_cells(row: ThresholdRow) -> list[Text]:
    return [
        _lines(row.measure.title, *_where(row)),
        _text(_limit(row.limit)),
        _lines(_value(row.value), *([f"from {row.baseline}"] if row.baseline else [])),
        _text(row.attack),
        _lines(row.outcome, *(["cannot fire"] if row.cannot_fire else [])),
    ]


def _where(row: ThresholdRow) -> list[str]:
    """Where a threshold applies and what it can do, where that is not the usual."""
    where = [] if row.scope == WHOLE_SCOPE else [row.scope]
    return [*where, *([] if row.must_pass else [row.role])]


def _limit(limit: str) -> str:
    return limit.replace("of at most ", "<= ").replace("at most ", "<= ")


def _slices(verdict: verdict_pb2.PrivacyVerdict) -> list[RenderableType]:
    found = slice_findings(verdict, _MOST_SLICES)
    if found is None:
        return []
    table = _table("Slices")
    table.add_column("Slice", max_width=_SLICE_WIDTH)
    for heading in ("Metric", "Limit", "Estimate (interval)", "Finding"):
        table.add_column(heading)
    for row in found.rows:
        cells = (row.text, row.measure.title, _limit(row.limit), _value(row.value), row.outcome)
        table.add_row(*map(_text, cells))
    more = [f"{count_text(found.not_shown)} more are in verdict.json."] if found.not_shown else []
    return [Text(""), table, *map(_text, more), *map(_text, found.summary)]


def _controls(verdict: verdict_pb2.PrivacyVerdict) -> list[RenderableType]:
    """Every control's outcome, with the reason where the reasons do not have it."""
    lines = []
    for row in control_rows(verdict):
        role = f" ({row.role})" if row.role else ""
        told = any(row.reason in reason for reason in verdict.reasons)
        lines.append(f"{row.name}{role}: {row.outcome}.{'' if told else f' {row.reason}'}")
    return _listed("Controls:", lines)


def _trust_lines(reading: Reading) -> list[str]:
    found = reading.controls
    named = (
        ("Blind baseline", found.blind_baseline),
        ("Negative control", found.negative),
        ("Positive control", found.positive),
        ("Duplicates", found.duplicates),
    )
    lines = [f"{title}: {control.outcome.value}. {control.reason}" for title, control in named]
    return [*lines, *power_sentences(reading.results.controls.power)]


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
    return _text(_value(value))


def _value(value: MeasuredText | None) -> str:
    return "not measured" if value is None else value.with_interval


def _lines(*texts: str) -> Text:
    """Texts below each other in one cell."""
    return Text("\n", overflow="fold").join(map(_text, texts))


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
