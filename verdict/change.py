"""What the counts say about one threshold on the change, attack by attack."""

from __future__ import annotations

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.attacks.white_box_names import ATTACK_NETWORK, WHITE_BOX_ATTACKS
from tfx_privacy.metrics.change import change_interval, correlation
from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.baseline import Baseline
from tfx_privacy.verdict.claim import PASS_ALPHA, BaselineValue, Claim
from tfx_privacy.verdict.consistency import check_consistent
from tfx_privacy.verdict.examination import Examination, Problem, gravest, judged_counts
from tfx_privacy.verdict.p_value import p_value_above
from tfx_privacy.verdict.reference_settings import settings_of_attack


def examine_change(
    index: int,
    threshold: thresholds_pb2.PrivacyThreshold,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
    baseline: Baseline | None,
    baseline_fault: str | None,
) -> Examination:
    """Measures by how much a threshold's metric has risen, for every attack.

    Args:
      index: The threshold's place in the list.
      threshold: With every default filled in.
      results: What was measured.
      evidence: The counts behind it.
      baseline: What the rise is counted from; None where there is nothing.
      baseline_fault: What `fault_of` found about it.
    """
    metric = metric_from_spec(threshold.metric)
    if baseline is None:
        return Examination(threshold, metric, skipped=True)
    if baseline_fault is not None:
        return Examination(threshold, metric, problem=Problem("", baseline_fault))
    claims: list[Claim] = []
    problems: list[Problem] = []
    for attack in results.attacks:
        found = judged_counts(metric, attack.name, WHOLE, evidence, attack)
        before = _counts_before(metric, attack.name, results, baseline)
        if isinstance(found, Problem):
            problems.append(found)
        elif isinstance(before, Problem):
            problems.append(before)
        else:
            rows = results.records.read.members + results.records.read.nonmembers
            claims.append(_claim(index, threshold, attack.name, rows, found, before, baseline))
    if not results.attacks:
        problems.append(Problem("", "no attack ran", something_to_judge=False))
    return Examination(threshold, metric, tuple(claims), gravest(problems))


def fault_of(baseline: Baseline | None) -> str | None:
    """Why no change can be counted from a baseline, as the end of a sentence; None if it can."""
    if baseline is None:
        return None
    try:
        check_consistent(baseline.results, baseline.evidence)
    except ValueError as error:
        return f"the baseline at {baseline.metrics_uri} contradicts itself: {error}"
    if not any(key == WHOLE for _, key in baseline.evidence.counts):
        return f"the baseline at {baseline.metrics_uri} has no counts"
    return None


def _counts_before(
    metric: Metric, attack: str, results: results_pb2.PrivacyResults, baseline: Baseline
) -> tuple[ScoreCounts, ScoreEdges] | Problem:
    base, attacker = split_name(attack)
    now, then = _knowledge(attacker, results), _knowledge(attacker, baseline.results)
    if now != then:
        return Problem(
            attack,
            f"the attacker '{attacker}' of the attack '{attack}' is {then} in the baseline and "
            f"{now} here: a rise could be the attacker's",
        )
    if results.HasField("fitted_on") != baseline.results.HasField("fitted_on"):
        there, here = _fitted_on(baseline.results), _fitted_on(results)
        return Problem(
            attack,
            f"attacks were fitted on {there} in the baseline and on {here} here: a rise could be "
            "the attacker's",
        )
    differing = _inside(base, results.config, baseline.results.config)
    if differing:
        return Problem(
            attack,
            f"`{differing}` in the configuration, which says what the attack '{attack}' sees and "
            "how it learns, is another one in the baseline: a rise or a fall could be the attack's",
        )
    listed = {one.name: one for one in baseline.results.attacks}
    if attack not in listed:
        return Problem(attack, f"the attack '{attack}' did not run on the baseline")
    there, here = (settings_of_attack(base, one) for one in (baseline.results, results))
    if there != here:
        return Problem(
            attack,
            f"the attack '{attack}' had other reference models in the baseline ({there}) than here "
            f"({here}): a rise or a fall could be theirs",
        )
    found = judged_counts(metric, attack, WHOLE, baseline.evidence, listed[attack])
    if isinstance(found, Problem):
        return Problem(attack, f"in the baseline {found.why}")
    return found


def _fitted_on(results: results_pb2.PrivacyResults) -> str:
    """Whose records the attacks were fitted on, in words."""
    if results.HasField("fitted_on"):
        return f"another model's records ({results.fitted_on.signals_uri})"
    return "records of the model that is judged"


def _inside(attack: str, now: config_pb2.PrivacyConfig, then: config_pb2.PrivacyConfig) -> str:
    """The part of two configurations that differs for an attack that looks inside the model.

    A model that leaks more could hide behind an attack that is shown fewer layers or is
    trained for an epoch. Which library trains the attack network is nothing to it.
    """
    if attack not in WHITE_BOX_ATTACKS:
        return ""
    if now.white_box != then.white_box:
        return "white_box"
    if attack != ATTACK_NETWORK:
        return ""
    settings = []
    for config in (now, then):
        network = config_pb2.AttackNetwork()
        network.CopyFrom(config.attack_network)
        network.ClearField("backend")
        settings.append(network)
    return "" if settings[0] == settings[1] else "attack_network"


def _knowledge(attacker: str, results: results_pb2.PrivacyResults) -> str:
    """What the configuration says that an attacker knows, in words; "" of who knows most."""
    if not attacker:
        return ""
    for one in results.config.attackers:
        if one.name == attacker:
            share = one.members_known if one.HasField("members_known") else 1.0
            sees = ", ".join(sorted(one.signals)) or "everything"
            return f"told {100 * share:.12g}% of the members and sees {sees}"
    return "not described"


def _claim(
    index: int,
    threshold: thresholds_pb2.PrivacyThreshold,
    attack: str,
    rows: int,
    now: tuple[ScoreCounts, ScoreEdges],
    before: tuple[ScoreCounts, ScoreEdges],
    baseline: Baseline,
) -> Claim:
    metric = metric_from_spec(threshold.metric)
    counts, thresholds = now[0], now[1].thresholds
    old_counts, old_thresholds = before[0], before[1].thresholds
    both = (metric, counts, thresholds, old_counts, old_thresholds)
    shared = baseline.shared.get(attack)
    paired = shared is not None
    between = correlation(*both, shared) if shared is not None else 0.0
    return Claim(
        threshold=index,
        metric=metric,
        limit=threshold.change_limit,
        attack=attack,
        slice=WHOLE,
        members=counts.n_members,
        nonmembers=counts.n_nonmembers,
        rows=rows,
        interval=change_interval(*both, PASS_ALPHA, between),
        p_value=p_value_above(
            lambda alpha: change_interval(*both, alpha, between).lower, threshold.change_limit
        ),
        baseline=BaselineValue(
            interval=metric.measure(old_counts, old_thresholds, PASS_ALPHA),
            members=old_counts.n_members,
            nonmembers=old_counts.n_nonmembers,
            shared_members=baseline.shared_members if paired else 0,
            shared_nonmembers=baseline.shared_nonmembers if paired else 0,
        ),
    )
