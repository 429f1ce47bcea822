"""Shokri's attack by class: counts by hand, intervals that cover, whatever batches rows come in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tfx_privacy.evaluation.shadow_tally import ShadowTally, shadow_counts
from tfx_privacy.evaluation.tally import ScoredRows
from tfx_privacy.metrics.called_members import CalledMembers
from tfx_privacy.metrics.class_statistics import MOST_CLASSES, WHOLE_CLASS
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role


def _rows(member, label, scores, *, task=config_pb2.MULTICLASS, role=Role.JUDGE):
    number = np.arange(len(member), dtype=np.uint64)
    signals = Signals(
        task,
        np.stack([number, number], axis=1),
        np.array(member, np.bool_),
        label=np.array(label, np.int64),
    )
    named = {} if scores is None else {"shadow_models": np.array(scores, np.float64)}
    return ScoredRows(signals, role, named, {}, None)


def _told(*parts):
    tally, totals = ShadowTally(), {}
    for part in parts:
        for key, value in tally.count(part).items():
            totals[key] = totals[key] + value if key in totals else value
    return shadow_counts(tally.from_bytes(tally.to_bytes(totals)))


def test_by_hand():
    # Class 0: one of two members called, one of one non-member. Class 2: two of two, and none
    # of two: a score of 0 is not above 0. Class 7 has members alone.
    told = _told(
        _rows(
            member=[1, 1, 0, 1, 1, 0, 0, 1],
            label=[0, 0, 0, 2, 2, 2, 2, 7],
            scores=[0.1, -3, 9, 1e-9, 5, 0, -1, 2],
        )
    )
    assert told == {
        WHOLE_CLASS: CalledMembers(5, 4, 3, 1),
        0: CalledMembers(2, 1, 1, 1),
        2: CalledMembers(2, 2, 2, 0),
    }
    # Rates 4/5 and 1/3 at equal sides: (4/5) / (4/5 + 1/3) = 12/17, where raw counts say 4/5.
    assert told[WHOLE_CLASS].precision(0.025).estimate == pytest.approx(12 / 17)
    assert told[WHOLE_CLASS].recall(0.025).estimate == 0.8
    assert told[0].precision(0.025).estimate == pytest.approx(1 / 3)
    assert told[2].precision(0.025).estimate == 1
    # Two of two: Clopper and Pearson's lower bound is the square root of alpha.
    assert told[2].recall(0.025).lower == pytest.approx(0.025**0.5)
    assert told[2].recall(0.025).upper == 1


def test_two_classes_of_a_binary_task():
    told = _told(_rows([1, 0, 1, 0], [0, 0, 1, 1], [1, -1, -1, 1], task=config_pb2.BINARY))
    assert told[0] == CalledMembers(1, 1, 1, 0)
    assert told[1] == CalledMembers(1, 0, 1, 1)
    assert told[WHOLE_CLASS] == CalledMembers(2, 1, 2, 1)


def test_where_nobody_is_called_a_member_the_precision_is_a_half():
    nobody = CalledMembers(50, 0, 70, 0)
    assert nobody.precision(0.025).estimate == 0.5
    assert nobody.recall(0.025).estimate == 0


def test_batches_do_not_matter():
    rng = np.random.default_rng(1)
    n = 1_000
    member, label, scores = rng.random(n) < 0.4, rng.integers(0, 9, n), rng.normal(size=n)
    whole = _told(_rows(member, label, scores))
    cuts = [0, 1, 2, 640, 640, 1_000]
    parts = [_rows(member[a:b], label[a:b], scores[a:b]) for a, b in itertools.pairwise(cuts)]
    assert _told(*reversed(parts)) == whole
    assert len(whole) == 10
    assert sum(whole[number].members for number in range(9)) == whole[WHOLE_CLASS].members


def test_only_judge_rows_of_the_attack_are_counted():
    assert ShadowTally().count(_rows([1, 0], [0, 0], [1, -1], role=Role.FIT)) == {}
    assert ShadowTally().count(_rows([1, 0], [0, 0], None)) == {}
    assert _told() == {}


def test_classes_beyond_the_most_are_part_of_the_whole_alone():
    told = _told(_rows([1, 0, 1, 0], [3, 3, MOST_CLASSES, MOST_CLASSES], [1, 1, 1, 1]))
    assert set(told) == {WHOLE_CLASS, 3}
    assert told[WHOLE_CLASS] == CalledMembers(2, 2, 2, 2)


@pytest.mark.parametrize(
    ("tpr", "fpr", "members", "nonmembers"),
    [(0.98, 0.45, 120, 60), (0.6, 0.3, 400, 400), (0.1, 0.09, 40, 500), (0.5, 0.01, 300, 90)],
)
def test_intervals_of_precision_and_recall_cover(tpr, fpr, members, nonmembers):
    """At 90% either bound misses in at most 5% of runs; 4,000 runs err by .011 at three sigma."""
    rng = np.random.default_rng(7)
    truth = {"precision": tpr / (tpr + fpr), "recall": tpr}
    runs, missed = 4_000, {name: [0, 0] for name in truth}
    for called, wrongly in zip(
        rng.binomial(members, tpr, runs), rng.binomial(nonmembers, fpr, runs), strict=True
    ):
        found = CalledMembers(members, int(called), nonmembers, int(wrongly))
        for name, value in truth.items():
            interval = getattr(found, name)(0.05)
            missed[name][0] += value < interval.lower
            missed[name][1] += value > interval.upper
    for name, misses in missed.items():
        assert max(misses) / runs < 0.05 + 0.011, name
    # Clopper and Pearson's bounds are not so wide that they miss nothing.
    assert sum(missed["recall"]) / runs > 0.02
