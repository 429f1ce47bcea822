"""What became of the records that were read, as rows of a table."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.numerals import count_text


@dataclasses.dataclass(frozen=True)
class RecordsRow:
    """One fate of records: its name, its meaning, and how many there were."""

    title: str
    note: str
    members: str
    nonmembers: str
    is_total: bool = False


def records_rows(results: results_pb2.PrivacyResults) -> list[RecordsRow]:
    """From what was read to what was judged, then what attacks were built on if other records."""
    records = results.records
    duplicates = (
        _row(
            "Duplicates, left out", "their content or key occurs more than once", records.duplicate
        )
        if records.duplicates_checked
        else RecordsRow(
            "Duplicates not checked", "the records have no id", "not checked", "not checked"
        )
    )
    use_of_fit = (
        "slices and controls were prepared on these; no attack was built on them"
        if results.HasField("fitted_on")
        else "the attacks were built on these"
    )
    return [
        _row("Read", "", records.read, is_total=True),
        duplicates,
        _row(
            "Same unit, left out",
            "another row of the same person or unit was taken",
            records.same_unit,
        ),
        _row("FIT", use_of_fit, records.fit),
        _row(
            "Beyond the FIT sample",
            "they have a risk, and serve nothing else",
            records.fit_beyond_sample,
        ),
        _row(
            "JUDGE", "every interval in this report comes from these", records.judge, is_total=True
        ),
        *_rows_of_another_model(results),
    ]


def _rows_of_another_model(results: results_pb2.PrivacyResults) -> list[RecordsRow]:
    if not results.HasField("fitted_on"):
        return []
    return [
        _row(
            "Of another model",
            "the attacks were built on these, which are not among those read",
            results.fitted_on.fit,
        ),
        _row(
            "Of another model, left out",
            "those read have them too, so no attack was built on them",
            results.fitted_on.shared,
        ),
    ]


def _row(
    title: str, note: str, counts: results_pb2.SideCounts, *, is_total: bool = False
) -> RecordsRow:
    return RecordsRow(
        title, note, count_text(counts.members), count_text(counts.nonmembers), is_total
    )
