"""Whether results say what their counts say: metrics edited by hand are refused."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tfx_privacy.metrics.best_attack import measure_best
from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, SliceKey
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

SCHEMA_VERSION = 2
_TOLERANCE = 1e-9


def check_consistent(results: results_pb2.PrivacyResults, evidence: Evidence) -> None:
    """Refuses results that do not agree with the counts beside them.

    Everything that is listed is computed again: the attacks on the whole and on each
    slice, the best of them, and the number of judged records. Every attack that was
    asked for has to be listed or skipped, and every row that was read accounted for.
    A value listed as NaN is left to the verdict, and so is an attack whose counts are
    missing.

    Raises:
      ValueError: If something disagrees by more than 1e-9, counts have no meaning, an
        attack that was counted or asked for is not listed, rows are lost, or the
        results are of another schema version.
    """
    if results.schema_version != SCHEMA_VERSION:
        raise ValueError(
            f"results: found schema version {results.schema_version}, expected {SCHEMA_VERSION}"
        )
    for (attack, key), counts in evidence.counts.items():
        _check_counts(_place(attack, key), counts, evidence.edges.get(attack))
    _check_listed(results, evidence)
    _check_attacks(WHOLE, results.records.judge, results.attacks, evidence)
    for entry in results.slices:
        key = tuple((part.feature, part.value) for part in entry.key)
        _check_attacks(key, entry.judge, entry.attacks, evidence)
    _check_best(results, evidence)
    _check_records(results.records)


def has_nan(value: results_pb2.MeasuredValue) -> bool:
    """Whether a listed value is no number."""
    return any(math.isnan(number) for number in (value.estimate, value.lower, value.upper))


def _check_counts(place: str, counts: ScoreCounts, edges: ScoreEdges | None) -> None:
    if edges is None:
        raise ValueError(f"counts of {place}: found no edges of that attack")
    for side, numbers in (("members", counts.members), ("non-members", counts.nonmembers)):
        if len(numbers) != edges.bins:
            raise ValueError(
                f"counts of {place}: found {len(numbers)} bins of {side}, expected {edges.bins}"
            )
        if (numbers < 0).any():
            raise ValueError(f"counts of {place}: found a negative number of {side}")
    if not np.isfinite(edges.edges).all() or (np.diff(edges.edges) <= 0).any():
        raise ValueError(f"edges of {place}: expected ascending numbers")
    for name, found in dataclasses.asdict(edges.thresholds).items():
        if not 0 <= found <= edges.bins:
            raise ValueError(
                f"edges of {place}: found threshold {name!r} at bin {found}, "
                f"expected 0 to {edges.bins}"
            )


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
    accounted = {*listed, *(attack.name for attack in results.skipped_attacks)}
    lost = sorted(set(results.config.attacks) - accounted)
    if lost:
        raise ValueError(
            f"results: found {', '.join(lost)} asked for by the configuration, but neither "
            "results of theirs nor why they were skipped; expected one of both"
        )


def _check_records(records: results_pb2.Records) -> None:
    parts = (
        records.duplicate,
        records.same_unit,
        records.fit,
        records.fit_beyond_sample,
        records.judge,
    )
    for side, read, total in (
        ("members", records.read.members, sum(part.members for part in parts)),
        ("non-members", records.read.nonmembers, sum(part.nonmembers for part in parts)),
    ):
        if read != total:
            raise ValueError(
                f"records: found {read} {side} read, expected {total}: duplicate, same_unit, "
                "fit, fit_beyond_sample and judge together"
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
        _check_attack(place, attack, counts, evidence.edges[attack.name])


def _check_attack(
    place: str, attack: results_pb2.AttackResult, counts: ScoreCounts, edges: ScoreEdges
) -> None:
    alone = measure_attack(attack.name, counts, edges, (), 0.95)
    _check_number(f"threshold of {place}", attack.threshold, alone.threshold)
    _check_number(f"resolution of {place}", attack.resolution, alone.resolution)
    for value in attack.metrics:
        metric = metric_from_spec(value.metric)
        name = f"{metric_title(metric)} of {place}"
        again = measure_attack(attack.name, counts, edges, [metric], value.value.confidence)
        if not again.metrics:
            raise ValueError(f"{name}: found a value, but a side has no rows")
        _check_value(name, value, again.metrics[0])


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
    for value in results.best_of_attacks:
        metric = metric_from_spec(value.metric)
        name = f"{metric_title(metric)} of the best attack"
        again = measure_best(evidence, results.best_attack, [metric], value.value.confidence)
        if not again:
            raise ValueError(f"{name}: found a value, but a side has no rows")
        _check_value(name, value, again[0])


def _check_value(
    name: str, found: results_pb2.MetricValue, expected: results_pb2.MetricValue
) -> None:
    if has_nan(found.value):
        return
    for field in ("estimate", "lower", "upper", "members", "nonmembers"):
        _check_number(
            f"{field} of {name}", getattr(found.value, field), getattr(expected.value, field)
        )
    if found.HasField("max_in_sample"):
        _check_number(f"max_in_sample of {name}", found.max_in_sample, expected.max_in_sample)


def _check_number(name: str, found: float, expected: float) -> None:
    if found != expected and not abs(found - expected) <= _TOLERANCE:
        raise ValueError(
            f"{name}: found {found:.12g}, the counts give {expected:.12g}; "
            "results must not be edited by hand"
        )


def _place(attack: str, key: SliceKey) -> str:
    if not key:
        return repr(attack)
    return f"{attack!r} in slice " + ", ".join(f"{feature}={value}" for feature, value in key)
