"""Whether results say what their counts say: metrics edited by hand are refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from tfx_privacy.attacks.attacker_name import attack_of, split_name
from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.best_attack import measure_best
from tfx_privacy.metrics.counts import WHOLE, Evidence, SliceKey
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.metrics.resolution import resolution
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.control_consistency import check_controls
from tfx_privacy.verdict.explanation_consistency import check_explanation
from tfx_privacy.verdict.numbers_agree import (
    check_attack,
    check_counts,
    check_edges,
    check_number,
    check_value,
    has_nan,
)
from tfx_privacy.verdict.reference_consistency import check_references
from tfx_privacy.verdict.risk_consistency import check_record_risk
from tfx_privacy.verdict.white_box_consistency import check_fitted_on, check_white_box

SCHEMA_VERSION = 5
_ROUNDING = 1e-9


def check_consistent(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses results that do not agree with the counts beside them.

    Everything that is listed is computed again: the attacks on the whole and on each
    slice, the best of them, those compared with and without white-box signals, the runs
    of the controls, the power, and the numbers of records. Every attack that was asked for
    has to be listed or skipped, every run of a control listed, and every row that was read
    accounted for. A value listed as NaN is left to the verdict, and so is an attack whose
    counts are missing. Exact values, which are of scores and not of counts, have to be
    possible.

    Raises:
      ValueError: If something disagrees by more than 1e-9, counts have no meaning, an
        attack that was counted or asked for is not listed, rows are lost, or the
        results are of another schema version.
    """
    if results.schema_version != SCHEMA_VERSION:
        raise ValueError(
            f"results: found schema version {results.schema_version}, expected {SCHEMA_VERSION}"
        )
    for attack, edges in evidence.edges.items():
        check_edges(_place(attack, WHOLE), edges)
    for (attack, key), counts in evidence.counts.items():
        check_counts(_place(attack, key), counts, evidence.edges.get(attack))
    _check_listed(results, evidence)
    _check_attacks(WHOLE, results.records.judge, results.attacks, evidence)
    for entry in results.slices:
        key = tuple((part.feature, part.value) for part in entry.key)
        _check_attacks(key, entry.judge, entry.attacks, evidence)
        _check_best_of_slice(key, entry, results, evidence)
    _check_exact(results, evidence)
    _check_slice_rows(results, evidence)
    _check_left_out(results)
    _check_best(results, evidence)
    _check_records(results.records)
    _check_stages(results.stages)
    check_controls(results, evidence)
    check_explanation(results)
    check_record_risk(results)
    check_white_box(results, evidence)
    check_fitted_on(results)
    check_references(results, evidence)


