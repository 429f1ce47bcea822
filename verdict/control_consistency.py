"""Whether the controls say what their counts say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfx_privacy.metrics.controls import BLIND_BASELINE, NEGATIVE, positive_run
from tfx_privacy.metrics.counts import WHOLE, ControlRun, Evidence, ScoreCounts
from tfx_privacy.metrics.power import smallest_found
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.claim import PASS_ALPHA
from tfx_privacy.verdict.numbers_agree import (
    check_attack,
    check_counts,
    check_edges,
    check_number,
    check_values,
)


def check_controls(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses controls that do not agree with the counts beside them.

    Everything that they list is computed again; a run that was counted has to be
    listed, and one that is listed counted.

    Raises:
      ValueError: If something disagrees, or a run is hidden.
    """
    for run, one in evidence.controls.items():
        _check_run(run, one)
    controls = results.controls
    _check_not_run(controls)
    listed: dict[str, list[str]] = {}
    if controls.blind_baseline.metrics:
        _check_blind(controls.blind_baseline, evidence)
        listed[BLIND_BASELINE] = [BLIND_BASELINE]
    runs = [(NEGATIVE, controls.negative.attacks)] if controls.negative.attacks else []
    runs += [(positive_run(run.share), run.attacks) for run in controls.positive.runs]
    for name, attacks in runs:
        if name in listed:
            raise ValueError(f"results: found the control run {name!r} listed twice")
        listed[name] = [attack.name for attack in attacks]
        _check_attacks(name, attacks, evidence)
    _check_nothing_hidden(listed, evidence)
    _check_power(controls.power, evidence)


def _check_not_run(controls: results_pb2.ControlResults) -> None:
    """Refuses a control that ran and is said not to have run."""
    for name, reason, found in (
        ("blind baseline", controls.blind_baseline.not_run, controls.blind_baseline.metrics),
        ("negative control", controls.negative.not_run, controls.negative.attacks),
        ("positive control", controls.positive.not_run, controls.positive.runs),
    ):
        if reason and found:
            raise ValueError(
                f"results: found values of the {name}, and that it did not run ({reason}); "
                "expected one of both"
            )
    for run in controls.positive.runs:
        if not 0.0 < run.share < 1.0:
            raise ValueError(
                f"results: found a positive control with a share of {run.share}, expected a "
                "number in (0, 1)"
            )


def _check_run(name: str, run: ControlRun) -> None:
    for attack, edges in run.edges.items():
        check_edges(_place(attack, name), edges)
    for attack, counts in run.counts.items():
        check_counts(_place(attack, name), counts, run.edges.get(attack))


def _check_blind(blind: results_pb2.BlindBaseline, evidence: Evidence) -> None:
    run = _run(BLIND_BASELINE, evidence)
    if BLIND_BASELINE not in run.counts:
        raise _without_counts(BLIND_BASELINE, BLIND_BASELINE)
    counts, edges = run.counts[BLIND_BASELINE], run.edges[BLIND_BASELINE]
    check_values("the blind baseline", blind.metrics, BLIND_BASELINE, counts, edges)
    if blind.label_alone and blind.features_seen != 1:
        raise ValueError(
            f"the blind baseline: found that it saw {blind.features_seen} features, and the label "
            "alone; expected one of both"
        )
    for one in blind.features:
        if not 0.0 <= one.auc <= 1.0:
            raise ValueError(
                f"the blind baseline: found AUC {one.auc} of the feature {one.feature!r}, expected "
                "a number in [0, 1]"
            )


def _check_attacks(
    name: str, attacks: Sequence[results_pb2.AttackResult], evidence: Evidence
) -> None:
    run = _run(name, evidence)
    for attack in attacks:
        if attack.name not in run.counts:
            raise _without_counts(attack.name, name)
        place = _place(attack.name, name)
        check_attack(place, attack, run.counts[attack.name], run.edges[attack.name])


def _check_nothing_hidden(listed: dict[str, list[str]], evidence: Evidence) -> None:
    for name, run in evidence.controls.items():
        attacks = listed.get(name, [])
        if len(set(attacks)) != len(attacks):
            raise ValueError(
                f"results: found an attack listed twice in the control run {name!r}: "
                f"{', '.join(attacks)}"
            )
        # Where a side has no rows there is nothing that could be listed.
        counted = {one for one, counts in run.counts.items() if _has_both_sides(counts)}
        hidden = sorted(counted - set(attacks))
        if hidden:
            raise ValueError(
                f"results: found counts of {', '.join(hidden)} in the control run {name!r}, but "
                "no results of theirs; expected every run of a control to be listed"
            )


def _check_power(listed: Iterable[results_pb2.Power], evidence: Evidence) -> None:
    whole = next((counts for (_, key), counts in evidence.counts.items() if key == WHOLE), None)
    for entry in listed:
        metric = metric_from_spec(entry.metric)
        title = f"power of {metric_title(metric)}"
        if whole is None or not _has_both_sides(whole):
            raise ValueError(f"{title}: found a value, but a side has no rows")
        expected = smallest_found(
            metric,
            whole.n_members,
            whole.n_nonmembers,
            metric.no_leak,
            PASS_ALPHA,
            entry.power,
        )
        check_number(title, entry.smallest_found, expected)


def _has_both_sides(counts: ScoreCounts) -> bool:
    return counts.n_members > 0 and counts.n_nonmembers > 0


def _run(name: str, evidence: Evidence) -> ControlRun:
    if name not in evidence.controls:
        raise ValueError(
            f"results: found the control run {name!r}, but no counts of it; expected its counts "
            "beside the results"
        )
    return evidence.controls[name]


def _without_counts(attack: str, run: str) -> ValueError:
    return ValueError(
        f"results: found {attack!r} in the control run {run!r}, but no counts of it; expected "
        "its counts beside the results"
    )


def _place(attack: str, run: str) -> str:
    return f"{attack!r} in the control run {run!r}"
