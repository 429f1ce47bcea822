"""What holding the model's parameters adds to the risk: black-box beside white-box."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.attacker import LimitedAttacker
from tfx_privacy.attacks.white_box_names import ALL, GROUPS, OUTPUTS
from tfx_privacy.evaluation.norm_tally import NormTally, norm_distributions
from tfx_privacy.evaluation.paired_attacks import read_paired_attacks
from tfx_privacy.evaluation.suite import ChosenOnFit
from tfx_privacy.evaluation.tally import Addable
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.best_attack import select_best_attack
from tfx_privacy.metrics.change import SharedRows, correlation, difference, has_change
from tfx_privacy.metrics.counts import (
    WHOLE,
    Evidence,
    ScoreCounts,
    Thresholds,
    without_empty_bins,
)
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.measure import measured_value, one_sided_alpha
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.table import TableLayout
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout


def white_box_results(
    table: TableLayout,
    attacks: Sequence[Attack],
    chosen: ChosenOnFit,
    evidence: Evidence,
    tallies: Mapping[str, Mapping[Hashable, Addable]],
    record_risk_dir: str,
    config: config_pb2.PrivacyConfig,
) -> results_pb2.WhiteBoxResults | None:
    """Compares the best attacks without and with white-box signals on the JUDGE rows.

    What is measured is the difference D of two attacks that were chosen beforehand: of
    those that see the model's answers alone (and of those that see gradients or
    activations) the one with the largest AUC on FIT rows that it was not fitted on. D is
    white-box minus black-box, its interval from the JUDGE rows, of which each is scored by
    both attacks (`paired_difference`).

    Who holds the parameters can mount the black-box attack as well. So what parameters add
    to the better of these two attacks is max(0, D), with an interval from
    max(0, lower) to max(0, upper), which covers as often as that of D. D itself is
    told, since a D below 0 says something else: that the white-box attacks made less
    of what they saw.

    Having been the best of several raises an attack's AUC on the rows it was chosen by
    (the winner's curse): that is FIT, and no number here comes from FIT. D is that of the
    two attacks that were chosen and not of the best there could be; a choice that missed the best
    white-box attack makes it smaller, one that missed the best black-box attack larger.

    Attackers that know less (`LimitedAttacker`) are left out of both.

    Args:
      table: What the signals table holds.
      attacks: Those that ran.
      chosen: What was chosen on FIT rows.
      evidence: Counts of the JUDGE rows.
      tallies: What else was counted of them, by the name of a tally.
      record_risk_dir: Where each row's scores lie.
      config: The resolved configuration.

    Returns:
      None where the table has no white-box signals.
    """
    layout = table.white_box
    if layout is None:
        return None
    found = results_pb2.WhiteBoxResults(layers=map(_layer, layout.layers))
    norms = tallies.get(NormTally.name, {})
    found.norms.extend(norm_distributions(norms))
    found.notes.extend([*layout.notes, *_left_out(layout, found)])
    groups = _by_group(attacks)
    black_box = groups[OUTPUTS]
    white_box = [name for group in GROUPS if group != OUTPUTS for name in groups[group]]
    found.not_computed = _why_not(black_box, white_box, evidence)
    if found.not_computed:
        return found
    found.best_black_box = _best(black_box, chosen)
    found.best_white_box = _best(white_box, chosen)
    found.notes.extend(_fitted_on_fewer(found.best_white_box, found.best_black_box, chosen))
    found.groups.extend(
        _group(group, groups[group], chosen, evidence, config.confidence)
        for group in GROUPS
        if groups[group]
    )
    pair = read_paired_attacks(
        record_risk_dir, found.best_white_box, found.best_black_box, evidence.edges
    )
    found.differences.extend(
        _difference(
            metric,
            Judged.of(evidence, found.best_white_box),
            Judged.of(evidence, found.best_black_box),
            pair,
            config.confidence,
        )
        for metric in map(metric_from_spec, config.metrics)
        if has_change(metric)
    )
    return found


@dataclasses.dataclass(frozen=True)
class Judged:
    """An attack's JUDGE rows.

    Attributes:
      counts: In every bin, at least one row a side.
      thresholds: Where it decides.
    """

    counts: ScoreCounts
    thresholds: Thresholds

    @staticmethod
    def of(evidence: Evidence, attack: str) -> Judged:
        """Those of the whole."""
        return Judged(evidence.counts[attack, WHOLE], evidence.edges[attack].thresholds)

    def measure(self, metric: Metric, alpha: float) -> Interval:
        """A metric, as the results of the attack have it."""
        return metric.measure(*without_empty_bins(self.counts, self.thresholds), alpha)


def paired_difference(
    metric: Metric, white_box: Judged, black_box: Judged, pair: SharedRows, alpha: float
) -> Interval:
    """White-box minus black-box, with an interval that misses at most alpha on each side.

    Zou and Donner's interval for a difference of correlated estimates (MOVER) from each
    attack's own interval; the correlation is that of rows' influence values, DeLong's for
    the AUC (metrics/change.py).

    Args:
      metric: One that has a change: not an epsilon.
      white_box: The attack with white-box signals.
      black_box: The attack without.
      pair: Each judged row's bins, the white-box attack's as current; or a sample.
      alpha: One-sided error of each bound, in (0, 0.5).
    """
    together = correlation(
        metric,
        white_box.counts,
        white_box.thresholds,
        black_box.counts,
        black_box.thresholds,
        pair,
    )
    return difference(white_box.measure(metric, alpha), black_box.measure(metric, alpha), together)


def _difference(
    metric: Metric, white_box: Judged, black_box: Judged, pair: SharedRows, confidence: float
) -> results_pb2.MetricDifference:
    alpha = one_sided_alpha(confidence)
    counts = white_box.counts
    return results_pb2.MetricDifference(
        metric=metric.spec(),
        black_box=measured_value(black_box.measure(metric, alpha), confidence, counts),
        white_box=measured_value(white_box.measure(metric, alpha), confidence, counts),
        difference=measured_value(
            paired_difference(metric, white_box, black_box, pair, alpha), confidence, counts
        ),
    )


def _layer(layer: LayerDescription) -> results_pb2.WhiteBoxLayer:
    return results_pb2.WhiteBoxLayer(
        name=layer.name,
        index=layer.index,
        kind=layer.kind,
        weights=layer.weights,
        has_norms=layer.has_norms,
        has_sketches=layer.has_sketches,
        activation_width=layer.activation_width,
    )


def _left_out(layout: WhiteBoxLayout, found: results_pb2.WhiteBoxResults) -> list[str]:
    """Says which layers' norms were not counted, where some were."""
    layers, counted = len(layout.norm_layers), len(found.norms) - 1
    if counted < 0 or counted >= layers:
        return []
    return [
        f"Gradient norms are told layer by layer for the last {counted} of {layers} layers, those "
        "nearest to the output; all layers together are all of them"
    ]


def _fitted_on_fewer(white_box: str, black_box: str, chosen: ChosenOnFit) -> list[str]:
    """Says so where memory left the white-box attack fewer rows to learn from."""
    ours, theirs = chosen.counts[white_box], chosen.counts[black_box]
    if ours.n_members >= theirs.n_members and ours.n_nonmembers >= theirs.n_nonmembers:
        return []
    return [
        "Rows with white-box signals are large, so attacks on them are fitted on fewer: "
        f"{white_box} on {ours.n_members:,} members and {ours.n_nonmembers:,} non-members, "
        f"{black_box} on {theirs.n_members:,} and {theirs.n_nonmembers:,}. What parameters add "
        "may be more than is found so; fewer layers in white_box leave room for more rows"
    ]


def _by_group(attacks: Sequence[Attack]) -> dict[str, list[str]]:
    """Names of the attacks by who knows most, by what they see; each group is there."""
    groups: dict[str, list[str]] = {group: [] for group in GROUPS}
    for attack in attacks:
        if not isinstance(attack, LimitedAttacker):
            groups[group_of(attack)].append(attack.name)
    return groups


def group_of(attack: Attack) -> str:
    """What an attack sees, of GROUPS: none, one or several of the white-box signals."""
    seen = attack.white_box_seen
    if not seen:
        return OUTPUTS
    return next(iter(seen)).replace("_", " ") if len(seen) == 1 else ALL


def _why_not(black_box: Sequence[str], white_box: Sequence[str], evidence: Evidence) -> str:
    """Why there is nothing to compare; "" where there is."""
    if not white_box:
        return "no attack that looks at gradients or activations ran"
    if not black_box:
        return "no attack that looks at the model's answers alone ran"
    counts = evidence.counts[white_box[0], WHOLE]
    if not counts.n_members or not counts.n_nonmembers:
        return (
            f"found {counts.n_members} members and {counts.n_nonmembers} non-members to judge, "
            "expected at least one of each"
        )
    return ""


def _best(names: Sequence[str], chosen: ChosenOnFit) -> str:
    return select_best_attack({name: chosen.counts[name] for name in names})


def _group(
    group: str, names: Sequence[str], chosen: ChosenOnFit, evidence: Evidence, confidence: float
) -> results_pb2.SignalGroupResult:
    alpha = one_sided_alpha(confidence)
    best = _best(names, chosen)
    judged = Judged.of(evidence, best)
    area, accuracy = (judged.measure(metric, alpha) for metric in (Auc(), BalancedAccuracy()))
    return results_pb2.SignalGroupResult(
        group=group,
        attack=best,
        attacks=len(names),
        auc=measured_value(area, confidence, judged.counts),
        accuracy=measured_value(accuracy, confidence, judged.counts),
    )
