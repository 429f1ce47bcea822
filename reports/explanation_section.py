"""What goes with the risk, overall and class by class."""

from __future__ import annotations

import dataclasses
import itertools

from markupsafe import Markup

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.class_gap_plot import class_gap_plot
from tfx_privacy.reports.explanation_findings import PROPERTIES, has_accuracies
from tfx_privacy.reports.explanation_words import (
    accuracy_text,
    class_sentences,
    correlation_text,
    gap_text,
    nothing_stands_out,
    sentences,
)
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.measures import MeasuredText, measure_of, measured_text
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.numerals import count_text, number_text, percent_text
from tfx_privacy.reports.sides_plot import sides_legend
from tfx_privacy.reports.uncertainty_plot import uncertainty_plot

_MOST_ROWS = 30
# A longer name is cut; it stands whole in metrics.json.
_LONGEST_NAME = 1_000
_AUC = config_pb2.MetricSpec(name="auc")
_LOSS_DECIMALS = 3


@dataclasses.dataclass(frozen=True)
class Fact:
    """A number with its interval, and what it is."""

    title: str
    text: MeasuredText
    about: str


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """One class.

    Attributes:
      name: Of the class.
      members: Judged members.
      nonmembers: Judged non-members.
      auc: Of the best attack; None where a side has no rows.
      bar: Its estimate and bounds.
      gap: Of accuracy, or of the loss; None where a side has too few rows.
      cells: Under the titles of the section's `columns`.
    """

    name: Name
    members: str
    nonmembers: str
    auc: MeasuredText | None
    bar: tuple[float, float, float] | None
    gap: MeasuredText | None
    cells: list[str]


@dataclasses.dataclass(frozen=True)
class AssociationRow:
    """How one property of classes goes with their risk."""

    title: str
    correlation: MeasuredText
    classes: str


@dataclasses.dataclass(frozen=True)
class UncertaintyRow:
    """One bin of uncertainty: records with right and wrong answers, members and others."""

    uncertainty: str
    counts: list[str]


@dataclasses.dataclass(frozen=True)
class ExplanationSection:
    """What the template prints.

    Attributes:
      not_computed: Why there is nothing else; "" where there is.
      sentences: What is seen of all records.
      class_sentences: What is seen over classes.
      facts: Numbers of all judged records.
      is_about_loss: Whether the gap is of the loss, since answers are not right or wrong.
      class_plot: AUC against gap, a dot a class; None below two classes that have both.
      uncertainty_plots: Right answers, and wrong ones; empty where there are none.
      legend: Which outline is which side.
      uncertainty_rows: The data of these plots.
      associations: What goes with the risk over classes.
      properties: How many properties were looked at.
      columns: Titles of the further cells of a class, and which sides they are of.
      rows: The classes, riskiest first.
      not_shown: How many classes in the results are not among them.
    """

    not_computed: str
    sentences: list[str]
    class_sentences: list[str]
    facts: list[Fact]
    is_about_loss: bool
    class_plot: Markup | None
    uncertainty_plots: list[Markup]
    legend: list[LegendEntry]
    uncertainty_rows: list[UncertaintyRow]
    associations: list[AssociationRow]
    properties: int
    columns: list[tuple[str, str]]
    rows: list[ClassRow]
    not_shown: int


def explanation_section(results: results_pb2.PrivacyResults) -> ExplanationSection | None:
    """The section; None where results say nothing of it."""
    if not results.HasField("explanation"):
        return None
    explanation = results.explanation
    if explanation.not_computed:
        return _nothing(explanation.not_computed)
    if not explanation.HasField("whole"):
        return None
    ordered = sorted(
        explanation.classes, key=lambda group: -group.auc.estimate if group.HasField("auc") else 1.0
    )
    with_accuracies = [group for group in ordered if has_accuracies(group)]
    plots = _uncertainty_plots(explanation)
    return ExplanationSection(
        not_computed="",
        sentences=_sentences(explanation),
        class_sentences=class_sentences(explanation),
        facts=_facts(explanation.whole),
        is_about_loss=not has_accuracies(explanation.whole),
        class_plot=_class_plot(with_accuracies),
        uncertainty_plots=plots,
        legend=sides_legend() if plots else [],
        uncertainty_rows=_uncertainty_rows(explanation) if plots else [],
        associations=[
            AssociationRow(
                _capital(found.property),
                correlation_text(found.correlation),
                count_text(found.correlation.members),
            )
            for found in explanation.associations
        ],
        properties=PROPERTIES,
        columns=_columns(explanation.whole),
        rows=[_row(group, explanation.whole) for group in ordered[:_MOST_ROWS]],
        not_shown=max(0, len(ordered) - _MOST_ROWS),
    )


