"""What a bound on epsilon means; expected sentences are written by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tfx_privacy.metrics.controls import ControlFinding, ControlOutcome
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reports.epsilon_words import epsilon_sentences
from tfx_privacy.reports.reading import read

AUC = config_pb2.MetricSpec(name="auc")
NONE = Evidence({}, {})


def _epsilon(delta, name="epsilon"):
    return config_pb2.MetricSpec(name=name, delta=delta)


@pytest.mark.parametrize(
    ("spec", "lower", "attainable", "sentence"),
    [
        (
            _epsilon(0.0),
            0.418,
            6.899,
            "Any (epsilon, delta = 0) guarantee of this training would need epsilon >= 0.41 (95%). "
            "This is no upper limit. So many records could show at most 6.89 for the best of "
            "all attacks, even if it makes no mistake.",
        ),
        (
            _epsilon(1e-5),
            1.2,
            4.5,
            "Any (epsilon, delta = 1e-05) guarantee of this training would need epsilon >= 1.20 "
            "(95%). This is no upper limit. So many records could show at most 4.50 for the "
            "best of all attacks, even if it makes no mistake.",
        ),
        (
            _epsilon(1e-5, "canary_epsilon"),
            1.2,
            4.5,
            "By the planted canaries: any (epsilon, delta = 1e-05) guarantee of this training "
            "would need epsilon >= 1.20 (95%). This is no upper limit. So many records could show "
            "at most 4.50 for the best of all attacks, even if it makes no mistake.",
        ),
        (
            _epsilon(0.0),
            0.0,
            0.0,
            "No epsilon above 0 was shown to be needed by an (epsilon, delta = 0) guarantee of "
            "this training (95%). This is no upper limit. So few records could not show any "
            "epsilon above 0, whatever the model gives away.",
        ),
    ],
)
def test_sentences(best_of, passed, spec, lower, attainable, sentence):
    results = best_of((AUC, 0.6, 0.58, 0.62), (spec, lower, lower, math.inf))
    results.best_of_attacks[1].largest_attainable = attainable
    assert epsilon_sentences(read(results, NONE, passed)) == [sentence]


def test_no_bound_is_claimed_where_the_splits_differ(best_of, passed):
    results = best_of((_epsilon(0.0), 0.418, 0.418, math.inf))
    failed = ControlFinding(ControlOutcome.FAILED, "The splits differ.")
    controls = dataclasses.replace(passed, blind_baseline=failed)
    assert epsilon_sentences(read(results, NONE, controls)) == []


def test_without_epsilon_nothing_is_said(best_of, passed):
    assert epsilon_sentences(read(best_of((AUC, 0.6, 0.58, 0.62)), NONE, passed)) == []
