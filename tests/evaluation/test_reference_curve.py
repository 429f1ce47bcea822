"""Metrics against the number of reference models, where it is known what more of them tell."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.rank_sum import rank_sum_auc
from tfx_privacy.attacks.reference_names import CURVE_ATTACKS
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.evaluation.reference_curve import curve_metrics, reference_curves
from tfx_privacy.evaluation.suite import KnownRows
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.registry import metric_title
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.reference_signals import ReferenceSignals

K = 16
CONFIG = config_pb2.PrivacyConfig(
    seed=5,
    confidence=0.95,
    metrics=[
        config_pb2.MetricSpec(name="auc"),
        config_pb2.MetricSpec(name="epsilon", delta=0.0),
        config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.1),
    ],
)


def _world(rows: int, seed: int, k: int = K) -> Signals:
    """Out of a model phi is N(difficulty, 1), in it 1 higher; difficulties are N(0, 3^2).

    Knowing a record's difficulty the best AUC is that of N(1, 1) against N(0, 1), .760;
    without it .588.
    """
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 3, rows)
    member = np.arange(rows) % 2 == 0
    first = rng.random((rows, k // 2)) < 0.5
    inside = np.stack([first, ~first], axis=2).reshape(rows, k)
    phi = (difficulty + member + rng.normal(0, 1, rows)).astype(np.float32)
    references = (difficulty[:, None] + inside + rng.normal(0, 1, (rows, k))).astype(np.float32)
    return Signals(
        config_pb2.BINARY,
        rng.integers(0, 2**63, (rows, 2)).astype(np.uint64),
        member,
        label=np.ones(rows, np.int64),
        # Of class 1 the logit is the log-odds.
        logits=phi[:, None],
        references=ReferenceSignals(
            inside=inside,
            loss=np.logaddexp(0, -references),
            logit=references[:, :, None],
            target_logit=phi[:, None],
        ),
    ).sorted_by_id()


@pytest.fixture(scope="module")
def fit() -> Signals:
    return _world(4_000, seed=1)


@pytest.fixture(scope="module")
def judged() -> Signals:
    return _world(4_000, seed=2)


def _known(fit: Signals) -> KnownRows:
    return KnownRows(dataclasses.replace(fit, references=None), fit)


@pytest.fixture(scope="module")
def curves(fit, judged):
    attacks = [*resolve_attacks(["loss_threshold", "lira_online"]), *resolve_attacks(CURVE_ATTACKS)]
    return {one.attack: one for one in reference_curves(attacks, _known(fit), judged, CONFIG)}


def _areas(curve):
    return [point.metrics[0].value for point in curve.points]


def _direct(k: int) -> float:
    """Online LiRA's AUC with k models and one variance, as the paper has it, on 200,000 rows."""
    rows = _world(200_000, seed=100 + k, k=k)
    references = rows.references
    values, inside = references.logit[:, :, 0].astype(float), references.inside
    centres = [(values * side).sum(axis=1) / side.sum(axis=1) for side in (inside, ~inside)]
    phi = rows.logits[:, 0].astype(float)
    # Both sides spread alike here: the ratio of two Gaussians of one variance.
    score = (phi - centres[1]) ** 2 - (phi - centres[0]) ** 2
    return rank_sum_auc(score, rows.member)[0]


def test_more_models_tell_more_by_as_much_as_they_do(curves):
    curve = curves["lira_online_fixed_variance"]
    assert [point.models for point in curve.points] == [2, 4, 8, 16]
    for point in curve.points:
        area = point.metrics[0].value
        assert area.lower < _direct(point.models) < area.upper
    areas = [area.estimate for area in _areas(curve)]
    assert (np.diff(areas) > 0.01).all()
    assert areas[0] > 0.588
    assert areas[-1] < 0.760


@pytest.mark.parametrize("attack", ["rmia_online", "rmia_offline", "lira_offline_fixed_variance"])
def test_more_models_are_better_for_the_others_too(curves, attack):
    first, *_, last = _areas(curves[attack])
    assert last.estimate > first.estimate + 0.015


def test_there_is_a_curve_of_each_attack_that_has_one(fit, judged, curves):
    assert list(curves) == list(CURVE_ATTACKS)
    (online,) = resolve_attacks(["rmia_online"])
    weak = LimitedAttacker(online, "weak", 0.5, ("logits", "label", "references"))
    assert reference_curves([weak], _known(fit), judged, CONFIG) == []


def test_the_rows_judged_are_those_counted(curves, judged):
    for curve in curves.values():
        for point in curve.points:
            for one in point.metrics:
                assert (one.value.members, one.value.nonmembers) == (2_000, 2_000)
                assert one.value.confidence == 0.95


def test_edges_come_from_fit_rows_that_the_attack_has_not_seen(fit, judged, curves):
    """RMIA's population is made of FIT non-members: their scores are out of fold."""
    (attack,) = resolve_attacks(["rmia_offline"])
    fewer, judged_fewer = (
        dataclasses.replace(rows, references=rows.references.first(4)) for rows in (fit, judged)
    )
    edges = choose_edges(out_of_fold_scores(attack, fewer, CONFIG.seed), fewer.member)
    scores = attack.fit(fewer, CONFIG.seed).score(judged_fewer)
    counts = count_scores(scores, judged.member, edges)
    expected = measure_attack("rmia_offline", counts, edges, curve_metrics(CONFIG), 0.95)
    point = curves["rmia_offline"].points[1]
    assert point.models == 4
    assert list(point.metrics) == list(expected.metrics)


def test_an_epsilon_is_left_out_and_auc_and_tpr_are_there_unasked():
    titles = [metric_title(metric) for metric in curve_metrics(CONFIG)]
    assert titles == ["AUC", "TPR at 10% FPR"]
    bare = config_pb2.PrivacyConfig(metrics=[config_pb2.MetricSpec(name="advantage")])
    assert [metric_title(metric) for metric in curve_metrics(bare)] == [
        "advantage",
        "AUC",
        "TPR at 1% FPR",
    ]


def test_six_models_end_with_all(fit, judged):
    fewer_fit, fewer_judged = (
        dataclasses.replace(rows, references=rows.references.first(6)) for rows in (fit, judged)
    )
    attacks = resolve_attacks(["lira_offline_fixed_variance"])
    (curve,) = reference_curves(attacks, _known(fewer_fit), fewer_judged, CONFIG)
    assert [point.models for point in curve.points] == [2, 4, 6]


def test_none_without_rows_of_both_sides_or_references(fit, judged):
    attacks = resolve_attacks(CURVE_ATTACKS)
    for rows in (
        judged.take(judged.member),
        judged.take(~judged.member),
        dataclasses.replace(judged, references=None),
    ):
        assert reference_curves(attacks, _known(fit), rows, CONFIG) == []
