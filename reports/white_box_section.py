"""Black-box beside white-box: what handing out the model's parameters adds to the risk."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.measures import (
    Measure,
    MeasuredText,
    measure_of,
    measured_text,
)
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.notes import note_text
from tfx_privacy.reports.numerals import count_text, percent_text, score_text
from tfx_privacy.reports.reading import Reading, Shown
from tfx_privacy.reports.sides_plot import sides_legend
from tfx_privacy.reports.small_panels import panel, panel_shares
from tfx_privacy.reports.white_box_plots import groups_plot, norms_plot
from tfx_privacy.reports.white_box_words import (
    HOW_CHOSEN,
    UNITS_DIFFER,
    difference_text,
    finding_of,
    fitted_on_sentence,
    norms_sentence,
    sentences,
    signal_words,
)

_AUC = config_pb2.MetricSpec(name="auc")
_ACCURACY = config_pb2.MetricSpec(name="balanced_accuracy")
_MOST_NOTES = 20
_MOST_LAYERS = 200
# A longer name is cut; it stands whole in metrics.json.
_LONGEST_NAME = 1_000
_NOT_TRUSTED = (
    "A control failed (see above), so neither these numbers nor their differences can be trusted: "
    "what tells the splits apart without the model may do so through its insides as well."
)


@dataclasses.dataclass(frozen=True)
class DifferenceRow:
    """One metric of both attacks.

    Attributes:
      measure: The metric.
      black_box: The value of the black-box attack.
      white_box: The value of the white-box attack.
      difference: White-box minus black-box.
      finding: What the interval of the difference says.
    """

    measure: Measure
    black_box: MeasuredText
    white_box: MeasuredText
    difference: MeasuredText
    finding: str


@dataclasses.dataclass(frozen=True)
class GroupRow:
    """One group of signals and the best attack that looks at these."""

    title: str
    meaning: str
    attack: str
    attacks: str
    auc: MeasuredText
    accuracy: MeasuredText


@dataclasses.dataclass(frozen=True)
class NormRow:
    """Records of a range of norms."""

    norms: str
    members: str
    member_share: str
    nonmembers: str
    nonmember_share: str


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One layer; medians are empty where its norms were not counted."""

    name: Name
    kind: str
    weights: str
    taken: str
    median_member: str
    median_nonmember: str


@dataclasses.dataclass(frozen=True)
class LayerPanel:
    """The norms of one layer, small, and the range that the panel spans."""

    name: Name
    panel: Markup
    span: str


@dataclasses.dataclass(frozen=True)
class WhiteBoxSection:
    """What the template prints.

    Attributes:
      not_computed: Why there is no comparison; empty where there is.
      warning: Why no number can be trusted; empty where they can.
      sentences: What was found.
      black_box: The best black-box attack.
      white_box: The best white-box attack.
      differences: Metric by metric.
      how_chosen: How to read them.
      groups: What each group of signals gives.
      groups_plot: Their AUCs; None without groups.
      fitted_on: That attacks were built on another model; empty where they were not.
      fitted_on_uri: Where its signals lie.
      units_differ: What follows for hidden units; empty with `fitted_on`.
      norms_sentence: The medians of all layers together.
      norms_plot: Norms of all layers together; None where none were counted.
      legend: Of that plot and of the panels.
      norm_rows: The plot as a table.
      panels: Layer by layer.
      layers: The layers, in forward order.
      layers_not_shown: How many more there are.
      notes: What was slow or otherwise than asked.
      notes_not_shown: How many more there are.
    """

    not_computed: str
    warning: str
    sentences: Sequence[str]
    black_box: str
    white_box: str
    differences: Sequence[DifferenceRow]
    how_chosen: str
    groups: Sequence[GroupRow]
    groups_plot: Markup | None
    fitted_on: str
    fitted_on_uri: Name
    units_differ: str
    norms_sentence: str
    norms_plot: Markup | None
    legend: Sequence[LegendEntry]
    norm_rows: Sequence[NormRow]
    panels: Sequence[LayerPanel]
    layers: Sequence[LayerRow]
    layers_not_shown: int
    notes: Sequence[str]
    notes_not_shown: int


def white_box_section(reading: Reading) -> WhiteBoxSection | None:
    """The section; None where no white-box signals were asked for."""
    results = reading.results
    if not results.HasField("white_box"):
        return None
    found = results.white_box
    norms = {one.layer: one for one in found.norms if _has_rows(one)}
    whole = norms.pop("", None)
    fitted_on = fitted_on_sentence(results)
    return WhiteBoxSection(
        not_computed=found.not_computed,
        warning=_NOT_TRUSTED if reading.shown is Shown.NOT_TRUSTED else "",
        sentences=sentences(found),
        black_box=found.best_black_box,
        white_box=found.best_white_box,
        differences=[_difference_row(one) for one in found.differences],
        how_chosen=HOW_CHOSEN,
        groups=[_group_row(one) for one in found.groups],
        groups_plot=_groups_plot(found.groups) if found.groups else None,
        fitted_on=fitted_on,
        fitted_on_uri=name_of(results.fitted_on.signals_uri),
        units_differ=UNITS_DIFFER if fitted_on else "",
        norms_sentence="" if whole is None else norms_sentence(whole),
        norms_plot=None if whole is None else _norms_plot(whole),
        legend=[] if whole is None else sides_legend(),
        norm_rows=[] if whole is None else _norm_rows(whole),
        panels=_panels(list(norms.values())),
        layers=[_layer_row(layer, norms) for layer in found.layers[:_MOST_LAYERS]],
        layers_not_shown=max(0, len(found.layers) - _MOST_LAYERS),
        notes=[note_text(note) for note in found.notes[:_MOST_NOTES]],
        notes_not_shown=max(0, len(found.notes) - _MOST_NOTES),
    )


