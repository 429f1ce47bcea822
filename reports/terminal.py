"""Results and verdicts as plain text, for the log and the command line."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports import reference_words, white_box_words
from tfx_privacy.reports.attacks_table import attack_rows, best_values, metric_columns
from tfx_privacy.reports.banner import banner_of
from tfx_privacy.reports.controls_section import power_sentences
from tfx_privacy.reports.epsilon_words import epsilon_sentences
from tfx_privacy.reports.explanation_words import one_line
from tfx_privacy.reports.measures import MeasuredText, measure_of
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.plain_text import cell, cells_below, listed, plain, rule_table
from tfx_privacy.reports.policy_facts import baseline_facts, policy_facts
from tfx_privacy.reports.reading import Reading, read
from tfx_privacy.reports.records_table import records_rows
from tfx_privacy.reports.slice_findings import slice_findings
from tfx_privacy.reports.summary import slices_summary
from tfx_privacy.reports.thresholds_table import WHOLE_SCOPE, ThresholdRow, threshold_rows
from tfx_privacy.reports.verdict_controls import control_rows

_ATTACK_WIDTH = 28
_METRIC_WIDTH = 18
_SLICE_WIDTH = 30
_MOST_SLICES = 10
_METRICS_A_TABLE = 3


def verdict_table(verdict: verdict_pb2.PrivacyVerdict) -> str:
    """The verdict, each threshold's finding, slices, controls, policies and the reasons.

    Returns:
      Lines of at most 100 columns, without colours; no line break at the end.
    """
    banner = banner_of(verdict)
    title = f"Privacy verdict: {banner.outcome}. {banner.meaning}"
    lines: list[RenderableType] = [cell(title)]
    if verdict.findings:
        lines.append(_thresholds_table(verdict))
    if not banner.findings_count:
        lines.append(cell("None of these findings counts, because a control failed."))
    lines.extend([Text(""), cell(banner.blessing)])
    if banner.quality:
        lines.append(cell(banner.quality))
    lines.extend(listed("Why:", verdict.reasons))
    lines.extend(_slices(verdict))
    lines.extend(_controls(verdict))
    facts = [*baseline_facts(verdict), *policy_facts(verdict)]
    lines.extend(listed("Judged by:", [f"{about}: {said}" for about, said in facts]))
    return plain(lines)


def results_table(results: results_pb2.PrivacyResults, evidence: Evidence) -> str:
    """Every attack's metrics with intervals, the best attack, slices, controls and records.

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
        parts.append(cell(f"* {results.best_attack} was the best on FIT."))
    else:
        parts.append(cell("No attack ran."))
    parts.extend(map(cell, epsilon_sentences(reading)))
    slices = slices_summary(results)
    parts.extend([Text(""), *slices, Text("")] if slices else [])
    why = one_line(results)
    parts.extend([cell(why)] if why else [])
    white_box = white_box_words.one_line(results)
    parts.extend([cell(white_box)] if white_box else [])
    references = reference_words.one_line(results)
    parts.extend([cell(references)] if references else [])
    skipped = [f"{attack.name}: {attack.reason}" for attack in results.skipped_attacks]
    parts.extend(listed("Attacks that did not run:", skipped))
    parts.append(Text(""))
    parts.extend(listed("Can these numbers be trusted?", _trust_lines(reading)))
    parts.append(Text(""))
    parts.append(_records_table(results))
    return plain(parts)


def _thresholds_table(verdict: verdict_pb2.PrivacyVerdict) -> Table:
    table = rule_table(None)
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
        cells_below(row.measure.title, *_where(row)),
        cell(_limit(row.limit)),
        cells_below(_value(row.value), *([f"from {row.baseline}"] if row.baseline else [])),
        cell(row.attack),
        cells_below(row.outcome, *(["cannot fire"] if row.cannot_fire else [])),
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
    table = rule_table("Slices")
    table.add_column("Slice", max_width=_SLICE_WIDTH)
    for heading in ("Metric", "Limit", "Estimate (interval)", "Finding"):
        table.add_column(heading)
    for row in found.rows:
        cells = (row.text, row.measure.title, _limit(row.limit), _value(row.value), row.outcome)
        table.add_row(*map(cell, cells))
    more = [f"{count_text(found.not_shown)} more are in verdict.json."] if found.not_shown else []
    return [Text(""), table, *map(cell, more), *map(cell, found.summary)]


def _controls(verdict: verdict_pb2.PrivacyVerdict) -> list[RenderableType]:
    """Every control's outcome, with the reason where the reasons do not have it."""
    lines = []
    for row in control_rows(verdict):
        role = f" ({row.role})" if row.role else ""
        told = any(row.reason in reason for reason in verdict.reasons)
        reason = "" if told else _without_repeating(row.name, row.reason)
        lines.append(f"{row.name}{role}: {row.outcome}. {reason}".rstrip())
    return listed("Controls:", lines)


def _trust_lines(reading: Reading) -> list[str]:
    found = reading.controls
    named = (
        ("Blind baseline", found.blind_baseline),
        ("Negative control", found.negative),
        ("Positive control", found.positive),
        ("Duplicates", found.duplicates),
    )
    lines = [
        f"{title}: {control.outcome.value}. {_without_repeating(title, control.reason)}"
        for title, control in named
    ]
    return [*lines, *power_sentences(reading.results.controls.power)]


def _without_repeating(title: str, reason: str) -> str:
    """A control's reason without what stands before it in the line."""
    rest = reason.removeprefix(f"The {title[0].lower()}{title[1:]} did not run: ")
    return rest if rest == reason else rest[0].upper() + rest[1:]


def _attack_tables(results: results_pb2.PrivacyResults) -> list[Table]:
    columns = metric_columns(results)
    starts = range(0, len(columns), _METRICS_A_TABLE)
    return [_attack_table(results, slice(start, start + _METRICS_A_TABLE)) for start in starts]


def _attack_table(results: results_pb2.PrivacyResults, shown: slice) -> Table:
    measures = [measure_of(spec) for spec in metric_columns(results)[shown]]
    table = rule_table(
        None if shown.start else "Attacks on all judged records: estimate (interval)"
    )
    table.add_column("Attack", width=_ATTACK_WIDTH)
    for measure in measures:
        table.add_column(measure.title)
    for row in attack_rows(results):
        name = f"{row.name} *" if row.is_best else row.name
        table.add_row(cell(name), *map(_value_cell, row.values[shown]))
    table.add_row(cell("best of all"), *map(_value_cell, best_values(results)[shown]))
    table.add_row(cell("guessing"), *(cell(measure.chance_text) for measure in measures))
    return table


def _value_cell(value: MeasuredText | None) -> Text:
    return cell(_value(value))


def _value(value: MeasuredText | None) -> str:
    return "not measured" if value is None else value.with_interval


def _records_table(results: results_pb2.PrivacyResults) -> Table:
    table = rule_table("Records")
    table.add_column("")
    table.add_column("Members", justify="right")
    table.add_column("Non-members", justify="right")
    for row in records_rows(results):
        table.add_row(row.title, row.members, row.nonmembers)
    return table
