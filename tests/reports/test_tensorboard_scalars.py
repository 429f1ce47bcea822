"""Event files of results: what TensorBoard finds in them."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tfx_privacy.metrics.counts import WHOLE, Evidence, ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.tensorboard_scalars import (
    BEST_RUN,
    EVENTS_FILE,
    attack_summary,
    best_summary,
    write_results_events,
)
from tfx_privacy.signals.tfrecord import read_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Run

AUC = config_pb2.MetricSpec(name="auc")
TPR = config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01)
EPSILON = config_pb2.MetricSpec(name="epsilon", delta=0.0)
NO_EVIDENCE = Evidence(edges={}, counts={})


def metric(
    spec: config_pb2.MetricSpec, estimate: float, lower: float, upper: float
) -> results_pb2.MetricValue:
    value = results_pb2.MeasuredValue(
        estimate=estimate, lower=lower, upper=upper, confidence=0.95, members=100, nonmembers=100
    )
    return results_pb2.MetricValue(metric=spec, value=value)


def attack(name: str = "loss_threshold") -> results_pb2.AttackResult:
    return results_pb2.AttackResult(
        name=name,
        metrics=[
            metric(AUC, 0.625, 0.5, 0.75),
            metric(TPR, 0.0625, 0.03125, 0.125),
            metric(EPSILON, 0.25, 0.25, math.inf),
        ],
    )


def evidence(name: str = "loss_threshold") -> Evidence:
    """100 members and 100 non-members in four bins: enough records for five bars."""
    edges = ScoreEdges(np.array([-math.inf, 0.0, 1.0]), Thresholds.all_at(2))
    counts = ScoreCounts(np.array([10, 20, 30, 40]), np.array([40, 30, 20, 10]))
    return Evidence(edges={name: edges}, counts={(name, WHOLE): counts})


def numbers(summary: Summary) -> dict[str, float]:
    return {v.tag: v.simple_value for v in summary.value if v.WhichOneof("value") == "simple_value"}


def events(path: Path) -> list[Event]:
    return [Event.FromString(record) for record in read_records(str(path))]


def png_size(data: bytes) -> tuple[int, int]:
    # After the signature comes the header: its length, "IHDR", width and height.
    # https://www.w3.org/TR/png-3/#11IHDR
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_each_metric_has_its_estimate_and_its_bounds() -> None:
    assert numbers(attack_summary(attack(), NO_EVIDENCE)) == {
        "auc/estimate": 0.625,
        "auc/lower": 0.5,
        "auc/upper": 0.75,
        "tpr_at_fpr_0.01/estimate": 0.0625,
        "tpr_at_fpr_0.01/lower": 0.03125,
        "tpr_at_fpr_0.01/upper": 0.125,
        # A bound from below: its upper bound is infinite.
        "epsilon_0/estimate": 0.25,
        "epsilon_0/lower": 0.25,
    }


def test_metrics_are_explained() -> None:
    (first, *_) = attack_summary(attack(), NO_EVIDENCE).value
    assert first.metadata.summary_description.startswith("AUC, estimate. How often the attack")
    assert first.metadata.summary_description.endswith("Two-sided confidence 0.95.")


def test_histograms_are_those_of_both_sides() -> None:
    summary = attack_summary(attack(), evidence())
    found = {value.tag: value for value in summary.value if value.HasField("tensor")}
    assert list(found) == ["scores/members", "scores/nonmembers"]
    # Every bin has a quarter of both sides together, so that each is a bar.
    quarters = [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    for tag, counts in {
        "scores/members": [10, 20, 30, 40],
        "scores/nonmembers": [40, 30, 20, 10],
    }.items():
        tensor = found[tag].tensor
        assert [dim.size for dim in tensor.tensor_shape.dim] == [4, 3]
        buckets = np.frombuffer(tensor.tensor_content, "<f8").reshape(4, 3)
        expected = [[*bounds, count] for bounds, count in zip(quarters, counts, strict=True)]
        assert buckets.tolist() == expected
        assert found[tag].metadata.plugin_data.plugin_name == "histograms"


def test_best_run_has_two_pictures_of_the_roc() -> None:
    results = results_pb2.PrivacyResults(
        attacks=[attack()], best_attack="loss_threshold", best_of_attacks=[metric(AUC, 0.5, 0, 1)]
    )
    summary = best_summary(results, evidence())
    assert numbers(summary) == {"auc/estimate": 0.5, "auc/lower": 0, "auc/upper": 1}
    pictures = {value.tag: value.image for value in summary.value if value.HasField("image")}
    assert list(pictures) == ["roc/linear", "roc/logarithmic"]
    for picture in pictures.values():
        assert png_size(picture.encoded_image_string) == (picture.width, picture.height)
        assert picture.width > 500
    first, second = (picture.encoded_image_string for picture in pictures.values())
    assert first != second


def test_the_same_results_make_the_same_summary(leaky: Run) -> None:
    first, second = (best_summary(leaky.results, leaky.evidence) for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()


def test_attackers_that_know_less_have_no_curve() -> None:
    everything = attack("loss_threshold")
    less = attack("loss_threshold@label_only")
    results = results_pb2.PrivacyResults(attacks=[everything, less], best_attack="loss_threshold")
    alone = results_pb2.PrivacyResults(attacks=[everything], best_attack="loss_threshold")
    both = Evidence(
        edges={**evidence().edges, **evidence(less.name).edges},
        counts={**evidence().counts, **evidence(less.name).counts},
    )
    assert best_summary(results, both) == best_summary(alone, both)
    results.best_attack = less.name
    assert best_summary(results, both) != best_summary(alone, both)


def test_files_are_runs_that_begin_with_their_format(tmp_path: Path) -> None:
    results = results_pb2.PrivacyResults(
        attacks=[attack()], best_attack="loss_threshold", best_of_attacks=[metric(AUC, 0.5, 0, 1)]
    )
    write_results_events(results, evidence(), str(tmp_path), step=7)
    runs = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert runs == [f"{BEST_RUN}/{EVENTS_FILE}", f"loss_threshold/{EVENTS_FILE}"]
    assert "tfevents" in EVENTS_FILE
    head, content = events(tmp_path / runs[1])
    assert head.file_version == "brain.Event:2"
    assert content.step == 7
    assert content.summary == attack_summary(attack(), evidence())


def test_without_counts_scalars_are_there_all_the_same(tmp_path: Path) -> None:
    results = results_pb2.PrivacyResults(
        attacks=[attack()], best_attack="loss_threshold", best_of_attacks=[metric(AUC, 0.5, 0, 1)]
    )
    write_results_events(results, NO_EVIDENCE, str(tmp_path))
    for run in (BEST_RUN, "loss_threshold"):
        _, content = events(tmp_path / run / EVENTS_FILE)
        assert {value.WhichOneof("value") for value in content.summary.value} == {"simple_value"}


def test_nothing_measured_is_no_file(tmp_path: Path) -> None:
    write_results_events(results_pb2.PrivacyResults(), NO_EVIDENCE, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("members", [5, 1])
def test_a_side_of_few_records_is_drawn(make: Callable[..., Run], members: int) -> None:
    run = make(leak=0.0, members=200, nonmembers=200)
    name = run.results.best_attack
    bins = run.evidence.edges[name].bins
    few = ScoreCounts(np.zeros(bins, np.int64), np.ones(bins, np.int64))
    few.members[0] = members
    small = Evidence(run.evidence.edges, {(name, WHOLE): few})
    tags = [value.tag for value in best_summary(run.results, small).value]
    assert tags[-2:] == ["roc/linear", "roc/logarithmic"]
