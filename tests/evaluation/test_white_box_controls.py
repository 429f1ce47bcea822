"""The controls with white-box attacks: the planted leak is found, two halves are not told apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.controls import HalvedNonmembers, run_on_halved_nonmembers
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.metrics.controls import (
    POSITIVE_SHARES,
    ControlOutcome,
    judge_negative,
    judge_positive,
    positive_run,
)
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals

_ACTIVATIONS = "logistic_regression_activations"
# The white-box network has tests of its own: Keras trains it.
_ATTACKS = tuple(
    attack for attack in resolve_attacks(["white_box"]) if attack.name != "white_box_network"
)


def _rows(number: int, seed: int) -> Signals:
    """Non-members: gradients go with losses, activations with nothing."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, number)
    logits = rng.normal(size=(number, 3))
    logits[np.arange(number), label] += 1.0
    loss = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(number), label]
    size = (1 - np.exp(-loss)) * np.exp(rng.normal(0, 0.3, number))
    direction = rng.normal(size=(number, 16))
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=rng.integers(0, 2**64, (number, 2), dtype=np.uint64),
        member=np.zeros(number, np.bool_),
        label=label,
        logits=logits.astype(np.float32),
        loss=loss.astype(np.float32),
        gradient_norms={"a": size.astype(np.float32), "b": (2 * size).astype(np.float32)},
        gradient_sketches={"a": (size[:, None] * direction / 4).astype(np.float32)},
        activations={"a": rng.normal(size=(number, 5)).astype(np.float32)},
    ).sorted_by_id()


@pytest.fixture(scope="module")
def halved() -> HalvedNonmembers:
    fit, judge = _rows(1_000, 1), _rows(4_000, 2)
    selection = Selection(
        records=results_pb2.Records(),
        fit=fit.without_white_box(),
        judge_sample=fit.take(np.arange(0)),
        fit_inputs=fit.without_white_box(),
        fit_wide=fit,
        judge_wide=fit.take(np.arange(0)),
        control_nonmembers=judge,
    )
    return run_on_halved_nonmembers(_ATTACKS, selection, config_pb2.PrivacyConfig(seed=3))


def test_each_attack_that_can_see_the_planted_leak_finds_it(halved: HalvedNonmembers) -> None:
    """A share p of one half is planted: AUC .5 + p / 2."""
    control = results_pb2.PositiveControl()
    for share in POSITIVE_SHARES:
        control.runs.add(share=share)
    evidence = Evidence(edges={}, counts={}, controls=halved.runs)

    finding = judge_positive(control, evidence, auc_limit=0.6)

    assert finding.outcome is ControlOutcome.PASSED, finding.reason
    seeing = {attack.name for attack in _ATTACKS} - {_ACTIVATIONS}
    for share in POSITIVE_SHARES:
        assert set(halved.runs[positive_run(share)].counts) == seeing


def test_none_tells_two_random_halves_apart(halved: HalvedNonmembers) -> None:
    evidence = Evidence(edges={}, counts={}, controls=halved.runs)

    finding = judge_negative(results_pb2.NegativeControl(), evidence, limits=())

    assert finding.outcome is ControlOutcome.PASSED, finding.reason
    assert _ACTIVATIONS in halved.runs["negative"].counts


def test_activations_alone_leave_nothing_to_plant_in() -> None:
    """The control says so, and does not pass or fail."""
    rows = _rows(500, 1)
    selection = Selection(
        records=results_pb2.Records(),
        fit=rows.without_white_box(),
        judge_sample=rows.take(np.arange(0)),
        fit_inputs=rows.without_white_box(),
        fit_wide=rows,
        judge_wide=rows.take(np.arange(0)),
        control_nonmembers=dataclasses.replace(rows, ids=rows.ids + np.uint64(1)),
    )

    halved = run_on_halved_nonmembers(
        resolve_attacks([_ACTIVATIONS]), selection, config_pb2.PrivacyConfig(seed=3)
    )

    assert halved.positive_not_run == "no attack ran that can see the leak it plants"
