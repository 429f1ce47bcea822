"""The gate's whole job on a directory of metrics: judge and write."""

from __future__ import annotations

import dataclasses

from tfx_privacy.evaluation.accounted_controls import require_controls
from tfx_privacy.evaluation.baseline import BaselinePaths, read_baseline
from tfx_privacy.evaluation.message_files import message_to_json
from tfx_privacy.evaluation.metrics_directory import BINARY_FILE as METRICS_FILE
from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent, read_metrics
from tfx_privacy.evaluation.thresholds import resolve_gate_thresholds
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.page import verdict_page
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.files import exists, join, remove, write_bytes_whole, write_text_whole
from tfx_privacy.verdict.judge import judge
from tfx_privacy.version import __version__

JSON_FILE = "verdict.json"
BINARY_FILE = "verdict.binpb"
REPORT_FILE = "report.html"


@dataclasses.dataclass(frozen=True)
class JudgedMetrics:
    """A verdict and what it was judged by."""

    verdict: verdict_pb2.PrivacyVerdict
    metrics: PrivacyMetricsContent


def judge_metrics(
    metrics_dir: str,
    thresholds: thresholds_pb2.PrivacyThresholds,
    model_uri: str | None = None,
    quality_blessed: bool | None = None,
    baseline: BaselinePaths | None = None,
    record_risk_dir: str | None = None,
) -> JudgedMetrics:
    """Judges a directory of metrics by thresholds.

    Args:
      metrics_dir: A directory as metrics_directory.py describes it.
      thresholds: The limits; defaults are filled in.
      model_uri: The model that is about to be pushed; None where nobody says.
      quality_blessed: The Evaluator's blessing; None where there is none. The model
        is blessed only if this is not False.
      baseline: The measurement that changes are counted from; None where there is
        none.
      record_risk_dir: The record-risk table of the metrics. Where the baseline has one
        too, intervals of changes are paired.

    Raises:
      InputError: If metrics or baseline cannot be read, the metrics contradict
        themselves, lack a control or are of another model, the baseline is of the same one, or the
        record-risk tables cannot be paired.
    """
    resolved = resolve_gate_thresholds(thresholds)
    metrics = read_metrics(metrics_dir)
    measured = metrics.results.model.uri
    if model_uri is not None and measured != model_uri:
        raise InputError(
            f"the metrics at {metrics_dir} are of the model at {measured}; "
            f"expected those of {model_uri}"
        )
    require_controls(metrics.results)
    before = None
    if baseline is not None:
        before = read_baseline(baseline, metrics, record_risk_dir)
    try:
        verdict = judge(metrics.results, metrics.evidence, resolved, quality_blessed, before)
    except ValueError as error:
        raise InputError(f"the metrics at {metrics_dir} cannot be judged: {error}") from error
    verdict.package_version = __version__
    verdict.metrics_uri = metrics_dir
    return JudgedMetrics(verdict, metrics)


def forget_verdict(directory: str) -> None:
    """Removes an earlier verdict, so that none is found where judging fails.

    To be called before judging. `report.html` goes only with a `verdict.json` beside
    it, `verdict.json` last.

    Args:
      directory: Where a verdict is about to be written; need not exist.

    Raises:
      InputError: If the directory holds metrics, whose report the verdict's would
        replace, or an earlier verdict cannot be removed.
    """
    if exists(join(directory, METRICS_FILE)):
        raise InputError(
            f"{directory} holds metrics ({METRICS_FILE}), and the verdict's {REPORT_FILE} would "
            "replace theirs; expected another directory for the verdict"
        )
    report = [REPORT_FILE] if exists(join(directory, JSON_FILE)) else []
    try:
        remove(join(directory, name) for name in (*report, BINARY_FILE, JSON_FILE))
    except OSError as error:
        raise InputError(f"cannot remove the verdict in {directory}: {error}") from error


def write_verdict(judged: JudgedMetrics, directory: str) -> None:
    """Writes verdict and page; `verdict.json`, which people wait for, comes last."""
    page = verdict_page(judged.verdict, judged.metrics.results, judged.metrics.evidence)
    binary = judged.verdict.SerializeToString(deterministic=True)
    write_text_whole(join(directory, REPORT_FILE), page)
    write_bytes_whole(join(directory, BINARY_FILE), binary)
    write_text_whole(join(directory, JSON_FILE), message_to_json(judged.verdict))