def _sentences(explanation: results_pb2.Explanation) -> list[str]:
    nothing = "Nothing stands out that would go with a risk."
    return [*sentences(explanation), *([nothing] if nothing_stands_out(explanation) else [])]


def _nothing(reason: str) -> ExplanationSection:
    return ExplanationSection(
        reason, [], [], [], False, None, [], [], [], [], PROPERTIES, [], [], 0
    )


def _facts(whole: results_pb2.GroupStatistics) -> list[Fact]:
    facts = []
    if has_accuracies(whole):
        facts = [
            Fact(
                "Train accuracy",
                accuracy_text(whole.members.accuracy),
                f"Of {count_text(whole.members.rows)} judged members",
            ),
            Fact(
                "Test accuracy",
                accuracy_text(whole.nonmembers.accuracy),
                f"Of {count_text(whole.nonmembers.rows)} judged non-members",
            ),
        ]
    if whole.HasField("gap"):
        title, about = (
            ("Gap", "Train accuracy less test accuracy: what an attack gains that sees right or "
             "wrong alone")
            if has_accuracies(whole)
            else ("Rise of the loss", "Mean loss of judged non-members less that of members")
        )  # fmt: skip
        facts.append(Fact(title, gap_text(whole), about))
    return facts


def _class_plot(groups: list[results_pb2.GroupStatistics]) -> Markup | None:
    shown = [group for group in groups if group.HasField("auc") and group.HasField("gap")]
    if len(shown) < 2:
        return None
    label = (
        f"AUC of the best attack against the gap between train and test accuracy, a dot for each "
        f"of {len(shown)} classes. The data is in the table of classes below."
    )
    return class_gap_plot(shown, label)


def _uncertainty_plots(explanation: results_pb2.Explanation) -> list[Markup]:
    whole, edges = explanation.whole, list(explanation.uncertainty_edges)
    sides = (whole.members, whole.nonmembers)
    if not edges or any(
        not side.rows or {len(side.right), len(side.wrong)} != {len(edges) - 1} for side in sides
    ):
        return []
    plots = []
    for answers in ("right", "wrong"):
        members, nonmembers = (
            [count / side.rows for count in getattr(side, answers)] for side in sides
        )
        label = (
            f"Histogram of the uncertainty of {answers} answers: "
            f"{percent_text(sum(members), 1)} of members and {percent_text(sum(nonmembers), 1)} of "
            "non-members. The data is in the table below."
        )
        plots.append(uncertainty_plot(edges, members, nonmembers, answers, label))
    return plots


def _uncertainty_rows(explanation: results_pb2.Explanation) -> list[UncertaintyRow]:
    whole, edges = explanation.whole, list(explanation.uncertainty_edges)
    columns = (
        whole.members.right,
        whole.nonmembers.right,
        whole.members.wrong,
        whole.nonmembers.wrong,
    )
    return [
        UncertaintyRow(f"{low:.10g} to {high:.10g}", [count_text(count) for count in counts])
        for (low, high), *counts in zip(itertools.pairwise(edges), *columns, strict=True)
    ]


def _columns(whole: results_pb2.GroupStatistics) -> list[tuple[str, str]]:
    if not has_accuracies(whole):
        return [("Mean loss", "members / others"), ("Spread", "")]
    return [("Accuracy", "train / test"), ("Uncertainty", "members / others"), ("Spread", "")]


def _row(group: results_pb2.GroupStatistics, whole: results_pb2.GroupStatistics) -> ClassRow:
    area = group.auc if group.HasField("auc") else None
    sides = (group.members, group.nonmembers)
    if has_accuracies(whole):
        cells = [
            " / ".join(
                percent_text(side.accuracy.estimate, 1) if side.HasField("accuracy") else "-"
                for side in sides
            ),
            " / ".join(
                number_text(side.mean_uncertainty, 2) if side.rows else "-" for side in sides
            ),
        ]
    else:
        cells = [
            " / ".join(
                number_text(side.mean_loss, _LOSS_DECIMALS) if side.rows else "-" for side in sides
            )
        ]
    cells.append(number_text(group.spread, 2) if group.spread > 0 else "")
    return ClassRow(
        name=_class_name(group.class_name),
        members=count_text(group.members.rows),
        nonmembers=count_text(group.nonmembers.rows),
        auc=None if area is None else measured_text(measure_of(_AUC), area),
        bar=None if area is None else (area.estimate, area.lower, area.upper),
        gap=gap_text(group) if group.HasField("gap") else None,
        cells=cells,
    )


def _class_name(text: str) -> Name:
    name = name_of(text)
    return name if len(text) <= _LONGEST_NAME else Name(name.short, None)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
