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


def records_rows(records: results_pb2.Records) -> list[RecordsRow]:
    """From what was read to what was judged."""
    duplicates = (
        _row(
            "Duplicates, left out", "their content or key occurs more than once", records.duplicate
        )
        if records.duplicates_checked
        else RecordsRow(
            "Duplicates not checked", "the records have no id", "not checked", "not checked"
        )
    )
    return [
        _row("Read", "", records.read, is_total=True),
        duplicates,
        _row(
            "Same unit, left out",
            "another row of the same person or unit was taken",
            records.same_unit,
        ),
        _row("FIT", "the attacks were built on these", records.fit),
        _row(
            "Beyond the FIT sample",
            "they have a risk, and serve nothing else",
            records.fit_beyond_sample,
        ),
        _row(
            "JUDGE", "every interval in this report comes from these", records.judge, is_total=True
        ),
    ]


def _row(
    title: str, note: str, counts: results_pb2.SideCounts, *, is_total: bool = False
) -> RecordsRow:
    return RecordsRow(
        title, note, count_text(counts.members), count_text(counts.nonmembers), is_total
    )
