"""What the counts say about one threshold on the whole, attack by attack."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, SliceKey
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.claim import PASS_ALPHA, Claim
from tfx_privacy.verdict.numbers_agree import has_nan
from tfx_privacy.verdict.p_value import p_value_above

# Of one row a side nothing is known of how rows differ, whatever an interval says.
FEWEST_ROWS = 2


@dataclasses.dataclass(frozen=True)
class Problem:
    """Why something could not be judged.

    Attributes:
      attack: Which attack; "" where it is no attack's.
      why: The end of a sentence: "the counts of the attack 'a' are missing".
      something_to_judge: False where the threshold asks for what such records do not
        have. In every other case nothing can pass, whatever the threshold's role.
    """

    attack: str
    why: str
    something_to_judge: bool = True


@dataclasses.dataclass(frozen=True)
class SmallSlice:
    """A slice that is too small to judge.

    Attributes:
      key: The slice.
      members: Rows of the splits in it.
      nonmembers: Rows of the splits in it.
    """

    key: SliceKey
    members: int
    nonmembers: int


@dataclasses.dataclass(frozen=True)
class Examination:
    """One threshold, and every claim that could be made about it.

    Attributes:
      threshold: With every default filled in.
      metric: The metric that it limits.
      claims: On the whole one for each attack; on slices one for each slice.
      problem: Why there is none, or why one could not be made; None if all could.
      too_small: For a threshold on slices: those that are too small to judge.
      skipped: True for a threshold on the change without a baseline.
    """

    threshold: thresholds_pb2.PrivacyThreshold
    metric: Metric
    claims: tuple[Claim, ...] = ()
    problem: Problem | None = None
    too_small: tuple[SmallSlice, ...] = ()
    skipped: bool = False

    @property
    def lacks_evidence(self) -> bool:
        """Whether something could not be judged that ought to have been."""
        return self.problem is not None and self.problem.something_to_judge


def gravest(problems: Sequence[Problem]) -> Problem | None:
    """The first problem after which nothing can pass, else the first; None of none."""
    lost = [problem for problem in problems if problem.something_to_judge]
    return next(iter([*lost, *problems]), None)


def examine_whole(
    index: int,
    threshold: thresholds_pb2.PrivacyThreshold,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> Examination:
    """Measures a threshold's metric for every attack of the results, from the counts."""
    metric = metric_from_spec(threshold.metric)
    rows = results.records.read.members + results.records.read.nonmembers
    claims: list[Claim] = []
    problems: list[Problem] = []
    for attack in results.attacks:
        found = judged_counts(metric, attack.name, WHOLE, evidence, attack)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            limit = threshold.upper_limit
            claims.append(absolute_claim(index, metric, limit, attack.name, WHOLE, rows, found))
    if not results.attacks:
        problems.append(Problem("", "no attack ran", something_to_judge=False))
    return Examination(threshold, metric, tuple(claims), gravest(problems))


def absolute_claim(
    index: int,
    metric: Metric,
    limit: float,
    attack: str,
    key: SliceKey,
    rows: int,
    measured: tuple[ScoreCounts, ScoreEdges],
) -> Claim:
    """That a metric exceeds a limit, by the counts of one attack in one place."""
    counts, edges = measured
    return Claim(
        threshold=index,
        metric=metric,
        limit=limit,
        attack=attack,
        slice=key,
        members=counts.n_members,
        nonmembers=counts.n_nonmembers,
        rows=rows,
        interval=metric.measure(counts, edges.thresholds, PASS_ALPHA),
        p_value=p_value_above(
            lambda alpha: metric.measure(counts, edges.thresholds, alpha).lower, limit
        ),
    )


def judged_counts(
    metric: Metric,
    attack: str,
    key: SliceKey,
    evidence: Evidence,
    listed: results_pb2.AttackResult | None,
) -> tuple[ScoreCounts, ScoreEdges] | Problem:
    """The counts that a metric can be judged by, or why there are none.

    Args:
      metric: What is to be measured.
      attack: The attack's name.
      key: The slice, or WHOLE.
      evidence: Where the counts are.
      listed: What the results say about the attack there; None if nothing.
    """
    counts, edges = evidence.counts.get((attack, key)), evidence.edges.get(attack)
    if counts is None or edges is None:
        return Problem(attack, f"the counts of the attack '{attack}' are missing")
    for side, rows in (("training", counts.n_members), ("other", counts.n_nonmembers)):
        if rows < FEWEST_ROWS:
            found = f"is one {side} record" if rows else f"are no {side} records"
            return Problem(attack, f"there {found} to judge the attack '{attack}' by")
    if listed is not None and _is_no_number(metric, listed):
        return Problem(attack, f"the results of the attack '{attack}' are no number")
    try:
        interval = metric.measure(counts, edges.thresholds, PASS_ALPHA)
    except ValueError as error:
        # The audit by canaries refuses sides that no fair coin made.
        why = f"the counts of the attack '{attack}' do not allow it: {error}"
        return Problem(attack, why)
    if any(math.isnan(number) for number in dataclasses.astuple(interval)):
        return Problem(attack, f"the counts of the attack '{attack}' give no number")
    return counts, edges


def _is_no_number(metric: Metric, listed: results_pb2.AttackResult) -> bool:
    spec = metric.spec()
    return any(has_nan(value.value) for value in listed.metrics if value.metric == spec)
