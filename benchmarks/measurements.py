"""Results and evidence made of counts that were drawn: what a gate judges, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfx_privacy.benchmarks.populations import Population
from tfx_privacy.metrics.best_attack import select_best_attack
from tfx_privacy.metrics.choose_thresholds import choose_thresholds
from tfx_privacy.metrics.counts import (
    WHOLE,
    ControlRun,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
)
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

Sides = tuple[int, int]


def draw_evidence(
    rng: np.random.Generator,
    attacks: Mapping[str, Population],
    rows: Sides,
    slices: int = 0,
) -> tuple[Evidence, str]:
    """Counts of independent attacks on splits of so many rows, a third of them FIT.

    Args:
      rng: Where they come from.
      attacks: The shares of each attack's scores.
      rows: Members and non-members of the splits.
      slices: How many slices of equal size the rows fall into.

    Returns:
      The evidence, and the attack that was best on FIT.
    """
    fit_rows = (rows[0] // 3, rows[1] // 3)
    fit = {name: shares.draw(rng, *fit_rows, 1)[0] for name, shares in attacks.items()}
    edges = {name: edges_of(counts) for name, counts in fit.items()}
    parts = max(1, slices)
    judged = [(side - used) // parts for side, used in zip(rows, fit_rows, strict=True)]
    counts: dict[tuple[str, SliceKey], ScoreCounts] = {}
    for name, shares in attacks.items():
        drawn = shares.draw(rng, judged[0], judged[1], parts)
        counts[name, WHOLE] = sum(drawn[1:], drawn[0])
        if slices:
            counts.update(
                ((name, key), one) for key, one in zip(slice_keys(slices), drawn, strict=True)
            )
    slice_rows = dict.fromkeys(slice_keys(slices), (rows[0] // parts, rows[1] // parts))
    return Evidence(edges, counts, slice_rows), select_best_attack(fit)


def draw_control_run(
    rng: np.random.Generator, attacks: Mapping[str, Population], rows: Sides
) -> ControlRun:
    """A control's run on so many rows, a third of them FIT."""
    evidence, _ = draw_evidence(rng, attacks, rows)
    return ControlRun(evidence.edges, {name: evidence.counts[name, WHOLE] for name in attacks})


def edges_of(fit: ScoreCounts) -> ScoreEdges:
    """Edges between bins by number; thresholds chosen on these counts."""
    return ScoreEdges(np.arange(len(fit.members) - 1, dtype=np.float64), choose_thresholds(fit))


def slice_keys(slices: int) -> list[SliceKey]:
    """The keys of so many slices by one feature."""
    return [(("slice", f"{i:02d}"),) for i in range(slices)]


def results_of(evidence: Evidence, best_attack: str, rows: Sides) -> results_pb2.PrivacyResults:
    """Results that list every attack and slice, without metrics: the gate computes its own."""
    attacks = list(evidence.edges)
    judged = evidence.counts[attacks[0], WHOLE]
    results = results_pb2.PrivacyResults(
        schema_version=3,
        model=results_pb2.TargetModel(uri="drawn"),
        config=config_pb2.PrivacyConfig(attacks=attacks),
        best_attack=best_attack,
        attacks=_listed(evidence, attacks, WHOLE),
        slices=[
            results_pb2.SliceResult(
                key=[results_pb2.SliceKey(feature=f, value=v) for f, v in key],
                judge=_sides(evidence.counts[attacks[0], key]),
                attacks=_listed(evidence, attacks, key),
                rows=results_pb2.SideCounts(members=members, nonmembers=nonmembers),
            )
            for key, (members, nonmembers) in evidence.slice_rows.items()
        ],
    )
    records = results.records
    records.read.members, records.read.nonmembers = rows
    records.judge.CopyFrom(_sides(judged))
    records.fit.members = rows[0] - judged.n_members
    records.fit.nonmembers = rows[1] - judged.n_nonmembers
    records.duplicates_checked = True
    for name in ("blind_baseline", "negative", "positive"):
        getattr(results.controls, name).not_run = "these are counts, not rows"
    return results


def _listed(
    evidence: Evidence, attacks: Sequence[str], key: SliceKey
) -> list[results_pb2.AttackResult]:
    return [
        measure_attack(name, evidence.counts[name, key], evidence.edges[name], (), 0.95)
        for name in attacks
    ]


def _sides(counts: ScoreCounts) -> results_pb2.SideCounts:
    return results_pb2.SideCounts(members=counts.n_members, nonmembers=counts.n_nonmembers)
