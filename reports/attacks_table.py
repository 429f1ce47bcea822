"""What each attack reached, as rows of a table."""

from __future__ import annotations

import dataclasses
import math

from tfx_privacy.attacks.attacker_name import split_name
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.attack_words import attack_description
from tfx_privacy.reports.measures import MeasuredText, find_metric, measure_of, measured_text
from tfx_privacy.reports.numerals import number_text, score_text


@dataclasses.dataclass(frozen=True)
class AttackRow:
    """One attack.

    Attributes:
      name: Its name in the registry.
      description: What the attacker does.
      is_best: Whether it was the best on FIT.
      values: One a metric, in the order of the columns; None where there is none.
    """

    name: str
    description: str
    is_best: bool
    values: list[MeasuredText | None]


@dataclasses.dataclass(frozen=True)
class AttackDetail:
    """How one attack's scores were cut, and what other tools would report.

    The exact values are empty where there are none.
    """

    name: str
    threshold: str
    bins: str
    resolution: str
    max_in_sample: str
    exact_auc: str
    exact_advantage: str
    exact_precision: str


def metric_columns(results: results_pb2.PrivacyResults) -> list[config_pb2.MetricSpec]:
    """The metrics that were measured, in the order of the configuration."""
    first = results.attacks[0].metrics if results.attacks else results.best_of_attacks
    return [entry.metric for entry in first]


def attack_rows(results: results_pb2.PrivacyResults) -> list[AttackRow]:
    """One row an attack by who knows most, in the order of the configuration.

    Of attackers that know less only the attack that was best on FIT is here; the others
    stand in a section of their own.
    """
    columns = metric_columns(results)
    return [
        AttackRow(
            name=attack.name,
            description=attack_description(attack.name),
            is_best=attack.name == results.best_attack,
            values=_values(attack.metrics, columns),
        )
        for attack in results.attacks
        if attack.name == results.best_attack or not split_name(attack.name)[1]
    ]


def best_values(results: results_pb2.PrivacyResults) -> list[MeasuredText | None]:
    """The best of the attacks, in the order of the columns."""
    return _values(results.best_of_attacks, metric_columns(results))


def attack_details(results: results_pb2.PrivacyResults, evidence: Evidence) -> list[AttackDetail]:
    """One row an attack, for readers who compare with other tools."""
    return [
        AttackDetail(
            name=attack.name,
            threshold=_threshold(attack.threshold),
            bins=str(evidence.edges[attack.name].bins) if attack.name in evidence.edges else "",
            resolution=number_text(attack.resolution, 5),
            max_in_sample=_max_in_sample(attack),
            exact_auc=_exact(attack, attack.exact.auc),
            exact_advantage=_exact(attack, attack.exact.max_advantage),
            exact_precision=_exact(attack, attack.exact.max_ppv),
        )
        for attack in results.attacks
    ]


def _values(entries, columns: list[config_pb2.MetricSpec]) -> list[MeasuredText | None]:
    found = [(spec, find_metric(entries, spec)) for spec in columns]
    return [
        None if value is None else measured_text(measure_of(spec), value) for spec, value in found
    ]


def _threshold(score: float) -> str:
    if math.isinf(score):
        return "calls none a member" if score > 0 else "calls all members"
    return score_text(score)


def _max_in_sample(attack: results_pb2.AttackResult) -> str:
    for entry in attack.metrics:
        if entry.HasField("max_in_sample"):
            return number_text(entry.max_in_sample, 3)
    return ""


def _exact(attack: results_pb2.AttackResult, value: float) -> str:
    return number_text(value, 6) if attack.HasField("exact") else ""
