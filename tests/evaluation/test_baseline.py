"""Thresholds on the change: a gate with a baseline, from directories of metrics."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tfx_privacy.__main__ import main
from tfx_privacy.evaluation.baseline import BaselinePaths
from tfx_privacy.evaluation.gate import judge_metrics
from tfx_privacy.evaluation.metrics_directory import read_metrics, write_metrics
from tfx_privacy.evaluation.output_directory import record_risk_beside
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.signals.errors import InputError

Measured = Callable[[str], Path]
_CHANGE = thresholds_pb2.PrivacyThresholds(
    thresholds=[
        {"metric": {"name": "auc"}, "upper_limit": 0.7},
        {"metric": {"name": "auc"}, "change_limit": 0.02},
    ]
)


def _judged(metrics: Path, baseline: Path, *, paired: bool) -> verdict_pb2.PrivacyVerdict:
    return judge_metrics(
        str(metrics),
        _CHANGE,
        baseline=BaselinePaths(
            str(baseline), record_risk_beside(str(baseline)) if paired else None
        ),
        record_risk_dir=record_risk_beside(str(metrics)) if paired else None,
    ).verdict


def _width(verdict: verdict_pb2.PrivacyVerdict) -> float:
    change = verdict.findings[1].value
    return change.upper - change.lower


def test_a_model_that_leaks_more_is_blocked_by_the_change(measured_series: Measured) -> None:
    first, worse = measured_series("first"), measured_series("worse")
    for paired in (True, False):
        verdict = _judged(worse, first, paired=paired)
        assert verdict.outcome == verdict_pb2.BLOCK
        assert verdict.findings[0].outcome == verdict_pb2.PASS
        assert verdict.findings[1].outcome == verdict_pb2.BLOCK
        assert verdict.baseline.metrics_uri == str(first)
        assert verdict.baseline.model_uri == "/models/first"


def test_record_risk_of_both_makes_the_interval_narrower(measured_series: Measured) -> None:
    first, third = measured_series("first"), measured_series("third")
    paired, unpaired = (_judged(third, first, paired=paired) for paired in (True, False))
    # Scores that correlate by .9: a factor of some sqrt(1 - .9), and what validity costs.
    assert _width(paired) < 0.6 * _width(unpaired)
    assert paired.outcome == verdict_pb2.PASS
    # All rows are judged in both, as FIT and JUDGE go by the ids.
    judged = read_metrics(str(first)).results.records.judge
    assert paired.baseline.shared_records == judged
    assert unpaired.baseline.shared_records.members == 0


def test_without_a_baseline_the_change_is_skipped(measured_series: Measured) -> None:
    verdict = judge_metrics(str(measured_series("first")), _CHANGE).verdict
    assert verdict.blessed
    assert verdict.findings[1].skipped
    assert not verdict.HasField("baseline")


def test_a_model_is_no_baseline_of_its_own(measured_series: Measured) -> None:
    first = measured_series("first")
    with pytest.raises(InputError, match="is of the model at /models/first, which is the one"):
        _judged(first, first, paired=False)


def test_a_measurement_is_no_baseline_of_its_own(measured: Measured, tmp_path: Path) -> None:
    # Saved predictions have no URI that would tell.
    shutil.copytree(measured("tame"), tmp_path / "copy")
    with pytest.raises(InputError, match="is the measurement that is judged; expected that of an"):
        _judged(measured("tame"), tmp_path / "copy", paired=False)


def test_record_risk_of_another_model_on_the_same_records_is_refused(
    measured_series: Measured,
) -> None:
    first, third = measured_series("first"), measured_series("third")
    with pytest.raises(InputError, match="has other scores of 'loss_threshold' than were counted"):
        judge_metrics(
            str(third),
            _CHANGE,
            # The scores of the model at hand in the place of the baseline's would correlate by 1.
            baseline=BaselinePaths(str(first), record_risk_beside(str(third))),
            record_risk_dir=record_risk_beside(str(third)),
        )


def test_a_baseline_of_another_schema_version_is_named(
    measured_series: Measured, tmp_path: Path
) -> None:
    first = measured_series("first")
    shutil.copytree(first, tmp_path / "old")
    content = read_metrics(str(first))
    content.results.schema_version = 99
    write_metrics(content, str(tmp_path / "old"))
    with pytest.raises(
        InputError, match=r"the baseline cannot be read: .* schema version 99; expected \d"
    ):
        _judged(measured_series("third"), tmp_path / "old", paired=False)


def test_a_baseline_of_other_attacks_decides_nothing(
    measured_series: Measured, measured: Measured
) -> None:
    # "tame" was measured by other attacks too, which "first" has not.
    verdict = _judged(measured("tame"), measured_series("first"), paired=False)
    assert verdict.findings[1].outcome == verdict_pb2.CANNOT_TELL
    assert not verdict.blessed


def _gate(tmp_path: Path, *arguments: str) -> tuple[int, str, dict]:
    thresholds = tmp_path / "thresholds.txt"
    thresholds.write_text(str(_CHANGE))
    output = tmp_path / "verdict"
    done = CliRunner().invoke(
        main, ["gate", "--thresholds", str(thresholds), "--output", str(output), *arguments]
    )
    written = output / "verdict.json"
    return done.exit_code, done.output, json.loads(written.read_text()) if written.exists() else {}


def test_the_command_pairs_what_lies_beside_the_metrics(
    measured_series: Measured, tmp_path: Path
) -> None:
    first, worse = str(measured_series("first")), str(measured_series("worse"))
    code, _, verdict = _gate(tmp_path, "--metrics", worse, "--baseline", first)
    assert code == 10
    assert int(verdict["baseline"]["shared_records"]["members"]) > 5_000


def test_the_command_takes_record_risk_from_elsewhere(
    measured_series: Measured, tmp_path: Path
) -> None:
    first, third = measured_series("first"), measured_series("third")
    shutil.copytree(first, tmp_path / "moved")
    (tmp_path / "moved" / "record_risk").rename(tmp_path / "risk")
    arguments = ["--metrics", str(third), "--baseline", str(tmp_path / "moved")]
    code, _, verdict = _gate(tmp_path, *arguments)
    assert code == 0
    assert not verdict["baseline"].get("shared_records")
    code, _, verdict = _gate(tmp_path, *arguments, "--baseline-record-risk", str(tmp_path / "risk"))
    assert code == 0
    assert int(verdict["baseline"]["shared_records"]["members"]) > 5_000
    code, shown, _ = _gate(tmp_path, *arguments, "--record-risk", str(third / "record_risk"))
    assert code == 1
    assert "expected --baseline-record-risk" in shown


def test_the_command_says_why_it_does_not_pair(
    measured_series: Measured, measured: Measured, tmp_path: Path
) -> None:
    first, tame = measured_series("first"), measured("tame")
    _, shown, _ = _gate(tmp_path, "--metrics", str(first), "--baseline", str(tame))
    assert "intervals of the change are unpaired: the ids of the one are by" in shown
    code, shown, _ = _gate(
        tmp_path,
        *("--metrics", str(first), "--baseline", str(tame)),
        *("--record-risk", str(first / "record_risk")),
    )
    assert code == 1
    assert "cannot be paired" in shown


def test_record_risk_without_a_baseline_is_wrong_usage(tmp_path: Path) -> None:
    folder = str(tmp_path)
    code, shown, _ = _gate(tmp_path, "--metrics", folder, "--record-risk", folder)
    assert code == 2
    assert "there is no --baseline" in shown
