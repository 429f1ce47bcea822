"""The measurement that a change is counted from: where it lies, and reading it."""

from __future__ import annotations

import dataclasses

from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent, read_metrics
from tfx_privacy.evaluation.shared_records import SharedRecords, read_shared_records, why_not_paired
from tfx_privacy.signals.errors import InputError
from tfx_privacy.verdict.baseline import Baseline


@dataclasses.dataclass(frozen=True)
class BaselinePaths:
    """Where a baseline lies.

    Attributes:
      metrics: A directory as metrics_directory.py describes it.
      record_risk: The directory of its record-risk table; None where there is none,
        and intervals of changes are unpaired.
    """

    metrics: str
    record_risk: str | None = None


def read_baseline(
    paths: BaselinePaths,
    current: PrivacyMetricsContent,
    current_record_risk: str | None = None,
) -> Baseline:
    """Reads a baseline, and the records that it shares with the measurement at hand.

    Args:
      paths: Where it lies.
      current: The measurement at hand.
      current_record_risk: The directory of its record-risk table; None where there is
        none. Only where both have one are records related.

    Raises:
      InputError: If the baseline cannot be read, is of another schema version or of the
        model at hand, or the two record-risk tables cannot be paired.
    """
    found = _read(paths.metrics, current)
    shared = SharedRecords(rows={}, members=0, nonmembers=0)
    if paths.record_risk is not None and current_record_risk is not None:
        shared = read_shared_records(current, current_record_risk, found, paths.record_risk)
    return Baseline(
        metrics_uri=paths.metrics,
        results=found.results,
        evidence=found.evidence,
        shared=shared.rows,
        shared_members=shared.members,
        shared_nonmembers=shared.nonmembers,
    )


def why_unpaired(metrics_dir: str, baseline_dir: str) -> str | None:
    """Why the record risk of two measurements cannot be paired; None where it can.

    For who would have paired them if it were possible, and was not asked to.

    Raises:
      InputError: If one of them cannot be read.
    """
    current = read_metrics(metrics_dir)
    return why_not_paired(current.results, _read(baseline_dir, current).results)


def _read(baseline_dir: str, current: PrivacyMetricsContent) -> PrivacyMetricsContent:
    try:
        found = read_metrics(baseline_dir)
    except InputError as error:
        raise InputError(
            f"the baseline cannot be read: {error}. Judge once without a baseline; the metrics "
            "that are blessed then are one for the next model"
        ) from error
    ours, theirs = current.results.model, found.results.model
    # Files of saved predictions are written anew for each model; what names a model is the
    # URI of a SavedModel, which has a signature.
    if ours.uri == theirs.uri and ours.signature_name:
        raise InputError(
            f"the baseline at {baseline_dir} is of the model at {ours.uri}, which is the one that "
            "is judged; expected metrics of another model, at a URI of its own"
        )
    if found.results == current.results:
        raise InputError(
            f"the baseline at {baseline_dir} is the measurement that is judged; expected that of "
            "another model"
        )
    return found
