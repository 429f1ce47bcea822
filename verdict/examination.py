"""What the counts say about one threshold, attack by attack."""

from __future__ import annotations

import dataclasses
import math

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.consistency import has_nan
from tfx_privacy.verdict.p_value import p_value_above

# PASS needs the upper bound at this one-sided level within the limit.
PASS_ALPHA = 0.025
# Two-sided, of the intervals shown: each bound at PASS_ALPHA.
CONFIDENCE = 1.0 - 2.0 * PASS_ALPHA


@dataclasses.dataclass(frozen=True)
class JudgedAttack:
    """One attack held against one limit.

    Attributes:
      name: The attack's name.
      counts: Its JUDGE rows.
      interval: The metric, each bound at PASS_ALPHA.
      p_value: Of "the metric is at most the limit"; before correction.
    """

    name: str
    counts: ScoreCounts
    interval: Interval
    p_value: float


@dataclasses.dataclass(frozen=True)
class Examination:
    """One threshold and every attack that ran.

    Attributes:
      threshold: With every default filled in.
      metric: The metric that it limits.
      attacks: The attacks that could be judged.
      problem: Why there is none, or why one could not be judged; None if all could.
      problem_attack: Which one could not be judged; "" if none ran.
    """

    threshold: thresholds_pb2.PrivacyThreshold
    metric: Metric
    attacks: tuple[JudgedAttack, ...]
    problem: str | None
    problem_attack: str


def examine(
    threshold: thresholds_pb2.PrivacyThreshold,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> Examination:
    """Measures a threshold's metric for every attack of the results, from the counts."""
    metric = metric_from_spec(threshold.metric)
    judged: list[JudgedAttack] = []
    problems: list[tuple[str, str]] = []
    for attack in results.attacks:
        found = _judge(metric, threshold.upper_limit, attack, evidence)
        if isinstance(found, JudgedAttack):
            judged.append(found)
        else:
            problems.append((attack.name, found))
    if not results.attacks:
        problems.append(("", "no attack ran"))
    problem_attack, problem = problems[0] if problems else ("", None)
    return Examination(threshold, metric, tuple(judged), problem, problem_attack)


def _judge(
    metric: Metric, limit: float, attack: results_pb2.AttackResult, evidence: Evidence
) -> JudgedAttack | str:
    """The attack held against the limit, or why it cannot be."""
    name = attack.name
    counts, edges = evidence.counts.get((name, WHOLE)), evidence.edges.get(name)
    if counts is None or edges is None:
        return f"the counts of the attack '{name}' are missing"
    for side, rows in (("training", counts.n_members), ("other", counts.n_nonmembers)):
        if rows == 0:
            return f"there are no {side} records to judge the attack '{name}' by"
    if any(has_nan(listed.value) for listed in attack.metrics if listed.metric == metric.spec()):
        return f"the results of the attack '{name}' are no number"
    interval = metric.measure(counts, edges.thresholds, PASS_ALPHA)
    if any(math.isnan(number) for number in dataclasses.astuple(interval)):
        return f"the counts of the attack '{name}' give no number"
    p_value = p_value_above(metric, counts, edges.thresholds, limit)
    return JudgedAttack(name, counts, interval, p_value)
