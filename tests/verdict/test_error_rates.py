"""How often a verdict is wrong, and how often it decides, by seeded simulation.

Small versions of benchmarks/verdicts.py. Each assertion is an exact binomial test at
.001.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from google.protobuf import text_format
from numpy.typing import NDArray
from scipy import stats

from tfx_privacy.metrics.counts import (
    WHOLE,
    Evidence,
    ScoreCounts,
    ScoreEdges,
    SliceKey,
    Thresholds,
)
from tfx_privacy.metrics.resolution import resolution
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.verdict.judge import judge

PASS, BLOCK = verdict_pb2.PASS, verdict_pb2.BLOCK
TENTHS: list[SliceKey] = [(("tenth", str(i)),) for i in range(10)]


@dataclasses.dataclass(frozen=True)
class Population:
    """Members and others in bins, in slices of one size.

    Attributes:
      members: [b] shares.
      nonmembers: [b] shares.
      member_bin: Where the attack decides.
    """

    members: NDArray[np.float64]
    nonmembers: NDArray[np.float64]
    member_bin: int

    def sample(
        self,
        rng: np.random.Generator,
        members: int,
        nonmembers: int,
        attacks: int,
        slices: list[SliceKey],
    ) -> tuple[results_pb2.PrivacyResults, Evidence]:
        """One measurement with these numbers of judged rows; attacks are independent."""
        parts = max(1, len(slices))
        members, nonmembers = members // parts * parts, nonmembers // parts * parts
        edges = ScoreEdges(np.arange(1.0, len(self.members)), Thresholds.all_at(self.member_bin))
        names = [f"attack_{i}" for i in range(attacks)]
        results = results_pb2.PrivacyResults(schema_version=5, best_attack=names[0])
        results.records.judge.members, results.records.judge.nonmembers = members, nonmembers
        results.records.fit.members = members // 2
        results.records.fit.nonmembers = nonmembers // 2
        results.records.read.members = members + members // 2
        results.records.read.nonmembers = nonmembers + nonmembers // 2
        counts: dict[tuple[str, SliceKey], ScoreCounts] = {}
        for name in names:
            m = rng.multinomial(members // parts, self.members, size=parts)
            n = rng.multinomial(nonmembers // parts, self.nonmembers, size=parts)
            counts[name, WHOLE] = ScoreCounts(m.sum(axis=0), n.sum(axis=0))
            results.attacks.add(
                name=name,
                threshold=float(self.member_bin),
                resolution=resolution(counts[name, WHOLE]),
            )
            if name == names[0]:
                counts |= {(name, k): ScoreCounts(m[i], n[i]) for i, k in enumerate(slices)}
        rows = {}
        for key in slices:
            one = counts[names[0], key]
            rows[key] = one.n_members * 3 // 2, one.n_nonmembers * 3 // 2
            results.slices.add(
                key=[results_pb2.SliceKey(feature=name, value=value) for name, value in key],
                judge=results_pb2.SideCounts(members=one.n_members, nonmembers=one.n_nonmembers),
                rows=results_pb2.SideCounts(members=rows[key][0], nonmembers=rows[key][1]),
            )
        evidence = Evidence(edges=dict.fromkeys(names, edges), counts=counts, slice_rows=rows)
        return results, evidence


def _normal(shift: float) -> Population:
    """Scores normal with variance 1, members higher: AUC is Phi(shift / sqrt 2).

    The finest bins are at the top, where TPR at 1% FPR is decided.
    """
    tail = np.array([0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.012, 0.015, 0.02, 0.03, 0.05])
    cuts = np.sort(np.append(stats.norm.isf(tail), stats.norm.isf(np.arange(0.1, 1.0, 0.1))))
    ends = np.concatenate(([-np.inf], cuts, [np.inf]))
    return Population(
        np.diff(stats.norm.cdf(ends, loc=shift)),
        np.diff(stats.norm.cdf(ends)),
        int(np.searchsorted(cuts, shift / 2.0)) + 1,
    )


# By hand: AUC = sum p_i (q below + q_i / 2) = .25 (.2 .5 + .25 1.5 + .25 2.5 + .3 3.5) = .5375;
# TPR - FPR at bin 3 is .3 - .25 = .05.
KNOWN = Population(np.array([0.2, 0.25, 0.25, 0.3]), np.full(4, 0.25), member_bin=3)
AUC, ADVANTAGE = 0.5375, 0.05


def _limits(beyond: float) -> thresholds_pb2.PrivacyThresholds:
    """Every limit at the truth plus `beyond`: on the whole, and in all slices at once."""
    text = f"""
        thresholds {{ metric {{ name: "auc" }} upper_limit: {AUC + beyond} }}
        thresholds {{ metric {{ name: "advantage" }} upper_limit: {ADVANTAGE + beyond} }}
        thresholds {{
          metric {{ name: "auc" }} upper_limit: {AUC + beyond} scope: EVERY_SLICE role: MUST_PASS
        }}
        thresholds {{
          metric {{ name: "advantage" }} upper_limit: {ADVANTAGE + beyond} scope: EVERY_SLICE
        }}
    """
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


def _verdicts(beyond: float, runs: int) -> Iterator[verdict_pb2.PrivacyVerdict]:
    rng = np.random.default_rng(17)
    for _ in range(runs):
        results, evidence = KNOWN.sample(rng, 5000, 2500, 2, TENTHS)
        yield judge(results, evidence, _limits(beyond))


def _at_most(found: int, runs: int, rate: float) -> bool:
    return bool(stats.binomtest(found, runs, rate, alternative="greater").pvalue > 0.001)


def _at_least(found: int, runs: int, rate: float) -> bool:
    return bool(stats.binomtest(found, runs, rate, alternative="less").pvalue > 0.001)


@pytest.mark.parametrize(("beyond", "runs"), [(0.0, 120), (0.002, 30), (-0.002, 30)])
def test_limits_equal_to_the_truth_and_just_beyond(beyond: float, runs: int) -> None:
    # Two attacks, two metrics, ten slices. Where no limit is exceeded a false BLOCK happens in at
    # most 5% of verdicts; where none is kept a false PASS in at most 2.5% of each threshold.
    blocks, passes = 0, np.zeros(4, dtype=int)
    for verdict in _verdicts(beyond, runs):
        assert [finding.slices_judged for finding in verdict.findings] == [0, 0, 10, 10]
        blocks += verdict.outcome == BLOCK
        passes += [finding.outcome == PASS for finding in verdict.findings]
    if beyond >= 0.0:
        assert _at_most(blocks, runs, 0.05)
    if beyond <= 0.0:
        assert all(_at_most(int(found), runs, 0.025) for found in passes)


@pytest.mark.parametrize("slices", [0, 10])
@pytest.mark.parametrize(("auc", "outcome", "rate"), [(0.5, PASS, 0.9), (0.6, BLOCK, 0.99)])
def test_the_default_policy_decides_at_10000_and_5000_rows(
    slices: int, auc: float, outcome: int, rate: float
) -> None:
    # Of the 10,000 and 5,000 rows of the splits two thirds are judged.
    population = _normal(float(np.sqrt(2.0) * stats.norm.ppf(auc)))
    rng = np.random.default_rng(23)
    runs, decided, wrong = 40, 0, 0
    for _ in range(runs):
        results, evidence = population.sample(rng, 6667, 3333, 1, TENTHS[:slices])
        verdict = judge(results, evidence, thresholds_pb2.PrivacyThresholds())
        decided += verdict.outcome == outcome
        wrong += verdict.outcome == (BLOCK if outcome == PASS else PASS)
    assert _at_least(decided, runs, rate)
    assert wrong == 0
