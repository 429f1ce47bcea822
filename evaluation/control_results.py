"""From the controls' runs to ControlResults."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_privacy.evaluation.controls import FittedBlindBaseline, HalvedNonmembers
from tfx_privacy.metrics.controls import (
    BLIND_BASELINE,
    NEGATIVE,
    POSITIVE_SHARES,
    positive_run,
)
from tfx_privacy.metrics.counts import WHOLE, Evidence
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.power import smallest_found
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

# Of the statement of power: as a bound of a 95% interval, and in four runs of five.
_POWER_ALPHA = 0.025
_POWER = 0.8


def control_results(
    evidence: Evidence,
    blind: FittedBlindBaseline,
    halved: HalvedNonmembers,
    metrics: Sequence[Metric],
    confidence: float,
) -> results_pb2.ControlResults:
    """Measures every metric of every run of the controls, and the power of the measurement.

    Args:
      evidence: The counts, the controls' among them.
      blind: The blind baseline before it scored JUDGE rows.
      halved: The runs on halved non-members.
      metrics: What to measure, in this order.
      confidence: Two-sided, in (0, 1).
    """
    measured = {
        name: [
            measure_attack(attack, run.counts[attack], edges, metrics, confidence)
            for attack, edges in run.edges.items()
        ]
        for name, run in evidence.controls.items()
    }
    return results_pb2.ControlResults(
        blind_baseline=results_pb2.BlindBaseline(
            not_run=blind.not_run,
            metrics=[
                value for result in measured.get(BLIND_BASELINE, ()) for value in result.metrics
            ],
            features=[
                results_pb2.FeatureGiveaway(feature=feature, auc=auc)
                for feature, auc in blind.features
            ],
            features_seen=blind.features_seen,
            label_alone=blind.label_alone,
        ),
        negative=results_pb2.NegativeControl(
            not_run=halved.negative_not_run, attacks=measured.get(NEGATIVE, ())
        ),
        positive=results_pb2.PositiveControl(
            not_run=halved.positive_not_run,
            runs=[
                results_pb2.PlantedLeak(share=share, attacks=measured[positive_run(share)])
                for share in POSITIVE_SHARES
                if positive_run(share) in measured
            ],
        ),
        power=_power(evidence, metrics),
    )


def _power(evidence: Evidence, metrics: Sequence[Metric]) -> list[results_pb2.Power]:
    """What the judged rows of the whole could have shown; nothing where a side has none."""
    counts = next((counts for (_, key), counts in evidence.counts.items() if key == WHOLE), None)
    if counts is None or not (counts.n_members and counts.n_nonmembers):
        return []
    return [
        results_pb2.Power(
            metric=metric.spec(),
            smallest_found=smallest_found(
                metric,
                counts.n_members,
                counts.n_nonmembers,
                above=metric.no_leak,
                alpha=_POWER_ALPHA,
                power=_POWER,
            ),
            power=_POWER,
        )
        for metric in metrics
    ]
