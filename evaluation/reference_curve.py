"""What more reference models would buy: metrics against their number, from those at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.reference_names import CURVE_ATTACKS
from tfx_privacy.attacks.reference_scores.subsets import reference_subsets
from tfx_privacy.evaluation.suite import KnownRows, choose_on_fit, fit_suite
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.change import has_change
from tfx_privacy.metrics.edges import count_scores
from tfx_privacy.metrics.measure import measure_attack
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals

# Told of every curve, asked for or not.
_FPR = 0.01


def reference_curves(
    attacks: Sequence[Attack], known: KnownRows, judged: Signals, config: config_pb2.PrivacyConfig
) -> list[results_pb2.ReferenceCurve]:
    """Metrics with the first 2, 4, 8, ... and with all reference models, attack by attack.

    With each number of models the attack is fitted anew on FIT rows, which choose its edges
    and thresholds as well (RMIA's scores of them out of fold), and measured on the same
    JUDGE rows. Intervals are over the records: that other models of the same number would
    have told something else is not in them.

    The work is twice that of one fit and one scoring with all models.

    Args:
      attacks: Those that ran; curves are of those among CURVE_ATTACKS.
      known: FIT rows with references; the wide ones are used.
      judged: JUDGE rows with references, a bounded number.
      config: The resolved configuration.

    Returns:
      One an attack, in the order of CURVE_ATTACKS; none where a side has no JUDGE rows.
    """
    by_name = {attack.name: attack for attack in attacks}
    if judged.references is None or not judged.member.any() or judged.member.all():
        return []
    sizes = sorted({part.size for part in reference_subsets(judged.references.layout.models)})
    return [
        _curve(by_name[name], sizes, known, judged, config)
        for name in CURVE_ATTACKS
        if name in by_name
    ]


def curve_metrics(config: config_pb2.PrivacyConfig) -> list[Metric]:
    """The AUC, TPR at an FPR and what else is asked for but bounds of epsilon.

    An epsilon is known from below alone, by a bound that grows with the number of rows; of a
    sample of them it would say less than of all and not the same.
    """
    metrics = [metric_from_spec(spec) for spec in config.metrics]
    kept = [metric for metric in metrics if has_change(metric)]
    if not any(isinstance(metric, Auc) for metric in kept):
        kept.append(Auc())
    if not any(isinstance(metric, TprAtFpr) for metric in kept):
        kept.append(TprAtFpr(_FPR))
    return kept


def _curve(
    attack: Attack,
    sizes: Sequence[int],
    known: KnownRows,
    judged: Signals,
    config: config_pb2.PrivacyConfig,
) -> results_pb2.ReferenceCurve:
    metrics = curve_metrics(config)
    curve = results_pb2.ReferenceCurve(attack=attack.name)
    for size in sizes:
        fewer = dataclasses.replace(known, wide=_with_first(known.wide, size))
        suite = fit_suite([attack], fewer, config.seed)
        edges = choose_on_fit([attack], suite, fewer, config.seed).edges[attack.name]
        scores = suite.attacks[attack.name].score(_with_first(judged, size))
        counts = count_scores(scores, judged.member, edges)
        measured = measure_attack(attack.name, counts, edges, metrics, config.confidence)
        curve.points.add(models=size, metrics=measured.metrics)
    return curve


def _with_first(signals: Signals, models: int) -> Signals:
    """The rows with what the first so many reference models say."""
    references = signals.references
    if references is None:
        raise ValueError("found rows without reference signals, expected them for a curve")
    return dataclasses.replace(signals, references=references.first(models))
