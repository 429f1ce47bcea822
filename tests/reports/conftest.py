"""Results that look like those of real models, made in milliseconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from tfx_privacy.metrics.best_attack import measure_best
from tfx_privacy.metrics.controls import (
    BLIND_BASELINE,
    NEGATIVE,
    POSITIVE_SHARES,
    ControlFinding,
    ControlOutcome,
    positive_run,
)
from tfx_privacy.metrics.counts import (
    WHOLE,
    ControlRun,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
)
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.power import smallest_found
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.control_findings import ControlFindings

AUC = config_pb2.MetricSpec(name="auc")
ADVANTAGE = config_pb2.MetricSpec(name="advantage")
TPR_10, TPR_1, TPR_01 = (
    config_pb2.MetricSpec(name="tpr_at_fpr", fpr=f) for f in (0.1, 0.01, 0.001)
)
PRECISION = config_pb2.MetricSpec(name="precision", prior=0.5)
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)
METRICS = (AUC, ADVANTAGE, TPR_10, TPR_1, TPR_01, PRECISION, EPSILON)
_METRICS = tuple(metric_from_spec(spec) for spec in METRICS)

# How far each attack moves the scores of members, as a part of the strongest.
STRENGTHS = {
    "loss_threshold": 1.0,
    "confidence": 1.0,
    "entropy": 0.6,
    "modified_entropy": 1.1,
    "correctness": 0.5,
    "logistic_regression": 1.05,
    "network": 1.08,
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One measurement."""

    results: results_pb2.PrivacyResults
    evidence: Evidence


def measured(
    estimate: float, lower: float, upper: float, members: int = 10_000, nonmembers: int = 5_000
) -> results_pb2.MeasuredValue:
    return results_pb2.MeasuredValue(
        estimate=estimate,
        lower=lower,
        upper=upper,
        confidence=0.95,
        members=members,
        nonmembers=nonmembers,
    )


def metric_value(
    metric: config_pb2.MetricSpec, estimate: float, lower: float, upper: float
) -> results_pb2.MetricValue:
    return results_pb2.MetricValue(metric=metric, value=measured(estimate, lower, upper))


