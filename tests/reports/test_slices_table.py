"""Which slices are shown, and in which order."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.reports.slices_table import left_out_text, slices_table

AUC = config_pb2.MetricSpec(name="auc")


def _slice(value, auc, members=500, nonmembers=250):
    measured = results_pb2.MeasuredValue(
        estimate=auc, lower=auc - 0.04, upper=auc + 0.03, confidence=0.95
    )
    attacks = [
        results_pb2.AttackResult(
            name=name, metrics=[results_pb2.MetricValue(metric=AUC, value=measured)]
        )
        for name in ("loss", "entropy")
    ]
    # Only the best attack counts.
    attacks[1].metrics[0].value.estimate = 1 - auc
    return results_pb2.SliceResult(
        key=[results_pb2.SliceKey(feature="age", value=value)],
        judge=results_pb2.SideCounts(members=members * 2 // 3, nonmembers=nonmembers * 2 // 3),
        rows=results_pb2.SideCounts(members=members, nonmembers=nonmembers),
        attacks=attacks,
    )


def _table(*slices):
    results = results_pb2.PrivacyResults(best_attack="loss", slices=slices)
    return slices_table(results, [AUC], thresholds_pb2.RecordCounts(members=200, nonmembers=100))


def _values(rows):
    return [row.key[0][1].short for row in rows]


def test_the_riskiest_by_the_best_attack_come_first():
    table = _table(_slice("low", 0.55), _slice("high", 0.8), _slice("middle", 0.7))
    assert _values(table.rows) == ["high", "middle", "low"]
    assert table.rows[0].values[0].estimate == "0.800"
    assert table.rows[0].values[0].interval == "0.760 to 0.830"


@pytest.mark.parametrize(
    ("members", "nonmembers", "is_small"), [(200, 100, False), (199, 100, True), (200, 99, True)]
)
def test_rows_of_the_splits_decide_what_is_too_small(members, nonmembers, is_small):
    table = _table(_slice("some", 0.99, members, nonmembers), _slice("other", 0.5))
    assert (table.too_small, table.judged) == ((1, 1) if is_small else (0, 2))
    if is_small:
        assert table.small_rows[0].note == "too small to judge"
        assert _values(table.rows) == ["other"]


def test_a_row_says_how_many_records_there_are_and_how_many_were_judged():
    row = _table(_slice("some", 0.6, 1_500, 750)).rows[0]
    assert (row.members, row.judged_members) == ("1,500", "1,000")
    assert (row.nonmembers, row.judged_nonmembers) == ("750", "500")


def test_a_slice_without_a_side_is_not_measured_and_too_small():
    empty = results_pb2.SliceResult(
        key=[results_pb2.SliceKey(feature="age", value="x")],
        judge=results_pb2.SideCounts(members=900),
        rows=results_pb2.SideCounts(members=1_400),
    )
    table = _table(empty)
    assert table.small_rows[0].values == [None]
    assert table.small_rows[0].bar is None


def test_of_many_slices_the_riskiest_two_hundred_are_shown_and_the_rest_counted():
    table = _table(*(_slice(str(index), 0.5 + index / 10_000) for index in range(2_000)))
    assert _values(table.rows) == [str(index) for index in range(1_999, 1_799, -1)]
    assert table.not_shown == 1_800


def test_the_best_of_all_attacks_stands_beside_the_one_best_on_fit():
    entry = _slice("some", 0.6)
    entry.best_of_attacks.add(
        metric=AUC,
        value=results_pb2.MeasuredValue(estimate=0.6, lower=0.55, upper=0.7, confidence=0.95),
    )
    table = _table(entry, _slice("other", 0.5))
    assert table.best_measure == "AUC"
    assert table.rows[0].best.with_interval == "0.600 (0.550 to 0.700)"
    assert table.rows[1].best is None


def test_without_bests_there_is_no_column_for_them():
    assert _table(_slice("some", 0.6)).best_measure is None


def test_slices_that_were_not_measured_are_counted():
    results = results_pb2.PrivacyResults()
    results.config.sample_sizes.max_slices = 1_000
    assert left_out_text(results) == ""
    results.slices_left_out.slices, results.slices_left_out.largest_rows = 9_000, 61
    assert left_out_text(results) == (
        "9,000 more slices were not measured, the largest of them with 61 rows of the splits: at "
        "most 1,000 are, those with the most FIT rows (sample_sizes.max_slices). Nothing can be "
        "said about them."
    )
    results.slices_left_out.slices, results.slices_left_out.largest_rows = 1, 1
    assert left_out_text(results).startswith("1 more slice was not measured, with 1 row of")


def test_of_many_small_slices_a_few_are_shown():
    table = _table(*(_slice(str(index), 0.6, members=20) for index in range(60)))
    assert (len(table.small_rows), table.small_not_shown) == (25, 35)


def test_names_without_end_do_not_swell_the_page():
    table = _table(*(_slice("<" * 20_000 + str(index), 0.6) for index in range(100)))
    # An escaped "<" has four bytes; 1.5 MB hold 14 such names of five bytes a sign.
    assert len(table.rows) == 14
    assert table.not_shown == 86
