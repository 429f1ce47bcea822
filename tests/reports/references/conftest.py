"""Results with reference models, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2

AUC = config_pb2.MetricSpec(name="auc")
TPR_1 = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)


def value(
    estimate: float, half: float, members: int = 1_000, nonmembers: int = 500
) -> results_pb2.MeasuredValue:
    """An interval as far to both sides, within [0, 1]."""
    return results_pb2.MeasuredValue(
        estimate=estimate,
        lower=max(0.0, estimate - half),
        upper=min(1.0, estimate + half),
        confidence=0.95,
        members=members,
        nonmembers=nonmembers,
    )


def attack(
    name: str, area: float, rate: float, half: float = 0.01, half_of_rate: float = 0.02
) -> results_pb2.AttackResult:
    """An attack with an AUC and a TPR at 1% FPR."""
    return results_pb2.AttackResult(
        name=name,
        metrics=[
            results_pb2.MetricValue(metric=AUC, value=value(area, half)),
            results_pb2.MetricValue(metric=TPR_1, value=value(rate, half_of_rate)),
        ],
    )


def curve(
    name: str,
    areas: Sequence[float],
    rates: Sequence[float],
    half: float = 0.008,
    numbers: Sequence[int] = (2, 4, 8, 16),
) -> results_pb2.ReferenceCurve:
    """One point for each AUC and rate, with the first so many models."""
    return results_pb2.ReferenceCurve(
        attack=name,
        points=[
            results_pb2.ReferenceCurvePoint(
                models=models,
                metrics=[
                    results_pb2.MetricValue(metric=AUC, value=value(area, half)),
                    results_pb2.MetricValue(metric=TPR_1, value=value(rate, half)),
                ],
            )
            for models, area, rate in zip(numbers, areas, rates, strict=False)
        ],
    )


def trained(models: int = 16, target: int = 5_000) -> references_pb2.ReferenceModels:
    """Online models on halves of 10,000 records."""
    made = references_pb2.ReferenceModels(
        config=references_pb2.ReferenceModelsConfig(
            models=models, online=references_pb2.OnlinePool()
        ),
        target_records=target,
        pool=references_pb2.IdSet(records=10_000, digest="ab"),
    )
    for index in range(models):
        made.models.add(
            index=index,
            trained_on=references_pb2.IdSet(records=4_980 + 40 * (index % 2)),
            held_out=references_pb2.IdSet(records=5_020 - 40 * (index % 2)),
            train_steps=780,
            seconds=31.5,
            subset_bytes=31_400_000,
        )
    return made


def shadow(classes: int = 30, shared: int = 0, seed: int = 3) -> results_pb2.ShadowResults:
    """Shokri's attack over classes that differ."""
    rng = np.random.default_rng(seed)
    return results_pb2.ShadowResults(
        attack_set=results_pb2.SideCounts(members=48_000, nonmembers=47_500),
        classes=classes - shared,
        classes_shared=shared,
        precision=value(0.824, 0.018),
        recall=value(0.922, 0.021),
        by_class=[
            results_pb2.ShadowClass(
                label=f"class {index}",
                precision=value(float(np.clip(rng.normal(0.8, 0.08), 0, 1)), 0.09, 40, 35),
                recall=value(float(np.clip(rng.normal(0.9, 0.05), 0, 1)), 0.1, 40, 35),
            )
            for index in range(classes)
        ],
    )


def references(models: int = 16) -> results_pb2.ReferenceResults:
    """Of 16 online models that remember."""
    rng = np.random.default_rng(5)
    return results_pb2.ReferenceResults(
        uri="/pipelines/cifar/ReferenceTrainer/reference_models/7",
        trained=trained(models),
        queries=1,
        online=True,
        records_inside=10_000,
        records=10_000,
        losses=[
            results_pb2.ReferenceModelLosses(
                index=index,
                inside=4_980 + 40 * (index % 2),
                outside=5_020 - 40 * (index % 2),
                inside_loss=0.42 + 0.03 * float(rng.normal()),
                outside_loss=1.31 + 0.06 * float(rng.normal()),
            )
            for index in range(models)
        ],
        difference=results_pb2.LossDifference(
            records=10_000, mean=-0.89, standard_error=0.011, p_value=1.0
        ),
        curves=[
            curve("lira_online_fixed_variance", [0.69, 0.74, 0.77, 0.79], [0.03, 0.05, 0.08, 0.1]),
            curve(
                "lira_offline_fixed_variance", [0.68, 0.73, 0.76, 0.777], [0.03, 0.05, 0.07, 0.092]
            ),
            curve("rmia_online", [0.775, 0.795, 0.806, 0.811], [0.06, 0.09, 0.12, 0.139]),
            curve("rmia_offline", [0.77, 0.79, 0.80, 0.807], [0.05, 0.07, 0.09, 0.111]),
        ],
        curve_rows=results_pb2.SideCounts(members=3_340, nonmembers=3_330),
        rmia_gamma=2.0,
        rmia_offline_a=0.3,
        shadow=shadow(),
    )


ATTACKS = (
    ("loss_threshold", 0.76, 0.021),
    ("confidence", 0.755, 0.02),
    ("lira_online", 0.771, 0.062),
    ("lira_online_fixed_variance", 0.79, 0.1),
    ("lira_offline_fixed_variance", 0.777, 0.092),
    ("rmia_online", 0.811, 0.139),
    ("rmia_offline", 0.807, 0.111),
    ("attack_r", 0.768, 0.05),
    ("shadow_models", 0.772, 0.03),
)


def results(
    attacks: Sequence[tuple[str, float, float]] = ATTACKS,
    best: str = "rmia_online",
    found: results_pb2.ReferenceResults | None = None,
) -> results_pb2.PrivacyResults:
    """Results with attacks of these AUCs and rates, and reference models."""
    return results_pb2.PrivacyResults(
        attacks=[attack(*one) for one in attacks],
        best_attack=best,
        references=references() if found is None else found,
        config=config_pb2.PrivacyConfig(confidence=0.95),
    )


class Maker(NamedTuple):
    """Makes parts of results."""

    attack: Callable[..., results_pb2.AttackResult]
    curve: Callable[..., results_pb2.ReferenceCurve]
    references: Callable[..., results_pb2.ReferenceResults]
    results: Callable[..., results_pb2.PrivacyResults]
    shadow: Callable[..., results_pb2.ShadowResults]
    trained: Callable[..., references_pb2.ReferenceModels]
    value: Callable[..., results_pb2.MeasuredValue]


@pytest.fixture(scope="session")
def maker() -> Maker:
    """Makes parts of results; see the functions of this module."""
    return Maker(attack, curve, references, results, shadow, trained, value)
