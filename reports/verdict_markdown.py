"""A verdict as a Markdown page, for the run page of Kubeflow and for comments on a change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.advice import next_steps
from tfx_privacy.reports.banner import banner_of
from tfx_privacy.reports.control_findings import controls_of
from tfx_privacy.reports.markdown_text import bullets, escaped, table
from tfx_privacy.reports.measures import MeasuredText
from tfx_privacy.reports.numerals import count_text
from tfx_privacy.reports.policy_facts import baseline_facts, policy_facts
from tfx_privacy.reports.reading import read
from tfx_privacy.reports.slice_findings import slice_findings
from tfx_privacy.reports.thresholds_table import ThresholdRow, threshold_rows
from tfx_privacy.reports.verdict_controls import ControlRow, control_rows

# Kubeflow cuts Markdown at 400,000 characters; with these no page has 300,000.
_CELL, _SENTENCE, _PARAGRAPH = 120, 400, 1_000
_MOST_ENTRIES = 20


def verdict_markdown(
    verdict: verdict_pb2.PrivacyVerdict,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> str:
    """The page: outcome, reasons, limits with what was found, slices, controls, what next.

    Args:
      verdict: What was decided.
      results: What it was decided by.
      evidence: The counts behind that, for what to do next.

    Returns:
      Markdown with tables, without HTML, links or pictures; the same for equal
      arguments. Names from data are shown as text.
    """
    lines = [
        *_opening(verdict),
        *_limits(verdict),
        *_slices(verdict),
        *_controls(verdict),
        *_what_next(verdict, results, evidence),
        *_judged_by(verdict),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _opening(verdict: verdict_pb2.PrivacyVerdict) -> list[str]:
    banner = banner_of(verdict)
    said = [banner.meaning, f"**{banner.blessing}**", *([banner.quality] if banner.quality else [])]
    return [
        f"# Privacy verdict: {banner.outcome}",
        "",
        *(line for sentence in said for line in (sentence, "")),
        *_listed("## Why", banner.reasons),
    ]


def _limits(verdict: verdict_pb2.PrivacyVerdict) -> list[str]:
    rows = threshold_rows(verdict)
    if not rows:
        return []
    distrusted = not banner_of(verdict).findings_count
    return [
        "## Limits",
        "",
        *table(
            ("Metric", "Where", "Allowed", "Found (interval)", "Attack", "Finding", "Records"),
            map(_limit_cells, rows[:_MOST_ENTRIES]),
        ),
        *_more(len(rows)),
        *(["None of these findings counts, because a control failed.", ""] if distrusted else []),
        *bullets(_limit_note(row) for row in rows[:_MOST_ENTRIES] if _limit_note(row)),
    ]


def _limit_cells(row: ThresholdRow) -> list[str]:
    found = _value(row.value)
    if row.baseline:
        found = f"{found}, from {row.baseline}"
    where = row.scope if row.must_pass else f"{row.scope} ({row.role})"
    cells = (row.measure.title, where, row.limit, found, row.attack)
    return [*map(_cell, cells), f"**{row.outcome}**", _cell(row.records)]


def _limit_note(row: ThresholdRow) -> str:
    """What the row of the table does not say; empty where there is nothing."""
    said = [*row.notes, *([row.power] if row.power else []), *([row.reason] if row.reason else [])]
    if not said:
        return ""
    return f"{_cell(f'{row.measure.title}, {row.scope}')}: {_sentence('; '.join(said))}"


def _slices(verdict: verdict_pb2.PrivacyVerdict) -> list[str]:
    found = slice_findings(verdict, _MOST_ENTRIES)
    if found is None:
        return []
    rows = [
        [
            *map(_cell, (row.text, row.measure.title, row.limit, _value(row.value))),
            f"**{row.outcome}**",
        ]
        for row in found.rows
    ]
    return [
        "## Slices",
        "",
        *bullets(map(_sentence, found.summary)),
        *table(("Slice", "Metric", "Allowed", "Found (interval)", "Finding"), rows),
        *_more(len(found.rows) + found.not_shown),
    ]


def _controls(verdict: verdict_pb2.PrivacyVerdict) -> list[str]:
    rows = control_rows(verdict)
    if not rows:
        return []
    return [
        "## Can the numbers be trusted?",
        "",
        *table(("Control", "Outcome", "Why"), map(_control_cells, rows[:_MOST_ENTRIES])),
    ]


def _control_cells(row: ControlRow) -> list[str]:
    name = f"{row.name} ({row.role})" if row.role else row.name
    return [name, f"**{row.outcome}**", _sentence(row.reason)]


def _what_next(
    verdict: verdict_pb2.PrivacyVerdict,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> list[str]:
    reading = read(results, evidence, controls_of(verdict, results, evidence))
    steps = next_steps(reading, verdict.thresholds.minimum_slice_records)
    entries = [f"**{_cell(step.title)}.** {escaped(step.text, _PARAGRAPH)}" for step in steps]
    if not entries:
        return []
    # The same steps stand on the report's page, and speak of places there.
    return ["## What next", "", "Above and below are places in the report.", "", *bullets(entries)]


def _judged_by(verdict: verdict_pb2.PrivacyVerdict) -> list[str]:
    facts = [
        ("Model", verdict.model_uri),
        ("Metrics", verdict.metrics_uri),
        *baseline_facts(verdict),
        *policy_facts(verdict),
    ]
    return _listed("## Judged by", [f"{about}: {said}" for about, said in facts if said])


def _listed(heading: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    return [
        heading,
        "",
        *bullets(map(_sentence, sentences[:_MOST_ENTRIES])),
        *_more(len(sentences)),
    ]


def _more(number: int) -> Iterable[str]:
    """What a list or table was cut to; nothing where it was not."""
    more = number - _MOST_ENTRIES
    return [f"{count_text(more)} more are in verdict.json.", ""] if more > 0 else []


def _value(value: MeasuredText | None) -> str:
    return "not measured" if value is None else value.with_interval


def _cell(text: str) -> str:
    return escaped(text, _CELL)


def _sentence(text: str) -> str:
    return escaped(text, _SENTENCE)
