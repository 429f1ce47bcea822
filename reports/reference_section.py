"""Reference models: who trained them on what, what attacks with them found, what more would buy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from tfx_privacy.attacks.reference_names import RMIA_ATTACKS
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reports.attack_words import attack_description
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.measures import (
    Measure,
    MeasuredText,
    find_metric,
    measure_of,
    measured_text,
)
from tfx_privacy.reports.notes import note_text
from tfx_privacy.reports.numerals import count_text, number_text, score_text, seconds_text
from tfx_privacy.reports.reading import Reading, Shown
from tfx_privacy.reports.reference_comparison import (
    ComparedMetric,
    Comparison,
    comparison_of,
    is_known,
    shown_metrics,
)
from tfx_privacy.reports.reference_growth import growth_sentences, last_steps
from tfx_privacy.reports.reference_plots import (
    CurveLine,
    CurvePoint,
    curve_legend,
    curve_plot,
    losses_legend,
    losses_plot,
)
from tfx_privacy.reports.reference_training_words import (
    how_trained,
    inside_sentence,
    loss_unit,
    losses_sentences,
    sizes_sentence,
    trained_alike,
    what_it_takes,
)
from tfx_privacy.reports.reference_words import comparison_sentences, overlap_words
from tfx_privacy.reports.shadow_section import ShadowSection, shadow_section
from tfx_privacy.reports.synthesis_section import SynthesisSection, synthesis_section

_MOST_MODELS = 100
_MOST_NOTES = 20
_NOT_TRUSTED = (
    "A control failed (see above), so these numbers cannot be trusted: where the splits differ, "
    "attacks with reference models may find that difference as well."
)


@dataclasses.dataclass(frozen=True)
class ReferenceAttackRow:
    """One attack.

    Attributes:
      name: In the registry.
      description: What it does.
      badge: Why it stands out; empty where it does not.
      values: In the order of the columns; None where there is none.
      beside: How the interval of each value lies to that of the best attack without
        references; empty for that attack itself.
    """

    name: str
    description: str
    badge: str
    values: Sequence[MeasuredText | None]
    beside: Sequence[str]


@dataclasses.dataclass(frozen=True)
class CurveRow:
    """One attack with so many models; values in the order of the columns."""

    attack: str
    models: str
    values: Sequence[MeasuredText | None]


@dataclasses.dataclass(frozen=True)
class StepRow:
    """What the last models changed of one metric of one attack."""

    attack: str
    measure: Measure
    models: str
    change: MeasuredText
    finding: str


@dataclasses.dataclass(frozen=True)
class ModelRow:
    """One reference model; empty where something is not known."""

    index: str
    records: str
    steps: str
    seconds: str
    inside_loss: str
    outside_loss: str


@dataclasses.dataclass(frozen=True)
class ReferenceSection:
    """What the template prints.

    Attributes:
      warning: Why no number can be trusted; empty where they can.
      comparison: What attacks with references found, beside the best without.
      trained: On what the models were trained, and what an attacker needs for that.
      facts: Terms and their values.
      losses: Whether models lose less on what they were trained on.
      losses_plot: Model by model; None without losses.
      losses_legend: Of that plot.
      loss_unit: What losses are counted in.
      measures: The columns of attacks.
      attacks: Attacks with references, then the best without.
      growth: What more models would buy.
      curve_measures: The columns of the curves.
      curve_plots: A metric each; none without curves.
      curve_legend: Of these plots.
      curve_rows: The curves as a table.
      curve_records: The judged records that the curves are of.
      steps: What the last models changed, attack by attack.
      shadow: Shokri's attack; None where it did not run.
      synthesis: How records were made up; None where none were.
      models: The models as a table.
      models_not_shown: How many more there are.
      notes: What there is to know beside.
      notes_not_shown: How many more there are.
    """

    warning: str
    comparison: Sequence[str]
    trained: Sequence[str]
    facts: Sequence[tuple[str, str]]
    losses: Sequence[str]
    losses_plot: Markup | None
    losses_legend: Sequence[LegendEntry]
    loss_unit: str
    measures: Sequence[Measure]
    attacks: Sequence[ReferenceAttackRow]
    growth: Sequence[str]
    curve_measures: Sequence[Measure]
    curve_plots: Sequence[Markup]
    curve_legend: Sequence[LegendEntry]
    curve_rows: Sequence[CurveRow]
    curve_records: str
    steps: Sequence[StepRow]
    shadow: ShadowSection | None
    synthesis: SynthesisSection | None
    models: Sequence[ModelRow]
    models_not_shown: int
    notes: Sequence[str]
    notes_not_shown: int


def reference_section(reading: Reading) -> ReferenceSection | None:
    """The section; None where there were no reference models."""
    results = reading.results
    if not results.HasField("references"):
        return None
    found = results.references
    compared = comparison_of(results)
    columns = [] if compared is None else _columns([one.metrics for one in compared.attacks])
    curves = [curve for curve in found.curves if curve.points]
    curve_columns = _columns([point.metrics for curve in curves for point in curve.points])
    lines = {spec.SerializeToString(): _lines(curves, spec, results) for spec in curve_columns}
    drawn = next((one for one in lines.values() if one), [])
    models = _model_rows(found)
    return ReferenceSection(
        warning=_NOT_TRUSTED if reading.shown is Shown.NOT_TRUSTED else "",
        comparison=comparison_sentences(results),
        trained=[
            sentence
            for sentence in (
                f"{how_trained(results)} {what_it_takes(results)}",
                f"{trained_alike(results)} {sizes_sentence(found.trained)}",
                inside_sentence(found),
            )
            if sentence.strip()
        ],
        facts=_facts(results),
        losses=losses_sentences(results),
        losses_plot=_losses_plot(results) if found.losses else None,
        losses_legend=losses_legend() if found.losses else [],
        loss_unit=loss_unit(results),
        measures=[measure_of(spec) for spec in columns],
        attacks=[] if compared is None else _attack_rows(compared, columns, results.best_attack),
        growth=growth_sentences(results),
        curve_measures=[measure_of(spec) for spec in curve_columns],
        curve_plots=[
            _curve_plot(lines[spec.SerializeToString()], spec, compared)
            for spec in curve_columns
            if lines[spec.SerializeToString()]
        ],
        curve_legend=curve_legend(drawn, _level_name(compared)) if drawn else [],
        curve_rows=_curve_rows(curves, curve_columns),
        curve_records=_sides(found.curve_rows),
        steps=_step_rows(curves),
        shadow=shadow_section(results),
        synthesis=synthesis_section(found.trained),
        models=models[:_MOST_MODELS],
        models_not_shown=max(0, len(models) - _MOST_MODELS),
        notes=[note_text(note) for note in found.notes[:_MOST_NOTES]],
        notes_not_shown=max(0, len(found.notes) - _MOST_NOTES),
    )


def _facts(results: results_pb2.PrivacyResults) -> list[tuple[str, str]]:
    """Terms and values that come as numbers or names; empty ones are left out."""
    found = results.references
    trained = found.trained
    seconds = sum(model.seconds for model in trained.models)
    disk = max((model.subset_bytes for model in trained.models), default=0)
    augmentation = results.config.references.augmentation.function
    ran = {attack.name.partition("@")[0] for attack in results.attacks}
    rmia = []
    if ran & set(RMIA_ATTACKS):
        rmia.append(f"gamma {found.rmia_gamma:.6g}")
    if "rmia_offline" in ran:
        rmia.append(f"a {found.rmia_offline_a:.6g}")
    facts = [
        ("Reference models", found.uri),
        ("Records to draw from", count_text(trained.pool.records) if trained.pool.records else ""),
        ("Time of their training", f"{seconds_text(seconds)} in all" if seconds else ""),
        (
            "Largest training set on disk",
            f"{_bytes_text(disk)}, removed after training" if disk else "",
        ),
        (
            "Queries a record and model",
            f"{count_text(found.queries)}, by {augmentation}" if found.queries > 1 else "",
        ),
        ("RMIA's parameters", ", ".join(rmia)),
    ]
    return [(term, value) for term, value in facts if value]


def _columns(
    metrics: Sequence[Sequence[results_pb2.MetricValue]],
) -> list[config_pb2.MetricSpec]:
    """AUC and the rate nearest 1%, of the first attack that has metrics."""
    first = next((entries for entries in metrics if len(entries)), [])
    return shown_metrics([entry.metric for entry in first])


def _attack_rows(
    compared: Comparison, columns: Sequence[config_pb2.MetricSpec], best: str
) -> list[ReferenceAttackRow]:
    attacks = [*compared.attacks, *([] if compared.without is None else [compared.without])]
    return [
        ReferenceAttackRow(
            name=attack.name,
            description=attack_description(attack.name),
            badge=_badge(attack, compared, best),
            values=_values(attack.metrics, columns),
            beside=[_beside(attack, compared, spec) for spec in columns],
        )
        for attack in attacks
    ]


def _badge(attack: results_pb2.AttackResult, compared: Comparison, best: str) -> str:
    if attack is compared.without:
        return "best without, on FIT" if compared.without_is_of_fit else "best without"
    return "best on FIT" if attack.name == best else ""


def _beside(
    attack: results_pb2.AttackResult, compared: Comparison, spec: config_pb2.MetricSpec
) -> str:
    if compared.without is None or attack is compared.without:
        return ""
    ours = find_metric(attack.metrics, spec)
    theirs = find_metric(compared.without.metrics, spec)
    if ours is None or theirs is None or not (is_known(ours) and is_known(theirs)):
        return ""
    return overlap_words(ComparedMetric(spec, ours, theirs).overlap)


def _values(
    entries: Sequence[results_pb2.MetricValue], columns: Sequence[config_pb2.MetricSpec]
) -> list[MeasuredText | None]:
    values = [(spec, find_metric(entries, spec)) for spec in columns]
    return [
        None if value is None else measured_text(measure_of(spec), value) for spec, value in values
    ]


def _lines(
    curves: Sequence[results_pb2.ReferenceCurve],
    spec: config_pb2.MetricSpec,
    results: results_pb2.PrivacyResults,
) -> list[CurveLine]:
    lines = []
    for curve in curves:
        values = [(point.models, find_metric(point.metrics, spec)) for point in curve.points]
        points = [
            CurvePoint(models, value)
            for models, value in values
            if value is not None and is_known(value)
        ]
        if points:
            lines.append(CurveLine(curve.attack, points, curve.attack == results.best_attack))
    return lines


def _curve_plot(
    lines: Sequence[CurveLine],
    spec: config_pb2.MetricSpec,
    compared: Comparison | None,
) -> Markup:
    measure = measure_of(spec)
    without = None if compared is None or compared.without is None else compared.without
    level = None if without is None else find_metric(without.metrics, spec)
    told = "; ".join(
        f"{line.attack} {measured_text(measure, line.points[-1].value).estimate} with "
        f"{count_text(line.points[-1].models)}"
        for line in lines
    )
    return curve_plot(
        lines,
        measure,
        level if level is not None and is_known(level) else None,
        f"references-{spec.name.replace('_', '-')}",
        f"{measure.title} by the number of reference models: {told}. The data is in the table "
        "below.",
    )


def _level_name(compared: Comparison | None) -> str:
    return "" if compared is None or compared.without is None else compared.without.name


def _curve_rows(
    curves: Sequence[results_pb2.ReferenceCurve], columns: Sequence[config_pb2.MetricSpec]
) -> list[CurveRow]:
    return [
        CurveRow(curve.attack, count_text(point.models), _values(point.metrics, columns))
        for curve in curves
        for point in curve.points
    ]


def _step_rows(curves: Sequence[results_pb2.ReferenceCurve]) -> list[StepRow]:
    return [
        StepRow(
            attack=step.attack,
            measure=step.measure,
            models=f"{count_text(step.before)} to {count_text(step.after)}",
            change=step.change_text,
            finding=step.growth.value,
        )
        for curve in curves
        for step in last_steps(curve)
    ]


def _losses_plot(results: results_pb2.PrivacyResults) -> Markup:
    losses = results.references.losses
    lower = sum(one.inside_loss < one.outside_loss for one in losses)
    return losses_plot(
        losses,
        loss_unit(results),
        f"Mean loss of {count_text(len(losses))} reference models on records that they were "
        f"trained on and on others: lower on the former for {count_text(lower)} of them. The data "
        "is in the table below.",
    )


def _model_rows(found: results_pb2.ReferenceResults) -> list[ModelRow]:
    trained = {model.index: model for model in found.trained.models}
    losses = {one.index: one for one in found.losses}
    return [
        _model_row(index, trained.get(index), losses.get(index))
        for index in sorted({*trained, *losses})
    ]


def _model_row(
    index: int,
    model: references_pb2.ReferenceModel | None,
    losses: results_pb2.ReferenceModelLosses | None,
) -> ModelRow:
    return ModelRow(
        index=str(index),
        records="" if model is None else count_text(model.trained_on.records),
        steps="" if model is None or not model.train_steps else count_text(model.train_steps),
        seconds="" if model is None else seconds_text(model.seconds),
        inside_loss="" if losses is None else _loss_text(losses.inside_loss, losses.inside),
        outside_loss="" if losses is None else _loss_text(losses.outside_loss, losses.outside),
    )


def _loss_text(loss: float, records: int) -> str:
    return score_text(loss) if records else ""


def _sides(counts: results_pb2.SideCounts) -> str:
    return f"{count_text(counts.members)} members and {count_text(counts.nonmembers)} non-members"


def _bytes_text(number: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number_text(number / size, 1)} {unit}"
    return f"{count_text(number)} bytes"
