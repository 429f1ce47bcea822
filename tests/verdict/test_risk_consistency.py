"""The risk of records that contradicts itself, or the records, is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tfx_privacy.metrics.reliability import (
    ReliabilityBin,
    calibration_error,
    member_share,
    share_of_side,
)
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.risk_consistency import check_record_risk

_GROUPS = ((0.25, 20, 90), (0.75, 80, 10))


def _measured(interval, members: int, nonmembers: int) -> results_pb2.MeasuredValue:
    return results_pb2.MeasuredValue(
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        confidence=0.95,
        members=members,
        nonmembers=nonmembers,
    )


def _results() -> results_pb2.PrivacyResults:
    """100 + 100 judged, 40 + 40 in FIT, 10 + 10 beyond it; two groups and two bins."""
    bins = [
        ReliabilityBin(risk, member_share(a, 100, b, 100, 0.5, 0.025), a, b, (a + b) / 200)
        for risk, a, b in _GROUPS
    ]
    risk = results_pb2.RecordRiskResults(
        attack="loss_threshold",
        prior=0.5,
        reliability=[
            results_pb2.ReliabilityBin(
                mean_risk=one.mean_risk,
                member_share=_measured(one.member_share, one.members, one.nonmembers),
            )
            for one in bins
        ],
        calibration_error=calibration_error(bins),
        edges=[0.0, 0.5, 1.0],
        whole=results_pb2.RiskDistribution(members=[50, 100], nonmembers=[100, 50]),
        classes=[
            results_pb2.ClassRisk(
                class_name=name,
                distribution=results_pb2.RiskDistribution(members=[25, 50], nonmembers=[50, 25]),
                mean_member_risk=0.6,
            )
            for name in ("a", "b")
        ],
        above=[
            results_pb2.RiskAbove(
                risk=told,
                members=_measured(share_of_side(a, 100, 0.025), 100, 0),
                nonmembers=_measured(share_of_side(b, 100, 0.025), 0, 100),
            )
            for told, a, b in ((0.6, 80, 10), (0.7, 40, 0))
        ],
        most_exposed=[
            results_pb2.ExposedRecord(id=f"{number:032x}", risk=risk, attacks_right=1.0)
            for number, risk in enumerate((0.9, 0.8, 0.8))
        ],
    )
    sides = results_pb2.SideCounts
    return results_pb2.PrivacyResults(
        best_attack="loss_threshold",
        records=results_pb2.Records(
            fit=sides(members=40, nonmembers=40),
            fit_beyond_sample=sides(members=10, nonmembers=10),
            judge=sides(members=100, nonmembers=100),
        ),
        record_risk=risk,
    )


def test_what_was_computed_is_accepted() -> None:
    check_record_risk(_results())


def test_results_that_say_nothing_of_it_are_accepted() -> None:
    check_record_risk(results_pb2.PrivacyResults())
    why = results_pb2.RecordRiskResults(not_computed="no attack ran")
    check_record_risk(results_pb2.PrivacyResults(record_risk=why))


Edit = Callable[[results_pb2.RecordRiskResults], None]


def _set(path: str, value: object) -> Edit:
    """Sets a field, "above.0.members.lower" for instance; a last number is a list's place."""

    def edit(risk: results_pb2.RecordRiskResults) -> None:
        place: object = risk
        *parents, last = path.split(".")
        for name in parents:
            place = place[int(name)] if name.isdigit() else getattr(place, name)
        if last.isdigit():
            place[int(last)] = value
        else:
            setattr(place, last, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (_set("prior", 1.0), "prior 1.0"),
        (_set("attack", "entropy"), "expected the best attack"),
        (_set("not_computed", "because"), "expected one of both"),
        (_set("edges.1", 0.0), "ascend from 0 to 1"),
        (_set("edges.2", 0.9), "ascend from 0 to 1"),
        (_set("whole.members.0", 51), "found 151 members, expected the 150"),
        (_set("whole.nonmembers.1", 49), "found 149 non-members, expected the 150"),
        (_set("whole.members.0", -1), "the smallest with -1"),
        (_set("classes.0.distribution.members.0", 26), "more members in classes"),
        (_set("classes.1.mean_member_risk", np.nan), "mean risk of the members of a class"),
        (_set("classes.1.mean_member_risk", 1.2), "mean risk of the members of a class"),
        (_set("reliability.0.member_share.members", 21), "found 101 members, expected the 100"),
        (_set("reliability.0.mean_risk", 0.8), "risks that ascend"),
        (_set("reliability.0.mean_risk", np.nan), "risks that ascend"),
        (_set("reliability.1.mean_risk", 1.5), "mean risk of a bin"),
        (_set("reliability.1.member_share.lower", 0.8), "results must not be edited"),
        (_set("reliability.1.member_share.confidence", 0.0), "interval of confidence 0.0"),
        (_set("calibration_error", 0.0), "calibration error"),
        (_set("calibration_error", np.nan), "calibration error"),
        (_set("above.0.risk", 1.0), "no risk"),
        (_set("above.0.members.members", 99), "found it of 99, expected of the 100"),
        (_set("above.1.members.estimate", 0.9), "results must not be edited"),
        (_set("above.1.nonmembers.upper", 0.5), "results must not be edited"),
        (_set("above.1.risk", 0.5), "fewer records above a higher risk"),
        (_set("most_exposed.1.id", "0" * 32), "each once"),
        (_set("most_exposed.1.id", "<b>"), "32 hexadecimal digits"),
        (_set("most_exposed.1.risk", 0.95), "highest risk first"),
        (_set("most_exposed.0.risk", np.inf), "risk of an exposed record"),
        (_set("most_exposed.0.attacks_right", -0.1), "attacks that are right"),
    ],
)
def test_what_cannot_be_is_refused(edit: Edit, words: str) -> None:
    results = _results()
    edit(results.record_risk)
    with pytest.raises(ValueError, match=words):
        check_record_risk(results)


def test_neighbours_may_have_the_same_mean_up_to_rounding() -> None:
    """Of two groups with one risk, a sum over 100 and one over 90 rows round differently."""
    results = _results()
    risk = results.record_risk
    risk.reliability[0].mean_risk = 0.5
    risk.reliability[1].mean_risk = 0.5 - 1e-16
    # Shares of members 20 / 110 and 80 / 90, weights .55 and .45.
    risk.calibration_error = 0.55 * (0.5 - 20 / 110) + 0.45 * (80 / 90 - 0.5)
    check_record_risk(results)


@pytest.mark.parametrize("side", ["members", "nonmembers"])
def test_a_risk_without_rows_that_were_judged_is_refused(side: str) -> None:
    results = _results()
    setattr(results.records.judge, side, 0)
    with pytest.raises(ValueError, match="expected at least one of each"):
        check_record_risk(results)


def test_bins_of_another_number_are_refused() -> None:
    results = _results()
    results.record_risk.whole.members.append(0)
    with pytest.raises(ValueError, match="found 3 bins of members"):
        check_record_risk(results)


def test_no_reliability_is_refused() -> None:
    results = _results()
    del results.record_risk.reliability[:]
    with pytest.raises(ValueError, match="no bins of its reliability"):
        check_record_risk(results)


def test_many_exposed_are_refused() -> None:
    results = _results()
    results.record_risk.most_exposed.extend(
        results_pb2.ExposedRecord(id=f"{number:032x}", risk=0.1) for number in range(100, 118)
    )
    with pytest.raises(ValueError, match="found 21"):
        check_record_risk(results)
