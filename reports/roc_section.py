"""The ROC curves of the page, and the same as a table."""

from __future__ import annotations

import dataclasses

from markupsafe import Markup

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.measures import find_metric
from tfx_privacy.reports.numerals import percent_text, share_text
from tfx_privacy.reports.roc_plots import RocCurve, RocPoint, linear_roc, log_roc, roc_legend
from tfx_privacy.reports.whole_counts import whole_counts

_TABLE_RATES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)


@dataclasses.dataclass(frozen=True)
class RocSection:
    """Two plots, their legend, and their data.

    Attributes:
      linear: SVG with linear axes.
      logarithmic: SVG with logarithmic axes.
      legend: Which line is which attack.
      rates: The false-positive rates of the table's columns.
      rows: An attack, and its TPR at each rate.
    """

    linear: Markup
    logarithmic: Markup
    legend: list[LegendEntry]
    rates: list[str]
    rows: list[tuple[str, list[str]]]


def roc_section(results: results_pb2.PrivacyResults, evidence: Evidence) -> RocSection | None:
    """The curves of every attack on the whole; None where there are no counts.

    Of attackers that know less only the attack that was best on FIT has one.
    """
    counted = [(name, whole_counts(evidence, name)) for name in _names(results)]
    curves = [
        RocCurve(name, Roc.from_counts(counts), is_best=name == results.best_attack)
        for name, counts in counted
        if counts is not None
    ]
    if not curves:
        return None
    points = _points(results)
    label = _label(results, curves)
    return RocSection(
        linear=linear_roc(curves, points, f"ROC curves on linear axes. {label}"),
        logarithmic=log_roc(
            curves,
            points,
            max(counts.n_nonmembers for _, counts in counted if counts is not None),
            f"ROC curves on logarithmic axes. {label}",
        ),
        legend=roc_legend(curves),
        rates=[share_text(rate) for rate in _TABLE_RATES],
        rows=[
            (curve.attack, [percent_text(float(tpr), 2) for tpr in curve.roc.tpr_at(_TABLE_RATES)])
            for curve in curves
        ],
    )


def _names(results: results_pb2.PrivacyResults) -> list[str]:
    return [
        attack.name
        for attack in results.attacks
        if attack.name == results.best_attack or not split_name(attack.name)[1]
    ]


def _points(results: results_pb2.PrivacyResults) -> list[RocPoint]:
    best = next((attack for attack in results.attacks if attack.name == results.best_attack), None)
    if best is None:
        return []
    return [
        RocPoint(entry.metric.fpr, entry.value.estimate, entry.value.lower, entry.value.upper)
        for entry in best.metrics
        if entry.metric.name == "tpr_at_fpr"
    ]


def _label(results: results_pb2.PrivacyResults, curves: list[RocCurve]) -> str:
    shown = {curve.attack for curve in curves}
    areas = [
        f"{attack.name} {value.estimate:.3f}"
        for attack in results.attacks
        for value in [_auc(attack)]
        if value is not None and attack.name in shown
    ]
    listed = f" Area under each curve: {', '.join(areas)}." if areas else ""
    return (
        f"{len(curves)} attacks; guessing is the diagonal.{listed} The data is in the table below."
    )


def _auc(attack: results_pb2.AttackResult) -> results_pb2.MeasuredValue | None:
    spec = next((entry.metric for entry in attack.metrics if entry.metric.name == "auc"), None)
    return None if spec is None else find_metric(attack.metrics, spec)
