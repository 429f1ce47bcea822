"""Shokri's attack: what attack models taught by shadow models reach, over all and by class."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from markupsafe import Markup

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.measures import Measure, MeasuredText, measure_of, measured_text
from tfx_privacy.reports.names import Name, name_of
from tfx_privacy.reports.numerals import count_text, percent_text
from tfx_privacy.reports.reference_comparison import is_known
from tfx_privacy.reports.reference_plots import class_histogram, class_rows
from tfx_privacy.reports.reference_training_words import models_text

PRECISION = measure_of(config_pb2.MetricSpec(name="precision", prior=0.5))
RECALL = Measure(
    title="Recall",
    explanation="Share of training records that the attack calls training records",
    deed="finds {} of training records",
    chance=0.0,
    in_percent=True,
)
# So many classes have a row each in the plot; more are counted by their values.
_FEW_CLASSES = 12
_MOST_ROWS = 200


@dataclasses.dataclass(frozen=True)
class ShadowClassRow:
    """One class."""

    name: Name
    precision: MeasuredText
    recall: MeasuredText
    members: str
    nonmembers: str


@dataclasses.dataclass(frozen=True)
class ShadowSection:
    """What the template prints.

    Attributes:
      sentences: What was found over all.
      by_class: How classes differ; empty with fewer than two.
      precision_plot: Of the classes; None with fewer than two.
      recall_plot: The same.
      is_counted: Whether the plots count classes; otherwise each class has a row in them.
      classes: The classes as a table.
      classes_not_shown: How many more there are.
    """

    sentences: Sequence[str]
    by_class: str
    precision_plot: Markup | None
    recall_plot: Markup | None
    is_counted: bool
    classes: Sequence[ShadowClassRow]
    classes_not_shown: int


def shadow_section(results: results_pb2.PrivacyResults) -> ShadowSection | None:
    """The section; None where Shokri's attack did not run."""
    if not results.references.HasField("shadow"):
        return None
    shadow = results.references.shadow
    known = [one for one in shadow.by_class if is_known(one.precision) and is_known(one.recall)]
    return ShadowSection(
        sentences=shadow_sentences(results),
        by_class=_by_class(known),
        precision_plot=_plot(known, PRECISION) if len(known) > 1 else None,
        recall_plot=_plot(known, RECALL) if len(known) > 1 else None,
        is_counted=len(known) > _FEW_CLASSES,
        classes=[_row(one) for one in shadow.by_class[:_MOST_ROWS]],
        classes_not_shown=max(0, len(shadow.by_class) - _MOST_ROWS),
    )


def shadow_sentences(results: results_pb2.PrivacyResults) -> list[str]:
    """What the attack was taught with, and its precision and recall over all classes."""
    shadow = results.references.shadow
    taught = shadow.attack_set
    return [
        f"It was taught by what {models_text(results)} answer: {count_text(taught.members)} "
        "answers on records that the answering model was trained on, "
        f"{count_text(taught.nonmembers)} on records that it was not. {_classes(shadow)}",
        _over_all(shadow),
    ]


def _classes(shadow: results_pb2.ShadowResults) -> str:
    own, shared = shadow.classes, shadow.classes_shared
    if not own and not shared:
        return "One attack model serves all classes."
    told = (
        "1 class has an attack model of its own"
        if own == 1
        else f"{count_text(own)} classes have an attack model each"
    )
    if not shared:
        return f"{told}."
    few = (
        "1 class that has too few answers for that uses"
        if shared == 1
        else f"{count_text(shared)} classes that have too few answers for that share"
    )
    return f"{told}; {few} a model of all classes."


def _over_all(shadow: results_pb2.ShadowResults) -> str:
    found = f"Of training records it finds {_told(RECALL, shadow.recall)}."
    # Precision is said to be one half where nothing was called a member.
    if not shadow.recall.estimate and shadow.precision.estimate == PRECISION.chance:
        return f"It called no judged record a member, so its precision is not known. {found}"
    right = f"Of the records that it calls members {_told(PRECISION, shadow.precision)} are"
    guessing = f"guessing is right in {PRECISION.chance_text}"
    if shadow.precision.lower > PRECISION.chance:
        beside = f"{guessing}, and this is shown to be more"
    elif shadow.precision.upper < PRECISION.chance:
        beside = f"{guessing}, and this is less"
    else:
        beside = f"{guessing}, which the interval includes"
    return f"{right}, where members and non-members count equally: {beside}. {found}"


def _by_class(known: Sequence[results_pb2.ShadowClass]) -> str:
    if len(known) < 2:
        return ""
    ranked = sorted(known, key=lambda one: one.precision.estimate)
    lowest, highest = ranked[0].precision.estimate, ranked[-1].precision.estimate
    middle = statistics.median(one.precision.estimate for one in known)
    above = sum(one.precision.lower > PRECISION.chance for one in known)
    which = {0: "none", len(known): "each"}.get(above, count_text(above))
    return (
        f"Over {count_text(len(known))} classes the precision goes from {percent_text(lowest, 1)} "
        f"to {percent_text(highest, 1)}, with a median of {percent_text(middle, 1)}. In "
        f"{which} of them its interval, taken by itself, lies above "
        f"{PRECISION.chance_text}. Part of such a spread is luck: classes with few judged records "
        "spread by that alone."
    )


def _plot(known: Sequence[results_pb2.ShadowClass], measure: Measure) -> Markup:
    is_precision = measure is PRECISION
    values = [(one.label, one.precision if is_precision else one.recall) for one in known]
    title = "Precision" if is_precision else "Recall"
    chance = PRECISION.chance if is_precision else None
    name = f"shadow-{title.lower()}"
    estimates = [value.estimate for _, value in values]
    label = (
        f"{title} of Shokri's attack over {count_text(len(known))} classes: from "
        f"{percent_text(min(estimates), 1)} to {percent_text(max(estimates), 1)}. The data is in "
        "the table below."
    )
    if len(known) > _FEW_CLASSES:
        return class_histogram([value for _, value in values], title, name, label, chance=chance)
    return class_rows(values, title, name, label, chance=chance)


def _row(one: results_pb2.ShadowClass) -> ShadowClassRow:
    return ShadowClassRow(
        name=name_of(one.label),
        precision=measured_text(PRECISION, one.precision),
        recall=measured_text(RECALL, one.recall),
        members=count_text(one.recall.members),
        nonmembers=count_text(one.precision.nonmembers),
    )


def _told(measure: Measure, value: results_pb2.MeasuredValue) -> str:
    text = measured_text(measure, value)
    return f"{text.estimate} ({text.confidence} interval: {text.interval})"
