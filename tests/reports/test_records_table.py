from __future__ import annotations

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.records_table import records_rows


def _results(**fields):
    sides = {
        name: results_pb2.SideCounts(members=m, nonmembers=n) for name, (m, n) in fields.items()
    }
    return results_pb2.PrivacyResults(records={"duplicates_checked": True, **sides})


def test_every_fate_of_a_record_has_a_row():
    results = _results(
        read=(10_500, 5_250),
        duplicate=(300, 150),
        same_unit=(200, 100),
        fit=(3_000, 1_500),
        fit_beyond_sample=(400, 0),
        judge=(6_600, 3_500),
    )
    assert [(row.title, row.members, row.nonmembers) for row in records_rows(results)] == [
        ("Read", "10,500", "5,250"),
        ("Duplicates, left out", "300", "150"),
        ("Same unit, left out", "200", "100"),
        ("FIT", "3,000", "1,500"),
        ("Beyond the FIT sample", "400", "0"),
        ("JUDGE", "6,600", "3,500"),
    ]


def test_duplicates_that_were_not_checked_are_not_called_none():
    results = _results(read=(10, 10), judge=(10, 10))
    results.records.duplicates_checked = False
    row = records_rows(results)[1]
    assert (row.title, row.members) == ("Duplicates not checked", "not checked")


def test_records_of_another_model_are_none_of_those_read():
    results = _results(read=(9, 9), fit=(3, 3), judge=(6, 6))
    results.fitted_on.fit.CopyFrom(results_pb2.SideCounts(members=1_200, nonmembers=800))
    results.fitted_on.shared.CopyFrom(results_pb2.SideCounts(members=5, nonmembers=0))
    rows = records_rows(results)
    assert "no attack was built on them" in rows[3].note
    assert [(row.title, row.members, row.nonmembers) for row in rows[-3:]] == [
        ("JUDGE", "6", "6"),
        ("Of another model", "1,200", "800"),
        ("Of another model, left out", "5", "0"),
    ]
