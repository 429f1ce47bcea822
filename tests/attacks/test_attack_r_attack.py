"""Attack-R as an attack: ranks of losses, for every task."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.attack_r import AttackR
from tfx_privacy.attacks.loss_threshold import LossThreshold
from tfx_privacy.attacks.reference_scores.attack_r import attack_r
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.reference_signals import ReferenceSignals

TASKS = [config_pb2.BINARY, config_pb2.MULTICLASS, config_pb2.MULTILABEL, config_pb2.REGRESSION]


def test_ranks_among_models_without_the_record(make_signals):
    signals = make_signals(config_pb2.REGRESSION, [[1.0], [2.0]], [[0.0], [0.0]], [True, False])
    # Losses 1 and 4.
    references = ReferenceSignals(
        inside=np.array([[True, False, False, True], [False, True, False, False]]),
        loss=np.array([[9, 2, 1, 9], [5, 9, 3, 2]], np.float32),
    )
    signals = dataclasses.replace(signals, references=references)

    # Of 2 and 1 one is larger and one equal; of 5, 3 and 2 one is larger.
    assert AttackR().fit(signals, 0).score(signals).tolist() == [0.75, 1 / 3]


@pytest.mark.parametrize("task", TASKS, ids=config_pb2.Task.Name)
def test_any_task_and_pool(task, leaky, with_references, auc):
    signals = with_references(leaky(task, rows=2000, leak=0.0), leak=0.0, online=False)

    assert AttackR().cannot_run(signals) is None
    assert (
        AttackR()
        .cannot_run(dataclasses.replace(signals, references=None))
        .startswith("needs reference models, and the measurement was given none")
    )
    scores = AttackR().fit(signals, 0).score(signals)
    references = signals.references
    expected = attack_r(
        signals.loss.astype(np.float64), references.loss.astype(np.float64), references.inside
    )
    np.testing.assert_array_equal(scores, expected)
    # Nothing is there to be found: four standard errors.
    assert auc(scores, signals.member) == pytest.approx(0.5, abs=4 * 0.0132)


def test_finds_a_leak_that_hard_and_easy_records_hide(leaky, with_references, auc):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=3000, leak=1.5), 16, leak=1.5)

    found = auc(AttackR().fit(signals, 0).score(signals), signals.member)

    assert found > auc(LossThreshold().score(signals), signals.member) + 0.05


def test_a_pool_with_more_of_one_side_tells_the_sides_apart_without_a_leak(
    leaky, with_references, auc
):
    signals = with_references(leaky(config_pb2.MULTICLASS, rows=2000, leak=0.0), 2, leak=0.0)
    one_side = dataclasses.replace(
        signals,
        references=dataclasses.replace(
            signals.references, inside=signals.references.inside & ~signals.member[:, None]
        ),
    )
    # Of members there are two models, of non-members one: members alone score 1/2.
    scores = AttackR().fit(one_side, 0).score(one_side)
    assert (scores[signals.member] == 0.5).mean() > 0.2
    assert not (scores[~signals.member] == 0.5).any()

    reason = AttackR().cannot_run(one_side)
    found = (int(signals.member.sum()), int((~signals.member).sum()))
    assert f"it has 0 of {found[0]} members and {found[1]} of {found[1]} non-members" in reason
    # Records of both sides alike are no reason.
    every_fifth = np.arange(len(signals)) % 5 == 0
    some = dataclasses.replace(
        signals,
        references=dataclasses.replace(
            signals.references, inside=signals.references.inside & every_fifth[:, None]
        ),
    )
    assert AttackR().cannot_run(some) is None


def test_without_losses():
    assert AttackR().needs == {"loss", "references"}
    assert not AttackR().is_trained
