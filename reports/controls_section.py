"""Whether the numbers can be trusted: the controls, as the page shows them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from tfx_privacy.metrics.controls import ControlFinding, ControlOutcome
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.control_findings import ControlFindings
from tfx_privacy.reports.measures import (
    Measure,
    MeasuredText,
    measure_of,
    measured_text,
    reckoned_text,
)
from tfx_privacy.reports.numerals import count_text, number_text, share_text
from tfx_privacy.reports.reading import lies_above_chance

# One metric that every control can be read by.
_SHOWN_METRIC = "auc"

_STYLES = {
    ControlOutcome.PASSED: "pass",
    ControlOutcome.FAILED: "block",
    ControlOutcome.NOT_RUN: "tell",
}


@dataclasses.dataclass(frozen=True)
class Badge:
    """What came of a control.

    Attributes:
      style: "pass", "block" or "tell": colour and sign.
      text: "passed", "failed" or "not run".
      reason: Why, in one or two sentences.
    """

    style: str
    text: str
    reason: str


@dataclasses.dataclass(frozen=True)
class ControlRow:
    """An attack, or a metric, and its values in a control's run."""

    name: str
    values: list[MeasuredText | None]


@dataclasses.dataclass(frozen=True)
class PlantedCell:
    """One attack on one planted share: its value, and whether it found the leak."""

    value: MeasuredText
    found: str
    style: str


@dataclasses.dataclass(frozen=True)
class PositiveTable:
    """The positive control: attacks by planted shares.

    Attributes:
      measure: The metric shown.
      shares: The columns.
      rows: An attack, and its cell for each share; None where it was not measured.
    """

    measure: Measure
    shares: list[str]
    rows: list[tuple[str, list[PlantedCell | None]]]


@dataclasses.dataclass(frozen=True)
class ControlsSection:
    """Everything that the section shows.

    Attributes:
      blind: What came of the blind baseline.
      blind_rows: Its metrics, one value each; those that are shares, as below.
      features: A feature that gives the splits away, and its AUC.
      features_seen: How many features the blind baseline saw, in words; empty where it
        did not run.
      negative: What came of the negative control.
      negative_measures: The columns of its table.
      negative_rows: Every attack.
      positive: What came of the positive control.
      positive_table: None where it did not run.
      duplicates: What came of looking for duplicates.
      power: What the run would have found, a sentence for each metric.
    """

    blind: Badge
    blind_rows: list[ControlRow]
    features: list[tuple[str, str]]
    features_seen: str
    negative: Badge
    negative_measures: list[Measure]
    negative_rows: list[ControlRow]
    positive: Badge
    positive_table: PositiveTable | None
    duplicates: Badge
    power: list[str]


def controls_section(
    results: results_pb2.PrivacyResults, findings: ControlFindings
) -> ControlsSection:
    """The controls of a measurement, with what came of them."""
    controls = results.controls
    blind = controls.blind_baseline
    columns = _columns(controls.negative.attacks)
    return ControlsSection(
        blind=badge_of(findings.blind_baseline),
        blind_rows=[
            ControlRow(_title(entry), [measured_text(measure_of(entry.metric), entry.value)])
            for entry in blind.metrics
            if measure_of(entry.metric).is_share
        ],
        features=[(entry.feature, number_text(entry.auc, 3)) for entry in blind.features],
        features_seen=_features_seen(blind),
        negative=badge_of(findings.negative),
        negative_measures=[measure_of(entry.metric) for entry in columns],
        negative_rows=[
            ControlRow(attack.name, _values(attack, columns))
            for attack in controls.negative.attacks
        ],
        positive=badge_of(findings.positive),
        positive_table=_positive_table(controls.positive.runs),
        duplicates=badge_of(findings.duplicates),
        power=power_sentences(controls.power),
    )


def badge_of(finding: ControlFinding) -> Badge:
    """What came of a control, for people."""
    return Badge(_STYLES[finding.outcome], finding.outcome.value, finding.reason)


def power_sentences(powers: Sequence[results_pb2.Power]) -> list[str]:
    """What the run would have found: a sentence for each metric, in their order."""
    return [_power_sentence(power) for power in powers]


def shown_metric(
    values: Sequence[results_pb2.MetricValue],
) -> results_pb2.MetricValue | None:
    """AUC, or the first metric where it was not measured."""
    by_auc = [entry for entry in values if entry.metric.name == _SHOWN_METRIC]
    return next(iter([*by_auc, *values]), None)


def _power_sentence(power: results_pb2.Power) -> str:
    measure = measure_of(power.metric)
    chance = share_text(power.power)
    if not math.isfinite(power.smallest_found):
        return (
            f"{measure.title}: too few records; no leak would have been found with {chance} power."
        )
    smallest = reckoned_text(measure, power.smallest_found)
    return (
        f"{measure.title}: this run would have found {smallest} or more with {chance} power "
        f"(chance: {measure.chance_text})."
    )


def _features_seen(blind: results_pb2.BlindBaseline) -> str:
    if not blind.metrics:
        return ""
    if blind.label_alone:
        return "It saw the label and nothing else."
    seen = count_text(blind.features_seen)
    return f"It saw {seen} {'feature' if blind.features_seen == 1 else 'features'}."


def _columns(attacks: Sequence[results_pb2.AttackResult]) -> list[results_pb2.MetricValue]:
    """The metrics a control is read by: shares alone, epsilon would mean nothing here."""
    return [
        entry
        for attack in attacks[:1]
        for entry in attack.metrics
        if measure_of(entry.metric).is_share
    ]


def _values(
    attack: results_pb2.AttackResult, columns: Sequence[results_pb2.MetricValue]
) -> list[MeasuredText | None]:
    found = {entry.metric.SerializeToString(deterministic=True): entry for entry in attack.metrics}
    shown = [found.get(column.metric.SerializeToString(deterministic=True)) for column in columns]
    return [
        None if entry is None else measured_text(measure_of(entry.metric), entry.value)
        for entry in shown
    ]


def _positive_table(runs: Sequence[results_pb2.PlantedLeak]) -> PositiveTable | None:
    attacks = list(dict.fromkeys(attack.name for run in runs for attack in run.attacks))
    shown = [
        entry
        for run in runs
        for attack in run.attacks
        if (entry := shown_metric(attack.metrics)) is not None
    ]
    if not shown:
        return None
    return PositiveTable(
        measure=measure_of(shown[0].metric),
        shares=[share_text(run.share) for run in runs],
        rows=[(name, [_planted_cell(run, name) for run in runs]) for name in attacks],
    )


def _planted_cell(run: results_pb2.PlantedLeak, name: str) -> PlantedCell | None:
    attack = next((attack for attack in run.attacks if attack.name == name), None)
    entry = None if attack is None else shown_metric(attack.metrics)
    if entry is None:
        return None
    text = measured_text(measure_of(entry.metric), entry.value)
    if lies_above_chance(entry):
        return PlantedCell(text, "found", "pass")
    return PlantedCell(text, "not found", "tell")


def _title(entry: results_pb2.MetricValue) -> str:
    return measure_of(entry.metric).title
