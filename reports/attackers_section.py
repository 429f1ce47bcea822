"""Attackers that know less, beside the one that knows most."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from tfx_privacy.attacks.attacker import SIGNALS
from tfx_privacy.attacks.attacker_name import attack_of, split_name
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.attackers_plot import KnownPoint, KnownSeries, known_legend, known_plot
from tfx_privacy.reports.attacks_table import metric_columns
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.measures import (
    Measure,
    MeasuredText,
    find_metric,
    measure_of,
    measured_text,
)
from tfx_privacy.reports.numerals import count_text, share_text

# More lines than these cannot be told apart.
_MOST_LINES = 8

# Of a table that is shown at its full height.
_MOST_ROWS = 25

_SHOWN_METRICS = ("auc", "tpr_at_fpr")


@dataclasses.dataclass(frozen=True)
class AttackerGroup:
    """One attacker and what its attacks reached.

    Attributes:
      name: The attacker's; empty for the one that knows most.
      known: The share of members it knows, and their number.
      sees: The signals it sees, in words.
      rows: An attack, and its values in the order of the columns; None where there is none.
    """

    name: str
    known: str
    sees: str
    rows: list[tuple[str, list[MeasuredText | None]]]


@dataclasses.dataclass(frozen=True)
class AttackersSection:
    """What the template prints.

    Attributes:
      measures: The columns.
      groups: The attacker that knows most, then the others as they were configured.
      plot: AUC against the share of members known; None where that is one share alone.
      legend: Which line is which attack.
      not_drawn: Attacks that have no line.
    """

    measures: list[Measure]
    groups: list[AttackerGroup]
    plot: Markup | None
    legend: list[LegendEntry]
    not_drawn: int

    @property
    def is_short(self) -> bool:
        """Whether the table needs no scrolling of its own."""
        return sum(1 + len(group.rows) for group in self.groups) <= _MOST_ROWS


def attackers_section(results: results_pb2.PrivacyResults) -> AttackersSection | None:
    """The section; None where no attacker that knows less did anything."""
    found = {attack.name: attack for attack in results.attacks}
    attackers = [
        attacker
        for attacker in results.config.attackers
        if any(attack_of(name, attacker.name) in found for name in attacker.attacks)
    ]
    if not attackers:
        return None
    everybody = [_who_knows_most(results.config), *attackers]
    columns = [spec for spec in metric_columns(results) if spec.name in _SHOWN_METRICS]
    series = _series(everybody, found, results.best_attack)
    drawn = _most_telling(series)
    fit = results.fitted_on.fit if results.HasField("fitted_on") else results.records.fit
    shares = {point.share for line in drawn for point in line.points}
    return AttackersSection(
        measures=[measure_of(spec) for spec in columns],
        groups=[_group(attacker, columns, found, fit.members) for attacker in everybody],
        plot=known_plot(drawn, _label(drawn)) if len(shares) > 1 else None,
        legend=known_legend(drawn),
        not_drawn=len(series) - len(drawn),
    )


def _who_knows_most(config: config_pb2.PrivacyConfig) -> config_pb2.Attacker:
    return config_pb2.Attacker(members_known=1.0, signals=SIGNALS, attacks=config.attacks)


def _group(
    attacker: config_pb2.Attacker,
    columns: Sequence[config_pb2.MetricSpec],
    found: Mapping[str, results_pb2.AttackResult],
    members: int,
) -> AttackerGroup:
    ran = [(name, found.get(attack_of(name, attacker.name))) for name in attacker.attacks]
    number = math.ceil(round(attacker.members_known * members, 6))
    return AttackerGroup(
        name=attacker.name,
        known=f"{share_text(attacker.members_known)} ({count_text(number)})",
        sees=signals_in_words(attacker),
        rows=[(name, _values(attack, columns)) for name, attack in ran if attack is not None],
    )


def _values(
    attack: results_pb2.AttackResult, columns: Sequence[config_pb2.MetricSpec]
) -> list[MeasuredText | None]:
    values = [(spec, find_metric(attack.metrics, spec)) for spec in columns]
    return [
        None if value is None else measured_text(measure_of(spec), value) for spec, value in values
    ]


def _series(
    attackers: Sequence[config_pb2.Attacker],
    found: Mapping[str, results_pb2.AttackResult],
    best_attack: str,
) -> list[KnownSeries]:
    """Of every attack that a limited attacker mounts, its AUC by what attackers know."""
    names = dict.fromkeys(name for attacker in attackers[1:] for name in attacker.attacks)
    series = []
    for name in names:
        points = [
            point
            for attacker in attackers
            if (attack := found.get(attack_of(name, attacker.name))) is not None
            and (point := _point(attacker, attack)) is not None
        ]
        if points:
            points.sort(key=lambda point: point.share)
            is_best = name == split_name(best_attack)[0]
            series.append(KnownSeries(name, tuple(points), is_best))
    return series


def _point(attacker: config_pb2.Attacker, attack: results_pb2.AttackResult) -> KnownPoint | None:
    value = next((entry.value for entry in attack.metrics if entry.metric.name == "auc"), None)
    if value is None or not math.isfinite(value.estimate):
        return None
    return KnownPoint(
        share=attacker.members_known,
        estimate=value.estimate,
        lower=value.lower,
        upper=value.upper,
        sees_all=_sees_all(attacker),
    )


def _most_telling(series: Sequence[KnownSeries]) -> list[KnownSeries]:
    """The lines that are drawn: those that hang most on what is known, in their order."""
    ranked = sorted(series, key=lambda line: (not line.is_best, -line.rise))
    kept = {line.attack for line in ranked[:_MOST_LINES]}
    return [line for line in series if line.attack in kept]


def signals_in_words(attacker: config_pb2.Attacker) -> str:
    """What an attacker of a resolved configuration sees: "logits, gradient norms", "everything"."""
    if _sees_all(attacker):
        return "everything"
    return ", ".join(name.replace("_", " ") for name in attacker.signals)


def _sees_all(attacker: config_pb2.Attacker) -> bool:
    return set(attacker.signals) >= set(SIGNALS)


def _label(series: Sequence[KnownSeries]) -> str:
    return (
        f"Area under the ROC curve of {len(series)} attacks by the share of members that the "
        "attacker knows. The data is in the table below."
    )