def _check_listed(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    listed = [attack.name for attack in results.attacks]
    if len(set(listed)) != len(listed):
        raise ValueError(f"results: found an attack listed twice among {', '.join(listed)}")
    hidden = sorted({attack for attack, key in evidence.counts if key == WHOLE} - set(listed))
    if hidden:
        raise ValueError(
            f"results: found counts of {', '.join(hidden)}, but no results of theirs; "
            "expected every attack that ran to be listed"
        )
    described = [attacker.name for attacker in results.config.attackers]
    if len(set(described)) != len(described):
        raise ValueError(f"results: found an attacker described twice among {', '.join(described)}")
    unknown = sorted({split_name(attack)[1] for attack in listed} - {"", *described})
    if unknown:
        raise ValueError(
            f"results: found attacks of the attacker {', '.join(unknown)}, which the configuration "
            "does not describe; expected each attacker in its `attackers`"
        )
    accounted = {*listed, *(attack.name for attack in results.skipped_attacks)}
    lost = sorted(_asked(results.config) - accounted)
    if lost:
        raise ValueError(
            f"results: found {', '.join(lost)} asked for by the configuration, but neither "
            "results of theirs nor why they were skipped; expected one of both"
        )


def _asked(config: config_pb2.PrivacyConfig) -> set[str]:
    limited = (
        attack_of(attack, attacker.name)
        for attacker in config.attackers
        for attack in attacker.attacks
    )
    return {*config.attacks, *limited}


def _check_records(records: results_pb2.Records) -> None:
    parts = (
        records.duplicate,
        records.same_unit,
        records.fit,
        records.fit_beyond_sample,
        records.judge,
    )
    for side, rows in (
        ("members", [part.members for part in (records.read, *parts)]),
        ("non-members", [part.nonmembers for part in (records.read, *parts)]),
    ):
        if min(rows) < 0:
            raise ValueError(f"records: found {min(rows)} {side}, expected 0 or more")
    for side, read, total in (
        ("members", records.read.members, sum(part.members for part in parts)),
        ("non-members", records.read.nonmembers, sum(part.nonmembers for part in parts)),
    ):
        if read != total:
            raise ValueError(
                f"records: found {read} {side} read, expected {total}: duplicate, same_unit, "
                "fit, fit_beyond_sample and judge together"
            )
    for side, shared, duplicate in (
        ("members", records.on_both_sides.members, records.duplicate.members),
        ("non-members", records.on_both_sides.nonmembers, records.duplicate.nonmembers),
    ):
        if not 0 <= shared <= duplicate:
            raise ValueError(
                f"records: found {shared} {side} on both sides, expected at most the {duplicate} "
                "that are duplicates"
            )


def _check_stages(stages: Iterable[results_pb2.StageTime]) -> None:
    for stage in stages:
        if not (math.isfinite(stage.seconds) and stage.seconds >= 0.0):
            raise ValueError(
                f"stage {stage.stage!r}: found {stage.seconds} seconds, expected a number of 0 or "
                "more"
            )


def _check_attacks(
    key: SliceKey,
    judged: results_pb2.SideCounts,
    attacks: Sequence[results_pb2.AttackResult],
    evidence: Evidence,
) -> None:
    for attack in attacks:
        counts = evidence.counts.get((attack.name, key))
        if counts is None:
            continue
        place = _place(attack.name, key)
        if (judged.members, judged.nonmembers) != (counts.n_members, counts.n_nonmembers):
            raise ValueError(
                f"judged records of {place}: found {judged.members} members and "
                f"{judged.nonmembers} non-members, the counts give {counts.n_members} and "
                f"{counts.n_nonmembers}"
            )
        check_attack(place, attack, counts, evidence.edges[attack.name])


def _check_exact(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses exact values that no scores of the rows judged could have.

    They are of scores, which are not among the evidence: they cannot be computed again.
    But rows of different bins are in order, which leaves the AUC no more room than the
    resolution, and the edges are among the thresholds that the largest advantage is over.
    """
    judged = results.records.judge
    for attack in results.attacks:
        if not attack.HasField("exact"):
            continue
        exact = attack.exact
        for field in ("auc", "max_advantage", "max_ppv"):
            found = getattr(exact, field)
            if not 0.0 <= found <= 1.0:
                raise ValueError(
                    f"exact {field} of {attack.name!r}: found {found}, expected a number in [0, 1]"
                )
        if exact.rows != judged:
            raise ValueError(
                f"exact values of {attack.name!r}: found {exact.rows.members} members and "
                f"{exact.rows.nonmembers} non-members, expected the {judged.members} and "
                f"{judged.nonmembers} that were judged"
            )
        counts = evidence.counts.get((attack.name, WHOLE))
        if counts is None or not (counts.n_members and counts.n_nonmembers):
            continue
        area, room = auc(counts), resolution(counts) + _ROUNDING
        if not abs(exact.auc - area) <= room:
            raise ValueError(
                f"exact auc of {attack.name!r}: found {exact.auc}, expected {area - room:.12g} to "
                f"{area + room:.12g}, which the counts leave room for"
            )
        roc = Roc.from_counts(counts)
        least = float(abs(roc.tpr - roc.fpr).max())
        if exact.max_advantage < least - _ROUNDING:
            raise ValueError(
                f"exact max_advantage of {attack.name!r}: found {exact.max_advantage}, expected at "
                f"least the {least:.12g} that the counts reach"
            )


def _check_slice_rows(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses slices whose rows of the splits are unknown, others, or too few or many."""
    listed = [tuple((part.feature, part.value) for part in entry.key) for entry in results.slices]
    if len(set(listed)) != len(listed):
        raise ValueError("results: found a slice listed twice")
    counted = {key for _, key in evidence.counts if key != WHOLE}
    for what, keys in (("counts", counted), ("rows", set(evidence.slice_rows))):
        for key in sorted(keys - set(listed)):
            raise ValueError(f"results: found {what} of slice {_name(key)}, but no results of it")
    read = results.records.read
    for key, entry in zip(listed, results.slices, strict=True):
        place = f"rows of slice {_name(key)}"
        if key not in evidence.slice_rows:
            raise ValueError(f"{place}: found none in the evidence, expected their number")
        found = (entry.rows.members, entry.rows.nonmembers)
        for side, rows, expected, judged, most in zip(
            ("members", "non-members"),
            found,
            evidence.slice_rows[key],
            (entry.judge.members, entry.judge.nonmembers),
            (read.members, read.nonmembers),
            strict=True,
        ):
            check_number(f"{side} among the {place}", rows, expected)
            if not judged <= rows <= most:
                raise ValueError(
                    f"{side} among the {place}: found {rows}, expected at least the {judged} "
                    f"judged and at most the {most} read"
                )


def _check_left_out(results: results_pb2.PrivacyResults) -> None:
    """Refuses slices left out in numbers that cannot be, or where there was room for them."""
    left, read = results.slices_left_out, results.records.read
    rows = read.members + read.nonmembers
    if left.slices < 0 or not 0 <= left.largest_rows <= rows:
        raise ValueError(
            f"slices left out: found {left.slices}, the largest with {left.largest_rows} rows, "
            f"expected 0 or more, with at most the {rows} rows read"
        )
    most, measured = results.config.sample_sizes.max_slices, len(results.slices)
    if left.slices and measured < most:
        raise ValueError(
            f"slices left out: found {left.slices}, and {measured} measured; expected none left "
            f"out before {most} are measured (sample_sizes.max_slices)"
        )
    if most and measured > most:
        raise ValueError(
            f"results: found {measured} slices, expected at most {most} (sample_sizes.max_slices)"
        )


def _check_best_of_slice(
    key: SliceKey,
    entry: results_pb2.SliceResult,
    results: results_pb2.PrivacyResults,
    evidence: Evidence,
) -> None:
    listed = list(entry.best_of_attacks)
    if not listed or any((name, key) not in evidence.counts for name in evidence.edges):
        return
    # Each attack's own values were checked; to measure them once more would tell nothing.
    _check_best_values(
        listed,
        f"the best attack in slice {_name(key)}",
        lambda metrics, confidence: measure_best(
            evidence, results.best_attack, metrics, confidence, key, entry.attacks
        ),
    )


def _check_best(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    if not results.attacks:
        return
    names = [attack.name for attack in results.attacks]
    if results.best_attack not in names:
        raise ValueError(
            f"best attack: found {results.best_attack!r}, expected one of {', '.join(names)}"
        )
    if any((name, WHOLE) not in evidence.counts for name in names):
        return
    _check_best_values(
        results.best_of_attacks,
        "the best attack",
        lambda metrics, confidence: measure_best(
            evidence, results.best_attack, metrics, confidence
        ),
    )


def _check_best_values(
    listed: Sequence[results_pb2.MetricValue],
    place: str,
    measure: Callable[[Sequence[Metric], float], list[results_pb2.MetricValue]],
) -> None:
    # Nearly always one: what all have in common is then computed once.
    for confidence in dict.fromkeys(value.value.confidence for value in listed):
        values = [value for value in listed if value.value.confidence == confidence]
        metrics = [metric_from_spec(value.metric) for value in values]
        names = [f"{metric_title(metric)} of {place}" for metric in metrics]
        for name, value in zip(names, values, strict=True):
            if has_nan(value.value):
                raise ValueError(f"{name}: found a value that is no number")
        again = measure(metrics, confidence)
        if not again:
            raise ValueError(f"{names[0]}: found a value, but a side has no rows")
        for name, value, expected in zip(names, values, again, strict=True):
            check_value(name, value, expected)


def _place(attack: str, key: SliceKey) -> str:
    if not key:
        return repr(attack)
    return f"{attack!r} in slice {_name(key)}"


def _name(key: SliceKey) -> str:
    return ", ".join(f"{feature}={value}" for feature, value in key)
