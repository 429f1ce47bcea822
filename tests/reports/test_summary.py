"""The best attack over all and per slice, as text and as a table."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.summary import BEST_OF_ATTACKS, summary_text, to_frame

AUC = config_pb2.MetricSpec(name="auc")
PRECISION = config_pb2.MetricSpec(name="precision", prior=0.5)


def _metric(spec, estimate):
    value = results_pb2.MeasuredValue(
        estimate=estimate,
        lower=estimate - 0.02,
        upper=estimate + 0.02,
        confidence=0.95,
        members=300,
        nonmembers=200,
    )
    return results_pb2.MetricValue(metric=spec, value=value)


def _attacks(loss, entropy):
    return [
        results_pb2.AttackResult(name=name, metrics=[_metric(AUC, area), _metric(PRECISION, 0.6)])
        for name, area in (("loss_threshold", loss), ("entropy", entropy))
    ]


def _slice(value, best, rows=500):
    # The attack that is best on all rows is not the one that is best here.
    return results_pb2.SliceResult(
        key=[results_pb2.SliceKey(feature="age", value=value)],
        rows=results_pb2.SideCounts(members=rows, nonmembers=rows),
        attacks=_attacks(0.5, best),
        best_of_attacks=[_metric(AUC, best)],
    )


def _results(*slices):
    return results_pb2.PrivacyResults(
        best_attack="loss_threshold",
        records=results_pb2.Records(read=results_pb2.SideCounts(members=900, nonmembers=600)),
        attacks=_attacks(0.64, 0.6),
        best_of_attacks=[_metric(AUC, 0.65), _metric(PRECISION, 0.6)],
        slices=slices,
    )


def test_the_best_over_all_in_one_line():
    assert summary_text(_results()) == (
        "Best of 2 attacks (loss_threshold): AUC 0.650 (0.630 to 0.670), Precision at prior 50% "
        "60.0% (58.0%\nto 62.0%)."
    )
    assert summary_text(results_pb2.PrivacyResults()) == "No attack ran."


def test_slices_most_exposed_come_first():
    text = summary_text(_results(_slice("30", 0.6), _slice("40", 0.8), _slice("50", 0.7)))
    lines = text.split("\n")
    shown = [line for line in lines if line.startswith("age = ")]
    assert shown == [
        "age = 40  0.800 (0.780 to 0.820)",
        "age = 50  0.700 (0.680 to 0.720)",
        "age = 30  0.600 (0.580 to 0.620)",
    ]


def test_ten_slices_are_shown_and_the_others_counted():
    # 200 members and 100 non-members are enough to judge; see policies' defaults.
    slices = [_slice(str(age), 0.5 + age / 100, rows=200) for age in range(13)]
    results = _results(*slices, _slice("small", 0.99, rows=199))
    results.slices_left_out.slices = 7
    results.slices_left_out.largest_rows = 1_234
    text = summary_text(results)
    assert text.count("age = ") == 10
    assert "age = 12" in text
    assert "age = 2 " not in text
    assert "small" not in text.replace("too small", "")
    assert "3 more slices are less exposed; the report has them." in text
    assert "1 slice is too small to judge: fewer than 200 members or 100 non-members." in text
    assert "7 more slices were not measured" in text
    assert "the largest has 1,234 records" in text


def test_the_frame_has_a_row_for_every_value():
    frame = to_frame(_results(_slice("30", 0.6)))
    assert list(frame.columns) == [
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
    # Two attacks and the best of them with two metrics; on the slice the best has one.
    assert len(frame) == 3 * 2 + 2 * 2 + 1
    best = frame[(frame.attack == BEST_OF_ATTACKS) & (frame.metric == "auc")]
    assert best[["slice_feature", "slice_value", "rows", "estimate"]].values.tolist() == [
        ["(whole)", "", 1500, 0.65],
        ["age", "30", 1000, 0.6],
    ]
    assert best[["members", "nonmembers", "confidence"]].values.tolist() == [[300, 200, 0.95]] * 2


def test_the_frame_turns_into_the_table_of_tf_privacy():
    frame = to_frame(_results(_slice("30", 0.6)))
    table = frame.pivot_table(
        index=["slice_feature", "slice_value", "attack"], columns="metric", values="estimate"
    )[["auc", "precision_0.5"]]
    assert table.loc[("age", "30", "entropy")].tolist() == pytest.approx([0.6, 0.6])
    assert table.loc[("(whole)", "", "loss_threshold")].tolist() == pytest.approx([0.64, 0.6])


def test_a_frame_of_nothing_is_empty():
    assert len(to_frame(results_pb2.PrivacyResults())) == 0


def test_hostile_values_are_shown_and_not_obeyed():
    text = summary_text(_results(_slice("\x1b[31m" + "v" * 500, 0.6)))
    assert "\x1b" not in text
    assert max(len(line) for line in text.split("\n")) <= 100
