"""Results and verdicts as the metadata that Kubeflow's run page shows: scalars, and a ROC."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.metrics.counts import Evidence, ScoreCounts, ScoreEdges
from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.names import line_of
from tfx_privacy.reports.reading import read
from tfx_privacy.reports.thresholds_table import finding_text, outcome_text
from tfx_privacy.reports.verdict_controls import control_rows
from tfx_privacy.reports.whole_counts import whole_counts
from tfx_privacy.verdict.limits import is_on_change, is_on_slices

# What the run page can show of one property: it shows booleans as 0 and 1 and lists as garbage,
# and the launcher fails at a null.
Scalar = float | int | str

# The plot of the run page is some 400 pixels wide.
MOST_ROC_POINTS = 200

_MOST_CHARACTERS = 200


def results_scalars(results: results_pb2.PrivacyResults, evidence: Evidence) -> dict[str, Scalar]:
    """The metadata of a `system.Metrics` artifact for a measurement.

    Args:
      results: What was measured.
      evidence: The counts behind it, for the controls.

    Returns:
      In the order to be shown: what the results show, the best of the attacks' metrics
      as `auc`, `auc_lower`, `auc_upper`, the records judged, what came of the controls,
      the model. Finite numbers and texts of at most 200 characters alone; what is not
      known or infinite, as the upper bound of an epsilon, is left out.
    """
    reading = read(results, evidence)
    judge, controls = results.records.judge, reading.controls
    scalars: list[tuple[str, Scalar]] = [
        ("finding", reading.shown.value),
        ("best_attack", results.best_attack),
        ("attacks", len(results.attacks)),
    ]
    for entry in results.best_of_attacks:
        scalars.extend(_value_scalars(_key(entry.metric), entry.value))
    scalars += [
        ("members_judged", judge.members),
        ("nonmembers_judged", judge.nonmembers),
        ("blind_baseline", controls.blind_baseline.outcome.value),
        ("negative_control", controls.negative.outcome.value),
        ("positive_control", controls.positive.outcome.value),
        ("duplicates", controls.duplicates.outcome.value),
        ("model_uri", results.model.uri),
    ]
    return _shown(scalars)


def verdict_scalars(verdict: verdict_pb2.PrivacyVerdict) -> dict[str, Scalar]:
    """The metadata of a `system.Metrics` artifact for a verdict.

    Returns:
      In the order to be shown: the outcome, whether the model is blessed, the first
      reason, what came of the controls, and of each threshold its finding, limit, value
      and attack. A threshold's properties begin with its metric's key, with `_rise` where
      the change is limited, `_on_slices` where slices are, and a number where that is
      taken. Finite numbers and texts of at most 200 characters alone.
    """
    scalars: list[tuple[str, Scalar]] = [
        ("outcome", outcome_text(verdict.outcome)),
        ("blessed", _blessed(verdict)),
        ("reason", next(iter(verdict.reasons), "")),
    ]
    if verdict.HasField("quality_blessed"):
        scalars.append(("quality_blessed", "yes" if verdict.quality_blessed else "no"))
    scalars.extend(
        (row.name.lower().replace(" ", "_"), row.outcome) for row in control_rows(verdict)
    )
    for key, finding in _keyed(verdict.findings).items():
        scalars.extend(_finding_scalars(key, finding))
    scalars.append(("model_uri", verdict.model_uri))
    return _shown(scalars)


def classification_metadata(
    results: results_pb2.PrivacyResults, evidence: Evidence, most: int = MOST_ROC_POINTS
) -> dict[str, list[dict[str, float]]]:
    """The metadata of a `system.ClassificationMetrics` artifact: the best attack's ROC.

    Args:
      results: What was measured.
      evidence: The counts behind it.
      most: Points at most, at least 2.

    Returns:
      `confidenceMetrics`, a list of `confidenceThreshold`, `recall` (the TPR) and
      `falsePositiveRate`, all of them finite, thresholds descending: from the point that
      calls nobody a member, whose threshold lies 1 above the largest edge, to the one
      that calls everybody so. Empty where nothing was counted: the run page shows an
      empty list as an empty chart, and nothing at all without it.

    Raises:
      ValueError: If `most` is less than 2.
    """
    if most < 2:
        raise ValueError(f"points of a ROC: found {most}, expected at least 2")
    counts = whole_counts(evidence, results.best_attack)
    if counts is None:
        return {}
    points, thresholds = _distinct(counts, evidence.edges[results.best_attack])
    roc = Roc.from_counts(counts)
    fpr, tpr = roc.fpr[points], roc.tpr[points]
    kept = _even(fpr + tpr, most)
    return {
        "confidenceMetrics": [
            {
                "confidenceThreshold": float(thresholds[place]),
                "recall": float(tpr[place]),
                "falsePositiveRate": float(fpr[place]),
            }
            for place in kept
        ]
    }


def _distinct(
    counts: ScoreCounts, edges: ScoreEdges
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The curve's points that differ, and the highest threshold of each: finite, descending."""
    bins = np.flatnonzero((counts.members != 0) | (counts.nonmembers != 0))[::-1]
    # JSON has no infinity: the ends, which no score reaches, lie a step beyond the edges.
    inner = edges.edges if len(edges.edges) else np.zeros(1)
    from_below = np.concatenate(([inner[0] - 1.0], edges.edges, [inner[-1] + 1.0]))
    thresholds = from_below[np.concatenate(([len(counts.members)], bins))]
    points = np.concatenate(([0], len(counts.members) - bins)).astype(np.int64)
    largest = np.finfo(np.float64).max
    return points, np.clip(thresholds, -largest, largest)


