"""From evidence to PrivacyResults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfx_privacy.evaluation.code_version import code_digest
from tfx_privacy.evaluation.control_results import control_results
from tfx_privacy.evaluation.controls import FittedBlindBaseline, HalvedNonmembers
from tfx_privacy.evaluation.metrics_directory import SCHEMA_VERSION
from tfx_privacy.metrics.best_attack import measure_best
from tfx_privacy.metrics.counts import WHOLE, Evidence, SliceKey
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.version import __version__


def assemble_results(
    *,
    model: results_pb2.TargetModel,
    config: config_pb2.PrivacyConfig,
    records: results_pb2.Records,
    evidence: Evidence,
    best_attack: str,
    skipped: Mapping[str, str],
    blind: FittedBlindBaseline,
    halved: HalvedNonmembers,
    exact: Mapping[str, results_pb2.ExactValues],
    slices_left_out: results_pb2.LeftOutSlices | None = None,
) -> results_pb2.PrivacyResults:
    """Measures every metric of every attack on the whole and on every slice.

    Args:
      model: The model that was measured.
      config: The resolved configuration.
      records: What became of the rows.
      evidence: Counts of the JUDGE rows; no attacks where none could run.
      best_attack: The attack that was best on FIT; "" where none could run.
      skipped: Why an attack could not run, by name.
      blind: The blind baseline before it scored JUDGE rows.
      halved: The runs on halved non-members.
      exact: By attack, values from its unquantised scores, where there are any.
      slices_left_out: The slices that were not measured; None where all were.
    """
    metrics = [metric_from_spec(spec) for spec in config.metrics]
    results = results_pb2.PrivacyResults(
        schema_version=SCHEMA_VERSION,
        package_version=__version__,
        code_digest=code_digest(),
        model=model,
        config=config,
        records=records,
        best_attack=best_attack,
        attacks=_attack_results(WHOLE, evidence, metrics, config.confidence),
        skipped_attacks=[
            results_pb2.SkippedAttack(name=name, reason=reason) for name, reason in skipped.items()
        ],
        slices=[
            _slice_result(key, evidence, best_attack, metrics, config.confidence)
            for key in sorted(evidence.slice_rows)
        ],
        controls=control_results(evidence, blind, halved, metrics, config.confidence),
    )
    if slices_left_out is not None and slices_left_out.slices:
        results.slices_left_out.CopyFrom(slices_left_out)
    for attack in results.attacks:
        if attack.name in exact:
            attack.exact.CopyFrom(exact[attack.name])
    if best_attack:
        best = measure_best(evidence, best_attack, metrics, config.confidence)
        results.best_of_attacks.extend(best)
    return results


def _attack_results(
    key: SliceKey, evidence: Evidence, metrics: Sequence[Metric], confidence: float
) -> list[results_pb2.AttackResult]:
    return [
        measure_attack(attack, evidence.counts[attack, key], edges, metrics, confidence)
        for attack, edges in evidence.edges.items()
        if (attack, key) in evidence.counts
    ]


def _slice_result(
    key: SliceKey,
    evidence: Evidence,
    best_attack: str,
    metrics: Sequence[Metric],
    confidence: float,
) -> results_pb2.SliceResult:
    judged = next(
        (
            (counts.n_members, counts.n_nonmembers)
            for attack in evidence.edges
            if (counts := evidence.counts.get((attack, key))) is not None
        ),
        (0, 0),
    )
    result = results_pb2.SliceResult(
        key=[results_pb2.SliceKey(feature=feature, value=value) for feature, value in key],
        judge=results_pb2.SideCounts(members=judged[0], nonmembers=judged[1]),
        rows=results_pb2.SideCounts(
            members=evidence.slice_rows[key][0], nonmembers=evidence.slice_rows[key][1]
        ),
    )
    if min(judged) > 0:
        attacks = _attack_results(key, evidence, metrics, confidence)
        result.attacks.extend(attacks)
        result.best_of_attacks.extend(
            measure_best(evidence, best_attack, metrics, confidence, key, attacks)
        )
    return result
