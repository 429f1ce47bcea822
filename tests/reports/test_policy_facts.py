"""By what a gate decided; expected texts are written by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.policy_facts import baseline_facts, policy_facts
from tfx_privacy.verdict.limits import resolve_thresholds

AUC = config_pb2.MetricSpec(name="auc")


@pytest.fixture
def on_change():
    thresholds = thresholds_pb2.PrivacyThresholds()
    thresholds.thresholds.add(metric=AUC, change_limit=0.02)
    return resolve_thresholds(thresholds)


def test_the_default_policies():
    thresholds = resolve_thresholds(thresholds_pb2.PrivacyThresholds())
    assert policy_facts(verdict_pb2.PrivacyVerdict(thresholds=thresholds)) == [
        ("At CANNOT TELL the model is", "not blessed"),
        ("Fewest records of a slice", "200 members, 100 non-members"),
    ]


def test_policies_that_were_set(on_change):
    on_change.on_cannot_tell = thresholds_pb2.BLESSED_WITH_WARNING
    on_change.on_no_baseline = thresholds_pb2.CANNOT_TELL_CHANGE
    on_change.minimum_records.members = 1_000
    on_change.minimum_records.nonmembers = 500
    on_change.required_controls.extend([config_pb2.BLIND_BASELINE, config_pb2.DUPLICATES])
    on_change.required_attacks.extend(["loss_threshold", "network"])
    assert policy_facts(verdict_pb2.PrivacyVerdict(thresholds=on_change)) == [
        (
            "At CANNOT TELL the model is",
            "blessed with a warning where intervals are too wide and nothing else is wrong",
        ),
        ("Fewest records of the splits", "1,000 members, 500 non-members"),
        ("Required controls", "blind baseline, duplicates"),
        ("Required attacks", "loss_threshold, network"),
        ("Without a baseline", "CANNOT TELL"),
    ]


def test_a_baseline_is_named_with_how_it_was_compared(on_change):
    verdict = verdict_pb2.PrivacyVerdict(
        thresholds=on_change,
        baseline=verdict_pb2.Baseline(
            metrics_uri="/metrics/4",
            model_uri="/model/3",
            shared_records=results_pb2.SideCounts(members=9_000, nonmembers=4_000),
        ),
    )
    assert baseline_facts(verdict) == [
        ("Baseline's metrics", "/metrics/4"),
        ("Baseline's model", "/model/3"),
        (
            "Compared",
            "record by record, on 9,000 members and 4,000 non-members of both",
        ),
    ]
    verdict.baseline.ClearField("shared_records")
    assert baseline_facts(verdict)[2][1] == (
        "unpaired: no record could be matched between the two measurements"
    )


def test_a_missing_baseline_is_told_only_where_one_was_wanted(on_change):
    wanted = verdict_pb2.PrivacyVerdict(thresholds=on_change)
    assert baseline_facts(wanted) == [("Baseline", "none was found")]
    assert baseline_facts(verdict_pb2.PrivacyVerdict()) == []