def _even(path: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Places at even steps of the way along the curve, both ends among them."""
    if len(path) <= most:
        return np.arange(len(path))
    wanted = np.linspace(path[0], path[-1], most)
    return np.unique(np.searchsorted(path, wanted)).astype(np.int64)


def _finding_scalars(key: str, finding: verdict_pb2.Finding) -> list[tuple[str, Scalar]]:
    threshold = finding.threshold
    limit = threshold.change_limit if is_on_change(threshold) else threshold.upper_limit
    scalars: list[tuple[str, Scalar]] = [
        (f"{key}_finding", finding_text(finding)),
        (f"{key}_limit", limit),
    ]
    if finding.HasField("value"):
        scalars.extend(_value_scalars(key, finding.value))
    return [*scalars, (f"{key}_attack", finding.attack)]


def _value_scalars(key: str, value: results_pb2.MeasuredValue) -> list[tuple[str, Scalar]]:
    return [(key, value.estimate), (f"{key}_lower", value.lower), (f"{key}_upper", value.upper)]


def _keyed(findings: Iterable[verdict_pb2.Finding]) -> Mapping[str, verdict_pb2.Finding]:
    """Findings by a key of their own each."""
    keyed: dict[str, verdict_pb2.Finding] = {}
    for finding in findings:
        threshold = finding.threshold
        key = _key(threshold.metric)
        key += "_rise" if is_on_change(threshold) else ""
        key += "_on_slices" if is_on_slices(threshold) else ""
        number = 1
        while (numbered := key if number == 1 else f"{key}_{number}") in keyed:
            number += 1
        keyed[numbered] = finding
    return keyed


def _key(spec: config_pb2.MetricSpec) -> str:
    return metric_key(metric_from_spec(spec))


def _blessed(verdict: verdict_pb2.PrivacyVerdict) -> str:
    if not verdict.blessed:
        return "no"
    return "yes, with a warning" if verdict.blessed_with_warning else "yes"


def _shown(scalars: Iterable[tuple[str, Scalar]]) -> dict[str, Scalar]:
    """What the run page can show: no empty texts, no long ones, no infinities."""
    shown: dict[str, Scalar] = {}
    for key, value in scalars:
        if isinstance(value, str):
            if value:
                shown[key] = _short(value)
        elif math.isfinite(value):
            shown[key] = value
    return shown


def _short(text: str) -> str:
    line = line_of(text)
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 1]}…"
