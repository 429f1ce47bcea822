"""What a gate found of the controls; expected texts are written by hand."""

from __future__ import annotations

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.verdict_controls import control_rows


def test_every_control_has_a_name_an_outcome_and_a_reason():
    verdict = verdict_pb2.PrivacyVerdict()
    for control, outcome, required in (
        (config_pb2.BLIND_BASELINE, verdict_pb2.CONTROL_FAILED, True),
        (config_pb2.NEGATIVE_CONTROL, verdict_pb2.CONTROL_PASSED, False),
        (config_pb2.POSITIVE_CONTROL, verdict_pb2.CONTROL_NOT_RUN, True),
        (config_pb2.DUPLICATES, verdict_pb2.CONTROL_PASSED, False),
    ):
        verdict.controls.add(control=control, outcome=outcome, required=required, reason="Why.")
    assert [(row.name, row.role, row.outcome, row.style) for row in control_rows(verdict)] == [
        ("Blind baseline", "required", "failed", "block"),
        ("Negative control", "", "passed", "pass"),
        ("Positive control", "required", "not run", "tell"),
        ("Duplicates", "", "passed", "pass"),
    ]
    assert {row.reason for row in control_rows(verdict)} == {"Why."}


def test_an_outcome_that_is_not_set_is_not_called_passed():
    verdict = verdict_pb2.PrivacyVerdict()
    verdict.controls.add(control=config_pb2.BLIND_BASELINE)
    assert control_rows(verdict)[0].outcome == "not known"
