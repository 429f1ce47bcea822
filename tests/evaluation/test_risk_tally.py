"""Records by risk as workers count them: in any order, bounded, and without pickle."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.evaluation.risk_tally import (
    CLASSES,
    MOST_EXPOSED,
    ClassRisks,
    MostExposed,
    RiskTally,
)
from tfx_privacy.evaluation.tally import Addable, ScoredRows
from tfx_privacy.metrics.risk_histogram import RiskHistogram
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role

_ROWS = 400


def _signals(rows: int = _ROWS, classes: int = 7) -> Signals:
    rng = np.random.default_rng(0)
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=np.column_stack([np.zeros(rows), np.arange(rows)]).astype(np.uint64),
        member=rng.uniform(size=rows) < 0.5,
        label=rng.integers(0, classes, rows),
    )


def _scored(signals: Signals, role: Role = Role.JUDGE) -> ScoredRows:
    # Few different scores: ties of risk everywhere.
    scores = (signals.ids[:, 1] % 10).astype(np.float64)
    return ScoredRows(
        signals=signals,
        role=role,
        scores={"a": scores, "b": -scores},
        guesses={"a": scores >= 5, "b": scores < 5},
        risk=0.05 + scores / 10.0,
    )


def _total(parts: list[dict[str, Addable]]) -> dict[str, Addable]:
    totals: dict[str, Addable] = {}
    for part in parts:
        for key, value in part.items():
            totals[key] = totals[key] + value if key in totals else value
    return totals


def _tally(signals: Signals) -> RiskTally:
    return RiskTally.prepare(signals, "a", 0.5)


def test_parts_in_any_order_give_the_same_bytes() -> None:
    signals = _signals()
    tally, order = _tally(signals), np.random.default_rng(1).permutation(_ROWS)
    at_once = _total([dict(tally.count(_scored(signals)))])
    parts = [dict(tally.count(_scored(signals.take(rows)))) for rows in np.array_split(order, 9)]
    for some in (parts, parts[::-1]):
        assert tally.to_bytes(dict(sorted(_total(some).items()))) == tally.to_bytes(
            dict(sorted(at_once.items()))
        )


def test_what_was_written_is_read() -> None:
    signals = _signals()
    tally = _tally(signals)
    totals = _total([dict(tally.count(_scored(signals, role))) for role in (Role.JUDGE, Role.FIT)])
    assert set(totals) == {"JUDGE", "FIT", CLASSES, MOST_EXPOSED}
    read = tally.from_bytes(tally.to_bytes(totals))
    assert tally.to_bytes(read) == tally.to_bytes(totals)
    classes, judged = read[CLASSES], read["JUDGE"]
    assert isinstance(classes, ClassRisks)
    assert isinstance(judged, RiskHistogram)
    assert classes.labels.tolist() == list(range(7))
    assert classes.histograms.members.sum() == 2 * judged.n_members == 2 * signals.member.sum()


def test_the_most_exposed_by_risk_then_id() -> None:
    signals = _signals()
    exposed = _tally(signals).count(_scored(signals))[MOST_EXPOSED]
    assert isinstance(exposed, MostExposed)
    members = signals.ids[signals.member, 1]
    expected = [*members[members % 10 == 9], *members[members % 10 == 8]][:20]
    assert [int(one.id, 16) for one in exposed.records] == expected
    assert len(exposed.records) == 20
    # Attack "a" guesses members from a score of 5 on, "b" the others: one of two is right.
    assert {one.attacks_right for one in exposed.records} == {0.5}
    assert len((exposed + exposed).records) == 20


def test_of_very_many_classes_those_with_the_most_rows_are_counted() -> None:
    rows = 3_000
    signals = _signals(rows, classes=1_500)
    tally = _tally(signals)
    assert tally.classes is not None
    assert len(tally.classes) == 1_000
    assert signals.label is not None
    _, sizes = np.unique(signals.label, return_counts=True)
    counted = tally.count(_scored(signals))[CLASSES]
    assert isinstance(counted, ClassRisks)
    of_counted = counted.histograms.members.sum() + counted.histograms.nonmembers.sum()
    assert of_counted == np.sort(sizes)[::-1][:1_000].sum()


@pytest.mark.parametrize("task", [config_pb2.REGRESSION, config_pb2.MULTILABEL])
def test_other_tasks_have_no_classes(task: config_pb2.Task.ValueType) -> None:
    label = np.zeros((5, 2), np.float32)
    ids, member = np.ones((5, 2), np.uint64), np.arange(5) < 3
    signals = Signals(task=task, ids=ids, member=member, label=label)
    counted = _tally(signals).count(_scored(signals))
    assert CLASSES not in counted
    exposed = counted[MOST_EXPOSED]
    assert isinstance(exposed, MostExposed)
    assert all(one.label is None for one in exposed.records)


def test_without_a_risk_nothing_is_counted() -> None:
    signals = _signals()
    scored = ScoredRows(signals, Role.JUDGE, {}, {}, None)
    tally = _tally(signals)
    assert tally.count(scored) == {}
    assert tally.from_bytes(tally.to_bytes({})) == {}
