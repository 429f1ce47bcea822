"""Attacks with reference models beside the best attack without: which are held against each other.

No difference is reckoned here: each value stands with its own interval.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.attack_words import looks_inside, uses_references
from tfx_privacy.reports.attacks_table import metric_columns
from tfx_privacy.reports.measures import find_metric

_RATE = 0.01


class Overlap(enum.Enum):
    """How the interval of the attack with references lies to that of the attack without."""

    ABOVE = "above"
    BELOW = "below"
    OVERLAPS = "overlaps"


@dataclasses.dataclass(frozen=True)
class ComparedMetric:
    """One metric of both attacks.

    Attributes:
      metric: Which.
      with_references: Of the attack with references.
      without: Of the attack without.
    """

    metric: config_pb2.MetricSpec
    with_references: results_pb2.MeasuredValue
    without: results_pb2.MeasuredValue

    @property
    def overlap(self) -> Overlap:
        """How the two intervals lie."""
        if self.with_references.lower > self.without.upper:
            return Overlap.ABOVE
        if self.with_references.upper < self.without.lower:
            return Overlap.BELOW
        return Overlap.OVERLAPS


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Both attacks.

    Attributes:
      attacks: All attacks with references by who knows most, in their order.
      with_references: The one that is spoken of.
      with_is_of_fit: Whether it was chosen on FIT, as the best of all attacks.
      without: The best black-box attack without references; None where none ran.
      without_is_of_fit: Whether it was chosen on FIT.
    """

    attacks: Sequence[results_pb2.AttackResult]
    with_references: results_pb2.AttackResult
    with_is_of_fit: bool
    without: results_pb2.AttackResult | None
    without_is_of_fit: bool

    @property
    def metrics(self) -> list[ComparedMetric]:
        """The AUC and the rate, as far as both attacks have them."""
        if self.without is None:
            return []
        compared = []
        for spec in shown_metrics([entry.metric for entry in self.with_references.metrics]):
            ours = find_metric(self.with_references.metrics, spec)
            theirs = find_metric(self.without.metrics, spec)
            if ours is not None and theirs is not None and is_known(ours) and is_known(theirs):
                compared.append(ComparedMetric(spec, ours, theirs))
        return compared


def comparison_of(results: results_pb2.PrivacyResults) -> Comparison | None:
    """The two attacks; None where no attack with references ran.

    An attack that was best on FIT is taken as such. Otherwise it is the one with the
    highest value on the judged records themselves, which flatters it a little.
    """
    known_best = [one for one in results.attacks if not split_name(one.name)[1]]
    with_references = [one for one in known_best if uses_references(one.name)]
    without = [
        one for one in known_best if not uses_references(one.name) and not looks_inside(one.name)
    ]
    if not with_references:
        return None
    columns = shown_metrics(metric_columns(results))
    ours, ours_of_fit = _chosen(with_references, [results.best_attack], columns)
    of_fit = [results.best_attack, results.white_box.best_black_box]
    theirs, theirs_of_fit = _chosen(without, of_fit, columns) if without else (None, False)
    return Comparison(with_references, ours, ours_of_fit, theirs, theirs_of_fit)


def shown_metrics(specs: Sequence[config_pb2.MetricSpec]) -> list[config_pb2.MetricSpec]:
    """AUC and the TPR at the rate nearest 1%; the first metric where there is neither."""
    by_auc = [spec for spec in specs if spec.name == "auc"]
    rates = [spec for spec in specs if spec.name == "tpr_at_fpr"]
    rates.sort(key=lambda spec: abs(math.log(spec.fpr / _RATE)))
    return [*by_auc, *rates[:1]] or list(specs[:1])


def is_known(value: results_pb2.MeasuredValue) -> bool:
    """Whether estimate and both bounds are numbers."""
    return all(map(math.isfinite, (value.estimate, value.lower, value.upper)))


def _chosen(
    attacks: Sequence[results_pb2.AttackResult],
    of_fit: Sequence[str],
    columns: Sequence[config_pb2.MetricSpec],
) -> tuple[results_pb2.AttackResult, bool]:
    """The best of some attacks, and whether that was found on FIT."""
    named = {one.name: one for one in attacks}
    best = next((named[name] for name in of_fit if name in named), None)
    if best is not None:
        return best, True
    return max(attacks, key=lambda one: _first_value(one, columns)), False


def _first_value(
    attack: results_pb2.AttackResult, columns: Sequence[config_pb2.MetricSpec]
) -> float:
    value = find_metric(attack.metrics, columns[0]) if columns else None
    return value.estimate if value is not None and is_known(value) else -math.inf
