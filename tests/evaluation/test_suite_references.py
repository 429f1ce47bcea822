"""Attacks with reference models in a suite, and in the controls."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.reference_names import REFERENCE_ATTACKS
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.rmia import Rmia
from tfx_privacy.attacks.shadow_models import ShadowModels
from tfx_privacy.evaluation.config import resolve_config
from tfx_privacy.evaluation.controls import run_on_halved_nonmembers
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.evaluation.suite import (
    FittedSuite,
    KnownRows,
    attacks_of,
    fit_suite,
    runnable_attacks,
    wide_columns_of,
    with_references,
)
from tfx_privacy.metrics.controls import (
    NEGATIVE,
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
from tfx_privacy.signals.losses import losses
from tfx_privacy.signals.reference_signals import ReferenceSignals

_CLASSES = 3
_CONFIG = {
    "references": {"rmia_gamma": 3.0},
    "attacks": ["reference"],
    "attackers": [
        {"name": "all", "attacks": ["rmia_offline", "shadow_models"]},
        {"name": "weak", "signals": ["logits", "label"], "attacks": ["rmia_offline"]},
    ],
}


def _rows(number: int, seed: int, *, online: bool = True) -> Signals:
    """Four models in pairs that are surer of their own records, and a target that is too."""
    rng = np.random.default_rng(seed)
    member = rng.random(number) < 0.5
    label = rng.integers(0, _CLASSES, number)
    hard = rng.normal(0, 2, number)
    true = (hard + member + rng.normal(size=number)).astype(np.float32)
    logits = np.zeros((number, _CLASSES), np.float32)
    logits[np.arange(number), label] = true + np.float32(np.log(_CLASSES - 1))
    first = rng.random((number, 2)) < 0.5
    inside = np.stack([first, ~first], axis=2).reshape(number, 4) & online
    logit = hard[:, None] + inside + rng.normal(size=(number, 4))
    references = ReferenceSignals(
        inside=inside,
        loss=np.logaddexp(0, -logit).astype(np.float32),
        logit=logit[:, :, None].astype(np.float32),
        target_logit=true[:, None],
    )
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=rng.integers(0, 2**64, (number, 2), dtype=np.uint64),
        member=member,
        label=label,
        logits=logits,
        loss=losses(config_pb2.MULTICLASS, logits, label),
        references=references,
    ).sorted_by_id()


@pytest.fixture(scope="module")
def config() -> config_pb2.PrivacyConfig:
    return resolve_config(config_pb2.PrivacyConfig(**_CONFIG))


@pytest.fixture(scope="module")
def shadow_rows() -> Signals:
    return dataclasses.replace(_rows(1_000, 9), references=None)


def test_every_attack_has_its_settings_and_what_it_learned(config, shadow_rows) -> None:
    attacks = attacks_of(config)

    ready = with_references(attacks, config, shadow_rows, seed=0)

    assert [one.name for one in ready] == [one.name for one in attacks]
    bases = [one.base if isinstance(one, LimitedAttacker) else one for one in ready]
    assert {one.gamma for one in bases if isinstance(one, Rmia)} == {3.0}
    learned = {id(one.learned) for one in bases if isinstance(one, ShadowModels)}
    # Once for all who mount it.
    assert len(learned) == 1
    limited = [one for one in ready if isinstance(one, LimitedAttacker)]
    assert [one.signals for one in limited if one.attacker == "weak"] == [("logits", "label")]
    assert wide_columns_of(ready) == ("references",)


@pytest.mark.parametrize("rows", [0, 9, None])
def test_with_too_few_shadow_rows_nothing_is_learned(config, shadow_rows, rows) -> None:
    few = None
    if rows is not None:
        places = np.arange(len(shadow_rows))
        few = shadow_rows.take(
            np.sort(
                np.concatenate(
                    [places[side][:rows] for side in (shadow_rows.member, ~shadow_rows.member)]
                )
            )
        )
    ready = with_references(attacks_of(config), config, few, seed=0)
    fit = _rows(200, 1)

    able, reasons = runnable_attacks(ready, KnownRows(fit, fit), KnownRows(fit, fit), seed=0)

    assert {one.name for one in able} == (REFERENCE_ATTACKS - {"shadow_models"}) | {
        "rmia_offline@all"
    }
    assert set(reasons) == {"shadow_models", "shadow_models@all", "rmia_offline@weak"}
    assert "needs the answers of shadow models" in reasons["shadow_models"]
    assert "does not see references" in reasons["rmia_offline@weak"]


def test_a_suite_is_read_as_it_was_written(config, shadow_rows) -> None:
    fit, judge = _rows(200, 1), _rows(300, 2)
    known = KnownRows(dataclasses.replace(fit, references=None), fit)
    ready = with_references(attacks_of(config), config, shadow_rows, seed=0)
    able, _ = runnable_attacks(ready, known, known, seed=0)
    suite = fit_suite(able, known, seed=0)

    loaded = FittedSuite.from_bytes(suite.to_bytes())

    assert set(loaded.attacks) == {*REFERENCE_ATTACKS, "rmia_offline@all", "shadow_models@all"}
    for name, scores in suite.score(judge).items():
        np.testing.assert_array_equal(loaded.attacks[name].score(judge), scores, name)


def _selection(*, online: bool = True) -> Selection:
    fit, judge = _rows(2_000, 1, online=online), _rows(8_000, 3, online=online)
    return Selection(
        records=results_pb2.Records(),
        fit=dataclasses.replace(fit, references=None),
        judge_sample=judge.take(np.arange(0)),
        fit_inputs=fit,
        fit_wide=fit,
        judge_wide=judge.take(np.arange(0)),
        control_nonmembers=judge.take(~judge.member),
    )


@pytest.mark.parametrize("online", [True, False])
def test_controls_on_rows_with_references(config, shadow_rows, online) -> None:
    selection = _selection(online=online)
    ready = with_references(attacks_of(config), config, shadow_rows, seed=0)
    known = KnownRows(selection.fit, selection.fit_wide)
    able, _ = runnable_attacks(ready, known, known, seed=0)

    halved = run_on_halved_nonmembers(able, selection, config)

    names = set(REFERENCE_ATTACKS)
    if not online:
        names -= {"lira_online", "lira_online_fixed_variance", "rmia_online"}
    assert set(halved.runs[NEGATIVE].counts) == names
    seeing = {attack.name for attack in resolve_attacks(sorted(names)) if attack.sees_planted}
    assert seeing == names - {"attack_r", "shadow_models"}
    for share in POSITIVE_SHARES:
        assert set(halved.runs[positive_run(share)].counts) == seeing
    evidence = Evidence(edges={}, counts={}, controls=halved.runs)
    negative = judge_negative(results_pb2.NegativeControl(), evidence, [])
    assert negative.outcome is ControlOutcome.PASSED, negative.reason
    control = results_pb2.PositiveControl(
        runs=[results_pb2.PlantedLeak(share=share) for share in POSITIVE_SHARES]
    )
    for limit in (0.55, 0.7):
        positive = judge_positive(control, evidence, limit)
        assert positive.outcome is ControlOutcome.PASSED, positive.reason
