"""Whether metrics against the number of reference models go with those of the attack itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from tfx_privacy.attacks.reference_names import CURVE_ATTACKS
from tfx_privacy.attacks.reference_scores.subsets import reference_subsets
from tfx_privacy.metrics.change import has_change
from tfx_privacy.metrics.measure import one_sided_alpha
from tfx_privacy.metrics.registry import metric_from_spec, metric_title
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

# So many standard errors lie between a sample's value and that of all rows at most, and so
# much more where rounding moves rows over an edge.
_ERRORS = 6.0
_ROUNDING = 0.01


def check_curves(results: results_pb2.PrivacyResults) -> None:
    """Refuses curves of other attacks, numbers of models, metrics or rows than there have to be.

    The counts behind them are not among the evidence. But with all models a curve is the
    attack itself on a sample of the rows that were judged: it has to end near to its values.

    Raises:
      ValueError: If so, or a value is out of its range.
    """
    found, judge = results.references, results.records.judge
    rows = found.curve_rows
    if not (0 <= rows.members <= judge.members and 0 <= rows.nonmembers <= judge.nonmembers):
        raise ValueError(
            f"references: found curves of {rows.members} members and {rows.nonmembers} "
            f"non-members, expected at most the {judge.members} and {judge.nonmembers} judged"
        )
    ran = {attack.name: attack for attack in results.attacks}
    measured = rows.members > 0 and rows.nonmembers > 0
    expected = [name for name in CURVE_ATTACKS if name in ran] if measured else []
    curves = [curve.attack for curve in found.curves]
    if curves != expected:
        raise ValueError(
            f"references: found curves of {', '.join(curves) or 'nothing'}, expected "
            f"{', '.join(expected) or 'none'}"
        )
    sizes = sorted({part.size for part in reference_subsets(len(found.trained.models))})
    for curve in found.curves:
        models = [point.models for point in curve.points]
        if models != sizes:
            raise ValueError(
                f"references: found the curve of {curve.attack} with {models} models, expected "
                f"{sizes}"
            )
        for point in curve.points:
            _check_point(f"{curve.attack} with {point.models} models", point.metrics, results)
        _check_end(ran[curve.attack], curve.points[-1], results)


def _check_point(
    place: str, values: Sequence[results_pb2.MetricValue], results: results_pb2.PrivacyResults
) -> None:
    metrics = [metric_from_spec(value.metric) for value in values]
    titles = [metric_title(metric) for metric in metrics]
    asked = [metric_from_spec(spec) for spec in results.config.metrics]
    lacking = {metric_title(one) for one in asked if has_change(one)} - set(titles)
    if lacking or "AUC" not in titles or len(set(titles)) != len(titles):
        raise ValueError(
            f"references: found {', '.join(titles) or 'no metrics'} of {place}, expected the AUC "
            "and each metric of the configuration that is no bound from below, once"
        )
    rows, confidence = results.references.curve_rows, results.config.confidence
    for title, metric, value in zip(titles, metrics, values, strict=True):
        one = value.value
        if not -1.0 <= one.lower <= one.estimate <= one.upper <= metric.ceiling:
            raise ValueError(
                f"references: found {title} of {place} from {one.lower} by {one.estimate} to "
                f"{one.upper}, expected ascending numbers of {metric.ceiling:g} at most"
            )
        if (one.members, one.nonmembers) != (rows.members, rows.nonmembers):
            raise ValueError(
                f"references: found {title} of {place} on {one.members} members and "
                f"{one.nonmembers} non-members, expected {rows.members} and {rows.nonmembers}"
            )
        if one.confidence != confidence:
            raise ValueError(
                f"references: found {title} of {place} at confidence {one.confidence}, expected "
                f"{confidence}"
            )


def _check_end(
    attack: results_pb2.AttackResult,
    end: results_pb2.ReferenceCurvePoint,
    results: results_pb2.PrivacyResults,
) -> None:
    rows, judge = results.references.curve_rows, results.records.judge
    share = min(rows.members / judge.members, rows.nonmembers / judge.nonmembers)
    for value in end.metrics:
        for own in attack.metrics:
            if own.metric != value.metric or math.isnan(own.value.estimate):
                continue
            width = value.value.upper - value.value.lower
            quantile = -float(special.ndtri(one_sided_alpha(value.value.confidence)))
            # A sample without repetition: the nearer to all, the nearer to their value.
            error = width / (2.0 * quantile) * math.sqrt(1.0 - share)
            room = _ERRORS * error + _ROUNDING
            if not abs(value.value.estimate - own.value.estimate) <= room:
                raise ValueError(
                    f"references: found {value.metric.name} {value.value.estimate:.6g} of "
                    f"{attack.name} with all models on a sample, and {own.value.estimate:.6g} of "
                    f"all rows; expected it at most {room:.6g} away"
                )
