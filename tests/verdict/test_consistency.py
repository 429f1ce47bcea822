"""Results that do not say what their counts say are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.verdict.consistency import check_consistent

SLICE = (("label", "3"),)


@pytest.fixture
def measured(measurements):
    counts = {name: measurements.counts(900, 450, a) for name, a in (("a", 0.1), ("b", 0.2))}
    return measurements.of_counts(counts, slices={SLICE: measurements.counts(90, 45, 0.1)})


def test_a_measurement_agrees_with_itself(measured) -> None:
    check_consistent(measured.results, measured.evidence)


def test_and_does_after_a_round_through_json(measured) -> None:
    text = json_format.MessageToJson(measured.results)
    check_consistent(json_format.Parse(text, results_pb2.PrivacyResults()), measured.evidence)


def _set(path: str, value: object) -> Callable[[results_pb2.PrivacyResults], None]:
    def edit(results: results_pb2.PrivacyResults) -> None:
        target: Any = results
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step)] if step.isdigit() else getattr(target, step)
        setattr(target, last, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_set("attacks.0.metrics.0.value.estimate", 0.5), "estimate of AUC of 'a': found 0.5, the"),
        (_set("attacks.1.metrics.0.value.lower", 0.5), "lower of AUC of 'b': found 0.5, the"),
        (_set("attacks.1.metrics.1.value.upper", 0.01), "upper of advantage of 'b'"),
        (_set("attacks.1.metrics.1.max_in_sample", 0.01), "max_in_sample of advantage of 'b'"),
        (_set("attacks.0.metrics.0.value.members", 9), "members of AUC of 'a': found 9, the"),
        (_set("attacks.0.metrics.0.value.confidence", 0.5), "lower of AUC of 'a'"),
        (_set("attacks.0.metrics.0.metric.name", "advantage"), "estimate of advantage of 'a'"),
        (_set("attacks.0.threshold", 9.0), "threshold of 'a': found 9"),
        (_set("attacks.0.resolution", 0.0), "resolution of 'a': found 0"),
        (_set("records.judge.members", 899), "'a': found 899 members and 450 non-members"),
        (_set("slices.0.judge.members", 89), "'a' in slice label=3: found 89 members"),
        (_set("slices.0.attacks.1.metrics.0.value.upper", 0.5), "'b' in slice label=3: found 0.5"),
        # 90 judged of 135 rows of the splits, 45 of 67.
        (_set("slices.0.rows.members", 134), "members among the rows of slice label=3: found 134"),
        (_set("slices.0.rows.nonmembers", 0), "non-members among the rows of slice label=3: fou"),
        (lambda results: results.slices.pop(), "found counts of slice label=3, but no results"),
        (lambda results: results.slices.append(results.slices[0]), "found a slice listed twice"),
        (_set("records.on_both_sides.members", 1), "found 1 members on both sides, expected at mo"),
        (
            _set("attacks.0.metrics.6.largest_attainable", 9.0),
            "largest_attainable of epsilon of 'a'",
        ),
        (_set("best_attack", "c"), "best attack: found 'c', expected one of a, b"),
        (_set("best_of_attacks.0.value.upper", 0.5), "upper of AUC of the best attack: found 0.5"),
        (_set("schema_version", 1), "found schema version 1, expected 5"),
        (lambda results: results.attacks.pop(), "found counts of b, but no results of theirs"),
        (lambda results: results.attacks.append(results.attacks[0]), "listed twice among a, b, a"),
        (lambda results: results.config.attacks.append("c"), "found c asked for by the config"),
        # 900 judged and 450 fitted members; 450 and 225 others.
        (_set("records.read.members", 1351), "found 1351 members read, expected 1350: duplicate"),
        (_set("records.read.nonmembers", 674), "found 674 non-members read, expected 675"),
        (_set("records.duplicate.members", 1), "found 1350 members read, expected 1351"),
        (_set("records.same_unit.members", 1), "found 1350 members read, expected 1351"),
        (_set("records.fit.nonmembers", 0), "found 675 non-members read, expected 450"),
        (_set("records.fit_beyond_sample.nonmembers", 2), "non-members read, expected 677"),
        (_set("records.same_unit.members", -1), "records: found -1 members, expected 0 or more"),
        (_set("best_of_attacks.0.value.upper", float("nan")), "AUC of the best attack: found a va"),
        (
            lambda results: results.stages.add(stage="read", seconds=float("nan")),
            "stage 'read': found nan seconds",
        ),
    ],
)
def test_an_edit_is_named(
    measured, edit: Callable[[results_pb2.PrivacyResults], None], message: str
) -> None:
    edit(measured.results)
    with pytest.raises(ValueError, match=message):
        check_consistent(measured.results, measured.evidence)


def test_an_attack_removed_with_its_counts_is_missed(measured) -> None:
    del measured.results.attacks[1], measured.results.slices[0].attacks[1]
    keys = [key for key in measured.evidence.counts if key[0] == "b"]
    counts = {key: c for key, c in measured.evidence.counts.items() if key not in keys}
    with pytest.raises(ValueError, match="found b asked for by the configuration"):
        check_consistent(measured.results, dataclasses.replace(measured.evidence, counts=counts))


def test_attacks_that_could_not_run_are_accounted_for(measured) -> None:
    measured.results.config.attacks.append("c")
    measured.results.skipped_attacks.add(name="c", reason="needs logits")
    check_consistent(measured.results, measured.evidence)


def test_attacks_of_attackers_that_know_less_are_accounted_for(measurements) -> None:
    """They are asked for by the configuration as "<attack>@<attacker>"."""
    names = ("a", "b", "a@weak")
    counts = {name: measurements.counts(900, 450, 0.1) for name in names}
    measured = measurements.of_counts(counts)
    config = measured.results.config
    config.attacks[:] = ["a", "b"]
    config.attackers.add(name="weak", attacks=["a"])
    check_consistent(measured.results, measured.evidence)

    config.attackers[0].attacks.append("b")
    with pytest.raises(ValueError, match="found b@weak asked for by the configuration"):
        check_consistent(measured.results, measured.evidence)
    reason = "its attacker does not see logits, which the attack needs"
    measured.results.skipped_attacks.add(name="b@weak", reason=reason)
    check_consistent(measured.results, measured.evidence)


def test_every_attacker_of_the_results_is_described_once(measurements) -> None:
    """Else nobody could say what a baseline's attacker of that name knew."""
    measured = measurements.of_counts(
        {name: measurements.counts(900, 450, 0.1) for name in ("a", "a@weak")}
    )
    config = measured.results.config
    config.attacks[:] = ["a"]
    with pytest.raises(ValueError, match="found attacks of the attacker weak, which the config"):
        check_consistent(measured.results, measured.evidence)
    config.attackers.add(name="weak", attacks=["a"], members_known=0.2)
    check_consistent(measured.results, measured.evidence)
    config.attackers.add(name="weak", attacks=["a"], members_known=0.1)
    with pytest.raises(ValueError, match="found an attacker described twice among weak, weak"):
        check_consistent(measured.results, measured.evidence)


