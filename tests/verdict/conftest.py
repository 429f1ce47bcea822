"""Measurements with known counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tfx_privacy.metrics.best_attack import measure_best
from tfx_privacy.metrics.counts import (
    WHOLE,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
    Thresholds,
)
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import DEFAULT_METRICS
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

LEVELS = 64


@dataclasses.dataclass
class Measurement:
    """Results and the evidence behind them, made from one another."""

    results: results_pb2.PrivacyResults
    evidence: Evidence


class Measurements:
    """Makes measurements in which members lie higher by a linear trend."""

    def counts(self, members: int, nonmembers: int, advantage: float) -> ScoreCounts:
        """Expected counts, rounded, of a score whose largest TPR - FPR is `advantage` <= 1/4.

        Non-members lie evenly on [0, 1], members with density 1 + s (2 x - 1), s = 4 a:
        TPR - FPR at x is s (x - x^2), largest half way; the AUC is .5 + s / 6.
        """
        slope = 4 * advantage
        cut = np.linspace(0, 1, LEVELS + 1)
        cumulative = cut + slope * (cut * cut - cut)
        return ScoreCounts(
            np.diff(np.round(members * cumulative)).astype(np.int64),
            np.diff(np.round(nonmembers * cut)).astype(np.int64),
        )

    def of_counts(
        self,
        counts: Mapping[str, ScoreCounts],
        metrics: Sequence[Metric] = DEFAULT_METRICS,
        slices: Mapping[SliceKey, ScoreCounts] | None = None,
    ) -> Measurement:
        """A measurement of several attacks; each slice has the same counts for all."""
        edges = {
            name: ScoreEdges(
                np.linspace(0, 1, len(c.members) + 1)[1:-1], Thresholds.all_at(len(c.members) // 2)
            )
            for name, c in counts.items()
        }
        slices = slices or {}
        evidence = Evidence(
            edges=edges,
            counts={(name, WHOLE): c for name, c in counts.items()}
            | {(name, key): c for name in counts for key, c in slices.items()},
            # A third of the rows of the splits is FIT.
            slice_rows={
                key: (c.n_members * 3 // 2, c.n_nonmembers * 3 // 2) for key, c in slices.items()
            },
        )
        results = results_pb2.PrivacyResults(
            schema_version=5,
            model=results_pb2.TargetModel(uri="/models/1"),
            config=config_pb2.PrivacyConfig(attacks=list(counts)),
            best_attack=next(iter(counts), ""),
            attacks=[
                measure_attack(name, c, edges[name], metrics, 0.95) for name, c in counts.items()
            ],
            slices=[
                results_pb2.SliceResult(
                    key=[results_pb2.SliceKey(feature=f, value=v) for f, v in key],
                    judge=results_pb2.SideCounts(members=c.n_members, nonmembers=c.n_nonmembers),
                    attacks=[measure_attack(n, c, edges[n], metrics, 0.95) for n in counts],
                    rows=results_pb2.SideCounts(
                        members=evidence.slice_rows[key][0],
                        nonmembers=evidence.slice_rows[key][1],
                    ),
                )
                for key, c in slices.items()
            ],
        )
        for c in list(counts.values())[:1]:
            results.records.judge.members = c.n_members
            results.records.judge.nonmembers = c.n_nonmembers
            results.records.fit.members = c.n_members // 2
            results.records.fit.nonmembers = c.n_nonmembers // 2
            results.records.read.members = c.n_members + c.n_members // 2
            results.records.read.nonmembers = c.n_nonmembers + c.n_nonmembers // 2
            results.records.duplicates_checked = True
        if counts:
            results.best_of_attacks.extend(
                measure_best(evidence, results.best_attack, metrics, 0.95)
            )
        return Measurement(results, evidence)

    def of(self, *, members: int, nonmembers: int, advantages: Mapping[str, float]) -> Measurement:
        """A measurement of attacks with these advantages."""
        return self.of_counts(
            {name: self.counts(members, nonmembers, a) for name, a in advantages.items()}
        )


@pytest.fixture(scope="session")
def measurements() -> Measurements:
    return Measurements()
