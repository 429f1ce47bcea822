"""From a directory of metrics to a verdict on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_privacy.evaluation.gate import forget_verdict, judge_metrics, write_verdict
from tfx_privacy.evaluation.metrics_directory import (
    BINARY_FILE,
    COUNTS_FILE,
    read_metrics,
    write_metrics,
)
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.signals.errors import InputError

_DEFAULT = thresholds_pb2.PrivacyThresholds()
_REFUSED = "Not blessed: the Evaluator did not bless the model's quality."
Measured = Callable[[str], Path]


def _outcome(directory: Path, thresholds: thresholds_pb2.PrivacyThresholds = _DEFAULT) -> int:
    return judge_metrics(str(directory), thresholds).verdict.outcome


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("leaky", verdict_pb2.BLOCK),
        ("tame", verdict_pb2.PASS),
        # 200 judged rows a side cannot show that TPR at 1% FPR is at most 2%.
        ("small", verdict_pb2.CANNOT_TELL),
    ],
)
def test_the_three_verdicts_by_default_thresholds(
    measured: Measured, name: str, outcome: int
) -> None:
    judged = judge_metrics(str(measured(name)), _DEFAULT)
    assert judged.verdict.outcome == outcome
    assert judged.verdict.blessed == (outcome == verdict_pb2.PASS)
    assert judged.verdict.reasons


def test_a_verdict_on_disk_says_what_it_is_of(measured: Measured, tmp_path: Path) -> None:
    directory = str(measured("leaky"))
    write_verdict(judge_metrics(directory, _DEFAULT), str(tmp_path))
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["outcome"] == "BLOCK"
    assert verdict["metrics_uri"] == directory
    assert verdict["schema_version"] == 2
    assert "BLOCK" in (tmp_path / "report.html").read_text()
    binary = verdict_pb2.PrivacyVerdict.FromString((tmp_path / "verdict.binpb").read_bytes())
    assert list(binary.reasons) == verdict["reasons"]


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_an_earlier_verdict_is_forgotten_and_nothing_else(
    measured: Measured, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").touch()
    write_verdict(judge_metrics(str(measured("tame")), _DEFAULT), str(tmp_path))
    assert _names(tmp_path) == ["notes.txt", "report.html", "verdict.binpb", "verdict.json"]
    forget_verdict(str(tmp_path))
    assert _names(tmp_path) == ["notes.txt"]
    forget_verdict(str(tmp_path))
    forget_verdict(str(tmp_path / "not there yet"))
    assert _names(tmp_path) == ["notes.txt"]


def test_a_report_without_a_verdict_is_somebody_elses(tmp_path: Path) -> None:
    for name in ("report.html", "verdict.binpb"):
        (tmp_path / name).touch()
    forget_verdict(str(tmp_path))
    assert _names(tmp_path) == ["report.html"]


def test_a_directory_of_metrics_is_no_place_for_a_verdict(tmp_path: Path) -> None:
    for name in (BINARY_FILE, "report.html", "verdict.json"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"holds metrics .*expected another directory"):
        forget_verdict(str(tmp_path))
    assert _names(tmp_path) == [BINARY_FILE, "report.html", "verdict.json"]


def test_quality_and_privacy_must_both_bless(measured: Measured) -> None:
    tame = str(measured("tame"))
    assert judge_metrics(tame, _DEFAULT, quality_blessed=True).verdict.blessed
    refused = judge_metrics(tame, _DEFAULT, quality_blessed=False).verdict
    assert refused.outcome == verdict_pb2.PASS
    assert not refused.blessed
    assert refused.reasons[0] == _REFUSED
    leaky = str(measured("leaky"))
    assert not judge_metrics(leaky, _DEFAULT, quality_blessed=True).verdict.blessed
    both = judge_metrics(leaky, _DEFAULT, quality_blessed=False).verdict
    assert both.reasons[0].startswith("BLOCK")
    assert _REFUSED in both.reasons


def test_quality_refuses_what_the_policy_would_bless(measured: Measured) -> None:
    policy = thresholds_pb2.PrivacyThresholds(on_cannot_tell="BLESSED_WITH_WARNING")
    refused = judge_metrics(str(measured("small")), policy, quality_blessed=False).verdict
    assert refused.outcome == verdict_pb2.CANNOT_TELL
    assert not refused.blessed
    assert not refused.blessed_with_warning
    assert refused.reasons[0] == _REFUSED
    assert not any(reason.startswith("Blessed with") for reason in refused.reasons)


def test_a_policy_can_bless_what_is_merely_undecided(measured: Measured) -> None:
    policy = thresholds_pb2.PrivacyThresholds(on_cannot_tell="BLESSED_WITH_WARNING")
    small = judge_metrics(str(measured("small")), policy).verdict
    assert small.outcome == verdict_pb2.CANNOT_TELL
    assert small.blessed
    assert small.blessed_with_warning
    leaky = judge_metrics(str(measured("leaky")), policy).verdict
    assert not leaky.blessed


def test_metrics_of_another_model_are_refused(measured: Measured) -> None:
    with pytest.raises(InputError, match="expected those of /models/7"):
        judge_metrics(str(measured("tame")), _DEFAULT, model_uri="/models/7")


def test_metrics_edited_by_hand_are_refused(measured: Measured, tmp_path: Path) -> None:
    copy = tmp_path / "metrics"
    shutil.copytree(measured("leaky"), copy)
    content = read_metrics(str(copy))
    auc = content.results.attacks[0].metrics[0].value
    auc.estimate = auc.lower = 0.5
    write_metrics(content, str(copy))
    with pytest.raises(InputError, match="cannot be judged"):
        judge_metrics(str(copy), _DEFAULT)


def test_counts_that_do_not_add_up_are_refused(measured: Measured, tmp_path: Path) -> None:
    copy = tmp_path / "metrics"
    shutil.copytree(measured("leaky"), copy)
    table = pq.read_table(copy / COUNTS_FILE)
    doubled = [np.asarray(row) * 2 for row in table["nonmembers"].to_pylist()]
    column = pa.array(doubled, table.schema.field("nonmembers").type)
    place = table.schema.get_field_index("nonmembers")
    table = table.set_column(place, table.schema.field("nonmembers"), column)
    pq.write_table(table, copy / COUNTS_FILE)
    with pytest.raises(InputError, match="cannot be judged"):
        judge_metrics(str(copy), _DEFAULT)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (BINARY_FILE, None, "holds no metrics"),
        (BINARY_FILE, b"\xff\xff\xff", "not a PrivacyResults"),
        (BINARY_FILE, b"\x08\x63", "schema version 99; expected 5"),
        (COUNTS_FILE, b"no parquet", "not a Parquet file"),
        (COUNTS_FILE, None, "cannot read"),
    ],
)
def test_unreadable_metrics_are_named(
    measured: Measured, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    copy = tmp_path / "metrics"
    shutil.copytree(measured("tame"), copy)
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        judge_metrics(str(copy), _DEFAULT)


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        ({"metric": {"name": "kappa"}, "upper_limit": 1.0}, "kappa"),
        ({"metric": {"name": "epsilon"}, "upper_limit": 1.0, "role": "MUST_PASS"}, "epsilon"),
        ({"metric": {"name": "auc"}}, "upper_limit"),
        ({"metric": {"name": "auc"}, "upper_limit": 0.0}, "upper_limit"),
        ({"metric": {"name": "auc"}, "upper_limit": -1.0}, "upper_limit"),
        ({"metric": {"name": "tpr_at_fpr", "fpr": 0.01}, "upper_limit": 0.005}, "upper_limit"),
    ],
)
def test_wrong_thresholds_are_named(measured: Measured, threshold: dict, words: str) -> None:
    thresholds = thresholds_pb2.PrivacyThresholds(thresholds=[threshold])
    with pytest.raises(InputError, match=words):
        _outcome(measured("tame"), thresholds)