@pytest.mark.parametrize(
    ("slices", "rows", "most", "message"),
    [
        (-1, 0, 1, "found -1, the largest with 0 rows"),
        (3, -2, 1, "found 3, the largest with -2 rows"),
        (3, 2026, 1, "at most the 2025 rows read"),
        (3, 50, 2, "found 3, and 1 measured; expected none left out before 2"),
    ],
)
def test_slices_left_out_have_to_be_possible(
    measured, slices: int, rows: int, most: int, message: str
) -> None:
    """1,350 members and 675 non-members were read, and one slice measured."""
    results = measured.results
    results.config.sample_sizes.max_slices = 1
    results.slices_left_out.slices, results.slices_left_out.largest_rows = 3, 2025
    check_consistent(results, measured.evidence)
    results.config.sample_sizes.max_slices = most
    results.slices_left_out.slices, results.slices_left_out.largest_rows = slices, rows
    with pytest.raises(ValueError, match=message):
        check_consistent(results, measured.evidence)


def test_exact_values_have_to_be_possible(measured) -> None:
    attack = measured.results.attacks[0]
    attack.exact.CopyFrom(
        results_pb2.ExactValues(
            auc=0.567, max_advantage=0.2, max_ppv=1.0, rows=measured.results.records.judge
        )
    )
    check_consistent(measured.results, measured.evidence)
    for field, value in (("auc", 1.01), ("max_advantage", -0.1), ("max_ppv", float("nan"))):
        kept = getattr(attack.exact, field)
        setattr(attack.exact, field, value)
        with pytest.raises(ValueError, match=f"exact {field} of 'a': found {value}, expected a nu"):
            check_consistent(measured.results, measured.evidence)
        setattr(attack.exact, field, kept)
    # AUC is .5 + 2/3 of the advantage, .1; of 64 bins the resolution is 1 / 128.
    for field, value, message in (
        ("auc", 0.556, "found 0.556, expected 0.558"),
        ("auc", 0.577, "to 0.57"),
        ("max_advantage", 0.09, "found 0.09, expected at least the 0.1"),
    ):
        kept = getattr(attack.exact, field)
        setattr(attack.exact, field, value)
        with pytest.raises(ValueError, match=message):
            check_consistent(measured.results, measured.evidence)
        setattr(attack.exact, field, kept)
    attack.exact.rows.members -= 1
    with pytest.raises(ValueError, match="exact values of 'a': found 899 members and 450 non-memb"):
        check_consistent(measured.results, measured.evidence)


