from __future__ import annotations

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.records_table import records_rows


def _records(**fields):
    sides = {
        name: results_pb2.SideCounts(members=m, nonmembers=n) for name, (m, n) in fields.items()
    }
    return results_pb2.Records(duplicates_checked=True, **sides)


def test_every_fate_of_a_record_has_a_row():
    records = _records(
        read=(10_500, 5_250),
        duplicate=(300, 150),
        same_unit=(200, 100),
        fit=(3_000, 1_500),
        fit_beyond_sample=(400, 0),
        judge=(6_600, 3_500),
    )
    assert [(row.title, row.members, row.nonmembers) for row in records_rows(records)] == [
        ("Read", "10,500", "5,250"),
        ("Duplicates, left out", "300", "150"),
        ("Same unit, left out", "200", "100"),
        ("FIT", "3,000", "1,500"),
        ("Beyond the FIT sample", "400", "0"),
        ("JUDGE", "6,600", "3,500"),
    ]


def test_duplicates_that_were_not_checked_are_not_called_none():
    records = _records(read=(10, 10), judge=(10, 10))
    records.duplicates_checked = False
    row = records_rows(records)[1]
    assert (row.title, row.members) == ("Duplicates not checked", "not checked")