def make_run(
    *,
    leak: float,
    members: int,
    nonmembers: int,
    slices: Mapping[SliceKey, tuple[int, int, float]] | None = None,
    strengths: Mapping[str, float] = STRENGTHS,
    drift: float = 0.0,
    seed: int = 7,
) -> Run:
    """A measurement of a model whose members' scores are moved by `leak` deviations.

    Args:
      leak: 0 for a model that gives nothing away; 1 for one that gives away much.
      members: Judged members.
      nonmembers: Judged non-members.
      slices: By key: judged members, judged non-members, leak. Half as many rows as
        are judged come on top of them in the splits.
      strengths: The attacks, and what part of the leak each one sees.
      drift: How many deviations lie between the splits for an attacker without the
        model.
      seed: Of the scores.
    """
    random = np.random.default_rng(seed)
    groups = {WHOLE: (members, nonmembers, leak), **(slices or {})}
    edges: dict[str, ScoreEdges] = {}
    counts: dict[tuple[str, SliceKey], ScoreCounts] = {}
    for attack, strength in strengths.items():
        fit = _scores(attack, strength * leak, members // 2, nonmembers // 2, random)
        edges[attack] = choose_edges(*fit)
        for key, (m, n, shift) in groups.items():
            judge = _scores(attack, strength * shift, m, n, random)
            counts[attack, key] = count_scores(*judge, edges[attack])
    rows = {key: (m + m // 2, n + n // 2) for key, (m, n, _) in groups.items() if key != WHOLE}
    controls = {BLIND_BASELINE: _control_run([BLIND_BASELINE], members, nonmembers, drift, random)}
    half = nonmembers // 2
    controls[NEGATIVE] = _control_run(list(strengths), half, half, 0.0, random)
    for share in POSITIVE_SHARES:
        controls[positive_run(share)] = _planted_run(list(strengths), half, share, random)
    evidence = Evidence(edges, counts, rows, controls)
    return Run(_results(evidence, max(strengths, key=lambda name: strengths[name])), evidence)


@pytest.fixture(scope="session")
def best_of() -> Callable[..., results_pb2.PrivacyResults]:
    """Makes results that have nothing but the best of the attacks.

    Takes (metric, estimate, lower, upper), any number of them.
    """

    def make(
        *values: tuple[config_pb2.MetricSpec, float, float, float],
    ) -> results_pb2.PrivacyResults:
        return results_pb2.PrivacyResults(
            model=results_pb2.TargetModel(output_width=10),
            records=results_pb2.Records(judge=_sides(10_000, 5_000), duplicates_checked=True),
            best_attack="loss_threshold",
            best_of_attacks=[metric_value(*value) for value in values],
        )

    return make


@pytest.fixture(scope="session")
def make() -> Callable[..., Run]:
    """Makes measurements; see `make_run`."""
    return make_run


@pytest.fixture(scope="session")
def passed() -> ControlFindings:
    """Controls that found nothing wrong."""
    finding = ControlFinding(ControlOutcome.PASSED, "Nothing is wrong.")
    return ControlFindings(finding, finding, finding, finding)


@pytest.fixture(scope="session")
def leaky() -> Run:
    slices = {
        (("payment_type", "Cash"),): (3_300, 1_640, 0.8),
        (("payment_type", "Credit Card"),): (2_900, 1_480, 1.2),
        (("payment_type", "Dispute"),): (42, 19, 1.9),
        (("payment_type", "No Charge"),): (610, 290, 1.6),
        (("company", "Choice Taxi Association"), ("payment_type", "Cash")): (810, 402, 0.9),
        (("payment_type", "Prcard"),): (12, 0, 0.0),
    }
    return make_run(leak=1.0, members=6_880, nonmembers=3_410, slices=slices)


@pytest.fixture(scope="session")
def tame() -> Run:
    slices = {
        (("payment_type", "Cash"),): (3_300, 1_640, 0.0),
        (("payment_type", "Credit Card"),): (2_900, 1_480, 0.05),
    }
    return make_run(leak=0.0, members=20_000, nonmembers=10_000, slices=slices, seed=3)


@pytest.fixture(scope="session")
def drifted() -> Run:
    """Splits that differ: the blind baseline has an AUC of about .69."""
    return make_run(leak=0.8, members=6_880, nonmembers=3_410, drift=0.7, seed=11)


@pytest.fixture(scope="session")
def undecidable() -> Run:
    return make_run(leak=0.05, members=330, nonmembers=165, seed=5)


def _scores(
    attack: str, shift: float, members: int, nonmembers: int, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    member = np.arange(members + nonmembers) < members
    strength = random.normal(0, 1, members + nonmembers) + shift * member
    if attack == "correctness":
        return (strength > -0.8).astype(np.float64), member
    # Losses: small for most records, large for few.
    return -np.exp(-strength), member


def _control_run(
    attacks: list[str],
    members: int,
    nonmembers: int,
    shift: float,
    random: np.random.Generator,
) -> ControlRun:
    edges = {
        name: choose_edges(*_scores(name, shift, members // 2, nonmembers // 2, random))
        for name in attacks
    }
    counts = {
        name: count_scores(*_scores(name, shift, members, nonmembers, random), edges[name])
        for name in attacks
    }
    return ControlRun(edges, counts)


def _planted_run(
    attacks: list[str], half: int, share: float, random: np.random.Generator
) -> ControlRun:
    """A share of pseudo-members has the highest scores. Correctness does not see it and is out."""
    edges, counts = {}, {}
    for name in attacks:
        if name == "correctness":
            continue
        fit, judge = (_scores(name, 0.0, size, size, random) for size in (half // 2, half))
        for scores, member in (fit, judge):
            planted = np.flatnonzero(member)[: int(share * member.sum())]
            scores[planted] = scores.max() + 1e-6
        edges[name] = choose_edges(*fit)
        counts[name] = count_scores(*judge, edges[name])
    return ControlRun(edges, counts)


def _control_results(evidence: Evidence, m: int, n: int) -> results_pb2.ControlResults:
    def attacks(run: str) -> list[results_pb2.AttackResult]:
        control = evidence.controls[run]
        return [
            measure_attack(name, control.counts[name], control.edges[name], _METRICS, 0.95)
            for name in control.edges
        ]

    (blind,) = attacks(BLIND_BASELINE)
    return results_pb2.ControlResults(
        blind_baseline=results_pb2.BlindBaseline(
            metrics=blind.metrics,
            features=[
                results_pb2.FeatureGiveaway(feature="trip_start_month", auc=0.687),
                results_pb2.FeatureGiveaway(feature="company", auc=0.5312),
            ],
            features_seen=12,
        ),
        negative=results_pb2.NegativeControl(attacks=attacks(NEGATIVE)),
        positive=results_pb2.PositiveControl(
            runs=[
                results_pb2.PlantedLeak(share=share, attacks=attacks(positive_run(share)))
                for share in POSITIVE_SHARES
            ]
        ),
        power=[
            results_pb2.Power(
                metric=metric.spec(),
                smallest_found=smallest_found(metric, m, n, metric.no_leak, 0.025, 0.8),
                power=0.8,
            )
            for metric in _METRICS
        ],
    )


def _results(evidence: Evidence, best: str) -> results_pb2.PrivacyResults:
    whole = evidence.counts[best, WHOLE]
    m, n = whole.n_members, whole.n_nonmembers
    config = config_pb2.PrivacyConfig(
        model_spec=config_pb2.ModelSpec(signature_name="serving_default", label_key="tips"),
        splits=config_pb2.SplitSpec(members=["train"], nonmembers=["eval"]),
        attacks=list(evidence.edges),
        metrics=METRICS,
        confidence=0.95,
    )
    results = results_pb2.PrivacyResults(
        schema_version=5,
        package_version="0.1.0",
        code_digest="5f2b7f0c94ab4de1a1c0",
        model=results_pb2.TargetModel(
            uri="/pipelines/taxi/Trainer/model/6",
            signature_name="serving_default",
            output_name="outputs",
            task=config_pb2.BINARY,
            output_kind=config_pb2.PROBABILITIES,
            output_width=1,
            logits_source="what enters the Sigmoid that the output comes from",
            identity="digest of the raw example's content (7 features, a1b2c3)",
        ),
        config=config,
        controls=_control_results(evidence, m, n),
        records=_records(m, n),
        attacks=[
            measure_attack(name, evidence.counts[name, WHOLE], evidence.edges[name], _METRICS, 0.95)
            for name in evidence.edges
        ],
        skipped_attacks=[
            results_pb2.SkippedAttack(
                name="per_label_entropy", reason="needs more than two classes, found two"
            )
        ],
        best_attack=best,
        slices=[
            _slice(key, evidence)
            for key in sorted({key for _, key in evidence.counts if key != WHOLE})
        ],
        stages=[
            results_pb2.StageTime(stage=stage, seconds=seconds)
            for stage, seconds in (
                ("observe", 21.4),
                ("fit", 6.2),
                ("score", 9.91),
                ("evidence", 0.3),
            )
        ],
    )
    results.best_of_attacks.extend(measure_best(evidence, best, _METRICS, 0.95))
    return results


def _records(m: int, n: int) -> results_pb2.Records:
    duplicate, fit = (m // 40, n // 40), (m // 2, n // 2)
    return results_pb2.Records(
        read=_sides(m + duplicate[0] + fit[0], n + duplicate[1] + fit[1]),
        duplicate=_sides(*duplicate),
        fit=_sides(*fit),
        judge=_sides(m, n),
        duplicates_checked=True,
    )


def _sides(members: int, nonmembers: int) -> results_pb2.SideCounts:
    return results_pb2.SideCounts(members=members, nonmembers=nonmembers)


def _slice(key: SliceKey, evidence: Evidence) -> results_pb2.SliceResult:
    first = next(iter(evidence.edges))
    counts = evidence.counts[first, key]
    result = results_pb2.SliceResult(
        key=[results_pb2.SliceKey(feature=feature, value=value) for feature, value in key],
        judge=_sides(counts.n_members, counts.n_nonmembers),
        rows=_sides(*evidence.slice_rows[key]),
    )
    if counts.n_members and counts.n_nonmembers:
        result.attacks.extend(
            measure_attack(name, evidence.counts[name, key], evidence.edges[name], _METRICS, 0.95)
            for name in evidence.edges
        )
    return result