def test_results_of_no_attack_are_consistent_where_all_were_skipped() -> None:
    results = results_pb2.PrivacyResults(schema_version=5)
    results.config.attacks.append("a")
    nothing = Evidence(edges={}, counts={})
    with pytest.raises(ValueError, match="found a asked for by the configuration"):
        check_consistent(results, nothing)
    results.skipped_attacks.add(name="a", reason="needs logits")
    check_consistent(results, nothing)


def _with_counts(evidence: Evidence, members: list[int], nonmembers: list[int]) -> Evidence:
    counts = ScoreCounts(np.array(members), np.array(nonmembers))
    return dataclasses.replace(evidence, counts={**evidence.counts, ("a", WHOLE): counts})


@pytest.mark.parametrize(
    ("members", "nonmembers", "message"),
    [
        ([901, -1] + [0] * 62, [450] + [0] * 63, "counts of 'a': found a negative number of mem"),
        ([900], [450] + [0] * 63, "counts of 'a': found 1 bins of members, expected 64"),
        # Twice 2^62 is no 64-bit number.
        ([2**62] * 2 + [0] * 62, [450] + [0] * 63, "counts of 'a': found 9.22e.18 members"),
        ([900] + [0] * 63, [450] + [0] * 63, "estimate of AUC of 'a'"),
    ],
)
def test_counts_without_meaning_are_named(
    measured, members: list[int], nonmembers: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_consistent(measured.results, _with_counts(measured.evidence, members, nonmembers))


def test_edges_without_meaning_are_named(measured) -> None:
    edges = measured.evidence.edges["a"]
    for broken, message in (
        (
            ScoreEdges(edges.edges[::-1], Thresholds.all_at(3)),
            "edges of 'a': expected ascending numbers",
        ),
        (ScoreEdges(edges.edges, Thresholds.all_at(65)), "found threshold 'member' at bin 65"),
        (ScoreEdges(edges.edges, Thresholds(1, -1, 1, 1)), "found threshold 'epsilon' at bin -1"),
        (ScoreEdges(edges.edges, Thresholds(1, 1, 65, 1)), "found threshold 'guess_in' at bin 65"),
        (
            ScoreEdges(edges.edges, Thresholds(1, 1, 3, 4)),
            "'guess_out' at bin 4, expected at most that of 'guess_in', 3",
        ),
    ):
        evidence = dataclasses.replace(
            measured.evidence, edges={**measured.evidence.edges, "a": broken}
        )
        with pytest.raises(ValueError, match=message):
            check_consistent(measured.results, evidence)


def test_missing_counts_and_values_that_are_no_number_are_left_to_the_verdict(measured) -> None:
    measured.results.attacks[0].metrics[0].value.estimate = float("nan")
    counts = {key: value for key, value in measured.evidence.counts.items() if key[0] != "b"}
    check_consistent(measured.results, dataclasses.replace(measured.evidence, counts=counts))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "rows of slice label=3: found none in the evidence"),
        ({SLICE: (135, 66)}, "non-members among the rows of slice label=3: found 67, the counts"),
    ],
)
def test_slice_rows_of_the_evidence(measured, rows: dict[Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_consistent(measured.results, dataclasses.replace(measured.evidence, slice_rows=rows))


@pytest.mark.parametrize(("members", "nonmembers"), [(89, 67), (1351, 67)])
def test_slice_rows_lie_between_those_judged_and_those_read(
    measured, members: int, nonmembers: int
) -> None:
    measured.results.slices[0].rows.members = members
    rows = {SLICE: (members, nonmembers)}
    with pytest.raises(ValueError, match="expected at least the 90 judged and at most the 1350"):
        check_consistent(measured.results, dataclasses.replace(measured.evidence, slice_rows=rows))


def test_a_slice_that_is_taken_out_is_missed(measured) -> None:
    del measured.results.slices[:]
    counts = {key: one for key, one in measured.evidence.counts.items() if key[1] == WHOLE}
    with pytest.raises(ValueError, match="found rows of slice label=3, but no results of it"):
        check_consistent(measured.results, dataclasses.replace(measured.evidence, counts=counts))
