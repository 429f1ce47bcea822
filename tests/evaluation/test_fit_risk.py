"""Whose rows a record's risk is fitted on: never the record's own part."""

from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.risk import fit_risk, fit_risk_on_another_model
from tfx_privacy.evaluation.score import RiskPlan
from tfx_privacy.evaluation.suite import KnownRows, choose_on_fit, fit_suite
from tfx_privacy.metrics.risk_curve import RiskCurve
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role


def _rows(leak: float, rows: int, seed: int) -> KnownRows:
    rng = np.random.default_rng(seed)
    member = np.arange(rows) % 2 == 0
    logits = rng.normal(size=(rows, 3)).astype(np.float32)
    logits[:, 0] += leak * member
    loss = (np.log(np.exp(logits).sum(axis=1)) - logits[:, 0]).astype(np.float32)
    signals = Signals(
        task=config_pb2.MULTICLASS,
        ids=np.column_stack([np.full(rows, seed), np.arange(rows)]).astype(np.uint64),
        member=member,
        label=np.zeros(rows, np.int64),
        logits=logits,
        loss=loss,
    )
    return KnownRows(signals, signals)


def _attack(name: str) -> Attack:
    return resolve_attacks([name])[0]


def _plan(name: str, known: KnownRows, judged: KnownRows) -> RiskPlan | None:
    attack = _attack(name)
    on_fit, on_judge = (fit_suite([attack], rows, 0) for rows in (known, judged))
    chosen = choose_on_fit([attack], on_fit, known, 0)
    config = config_pb2.PrivacyConfig(risk_prior=0.3, seed=0)
    return fit_risk(attack, chosen, known, on_judge, judged, config)


def test_each_part_has_the_curve_of_the_other() -> None:
    # FIT leaks much, JUDGE nothing: whose curve is whose can be seen.
    known, judged = _rows(3.0, 600, seed=1), _rows(0.0, 600, seed=2)
    plan = _plan("loss_threshold", known, judged)
    assert plan is not None
    attack = _attack("loss_threshold")
    for role, rows in ((Role.JUDGE, known), (Role.FIT, judged)):
        scores = attack.fit(rows.rows, 0).score(rows.rows)
        curve = RiskCurve.fit(scores, rows.rows.member, 0.3)
        np.testing.assert_array_equal(plan.curves[role].risks, curve.risks)
        np.testing.assert_array_equal(plan.of({"loss_threshold": scores}, role), curve(scores))
    assert np.ptp(plan.curves[Role.JUDGE].risks) > 2 * np.ptp(plan.curves[Role.FIT].risks)


def test_a_trained_attack_has_no_risk_from_rows_that_it_learned() -> None:
    """A forest knows its own rows; without a leak its risks are about the prior all the same."""
    known, judged = _rows(0.0, 600, seed=1), _rows(0.0, 600, seed=2)
    plan = _plan("random_forest", known, judged)
    assert plan is not None
    own = _attack("random_forest").fit(judged.rows, 0).score(judged.rows)
    learned = RiskCurve.fit(own, judged.rows.member, 0.3)
    for curve in plan.curves.values():
        assert np.ptp(curve.risks) < 0.6 * np.ptp(learned.risks)


@pytest.mark.parametrize(("fit", "judge"), [(38, 600), (600, 38)])
def test_fewer_than_twenty_rows_of_a_side_are_too_few(fit: int, judge: int) -> None:
    assert _plan("loss_threshold", _rows(1.0, fit, seed=1), _rows(1.0, judge, seed=2)) is None
    assert _plan("loss_threshold", _rows(1.0, 40, seed=1), _rows(1.0, 40, seed=2)) is not None


def test_one_curve_of_another_model_is_for_all_records() -> None:
    known = _rows(2.0, 600, seed=3)
    attack = _attack("logistic_regression")
    chosen = choose_on_fit([attack], fit_suite([attack], known, 0), known, 0)
    config = config_pb2.PrivacyConfig(risk_prior=0.3, seed=0)
    plan = fit_risk_on_another_model(attack, chosen, known, config)
    assert plan is not None
    # Of scores by a fit that did not see the row: `best_scores` are out of fold.
    curve = RiskCurve.fit(chosen.best_scores, known.rows.member, 0.3)
    scores = {"logistic_regression": np.linspace(-3, 3, 50)}
    for role in (Role.FIT, Role.JUDGE):
        np.testing.assert_array_equal(plan.of(scores, role), curve(scores["logistic_regression"]))
    few = _rows(2.0, 30, seed=4)
    chosen = choose_on_fit([attack], fit_suite([attack], few, 0), few, 0)
    assert fit_risk_on_another_model(attack, chosen, few, config) is None