def _difference_row(one: results_pb2.MetricDifference) -> DifferenceRow:
    measure = measure_of(one.metric)
    return DifferenceRow(
        measure=measure,
        black_box=measured_text(measure, one.black_box),
        white_box=measured_text(measure, one.white_box),
        difference=difference_text(one),
        finding=finding_of(one),
    )


def _group_row(group: results_pb2.SignalGroupResult) -> GroupRow:
    words = signal_words(group.group)
    return GroupRow(
        title=words.title,
        meaning=words.meaning,
        attack=group.attack,
        attacks=count_text(group.attacks),
        auc=measured_text(measure_of(_AUC), group.auc),
        accuracy=measured_text(measure_of(_ACCURACY), group.accuracy),
    )


def _groups_plot(groups: Sequence[results_pb2.SignalGroupResult]) -> Markup:
    titles = [signal_words(group.group).title for group in groups]
    told = ", ".join(
        f"{title} {measured_text(measure_of(_AUC), group.auc).estimate}"
        for title, group in zip(titles, groups, strict=True)
    )
    return groups_plot(
        titles,
        groups,
        f"AUC of the best attack by what it sees: {told}. The data is in the table below.",
    )


def _has_rows(one: results_pb2.NormDistribution) -> bool:
    """Whether there is anything to draw."""
    return sum(one.members) > 0 and sum(one.nonmembers) > 0 and one.edges[0] > 0


def _norms_plot(whole: results_pb2.NormDistribution) -> Markup:
    return norms_plot(
        whole,
        "Members and non-members by gradient norm of all layers together. "
        f"{norms_sentence(whole)} The data is in the table below.",
    )


def _norm_rows(one: results_pb2.NormDistribution) -> list[NormRow]:
    """The bins that have records in them, and those between."""
    members, nonmembers, edges = list(one.members), list(one.nonmembers), list(one.edges)
    filled = [place for place in range(len(members)) if members[place] or nonmembers[place]]
    last = len(members) - 1
    totals = sum(members), sum(nonmembers)
    rows = []
    for place in range(filled[0], filled[-1] + 1):
        low, high = score_text(edges[place]), score_text(edges[place + 1])
        span = f"below {high}" if place == 0 else f"{low} to {high}"
        rows.append(
            NormRow(
                norms=f"{low} and above" if place == last else span,
                members=count_text(members[place]),
                member_share=percent_text(members[place] / totals[0], 1),
                nonmembers=count_text(nonmembers[place]),
                nonmember_share=percent_text(nonmembers[place] / totals[1], 1),
            )
        )
    return rows


def _panels(norms: Sequence[results_pb2.NormDistribution]) -> list[LayerPanel]:
    shares = [panel_shares(one.members, one.nonmembers) for one in norms]
    return [
        LayerPanel(
            name=_layer_name(one.layer),
            # Scales of layers differ, and so do their shapes: each fills its panel.
            panel=panel(
                of_layer,
                float(of_layer.max()),
                f"Members and non-members by gradient norm of the layer {one.layer[:_LONGEST_NAME]}"
                f": median {score_text(one.median_member)} and "
                f"{score_text(one.median_nonmember)}.",
            ),
            span=f"{score_text(one.edges[0])} to {score_text(one.edges[-1])}",
        )
        for one, of_layer in zip(norms, shares, strict=True)
    ]


def _layer_row(
    layer: results_pb2.WhiteBoxLayer, norms: Mapping[str, results_pb2.NormDistribution]
) -> LayerRow:
    taken = [
        *(["norm"] if layer.has_norms else []),
        *(["sketch"] if layer.has_sketches else []),
        *(
            [f"activations ({count_text(layer.activation_width)})"]
            if layer.activation_width
            else []
        ),
    ]
    counted = norms.get(layer.name)
    return LayerRow(
        name=_layer_name(layer.name),
        kind=layer.kind,
        weights=count_text(layer.weights),
        taken=", ".join(taken) or "nothing",
        median_member="" if counted is None else score_text(counted.median_member),
        median_nonmember="" if counted is None else score_text(counted.median_nonmember),
    )


def _layer_name(text: str) -> Name:
    name = name_of(text)
    return name if len(text) <= _LONGEST_NAME else Name(name.short, None)
