"""The page of a comparison: one HTML file with nothing loaded from elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from tfx_privacy.metrics.registry import metric_from_spec
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.comparison import Comparison, place_text
from tfx_privacy.reports.comparison_plots import (
    Point,
    accuracies_over_places,
    accuracy_legend,
    against_accuracy,
    over_places,
    vulnerability_legend,
)
from tfx_privacy.reports.comparison_table import comparison_rows
from tfx_privacy.reports.comparison_words import (
    accuracy_sentence,
    change_sentence,
    onset_sentence,
    places_sentence,
)
from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.measures import measure_of
from tfx_privacy.reports.numerals import count_text, share_text
from tfx_privacy.reports.templates import template
from tfx_privacy.version import __version__

_CHARTED = ("auc", "advantage")


@dataclasses.dataclass(frozen=True)
class Chart:
    """A plot with what stands around it.

    Attributes:
      svg: The plot.
      legend: Which line is what.
      caption: What it shows, in one sentence.
    """

    svg: Markup
    legend: list[LegendEntry]
    caption: str


def comparison_page(comparison: Comparison) -> str:
    """The page.

    Args:
      comparison: Measurements that can be compared.

    Returns:
      HTML, the same for equal arguments.
    """
    charted = [spec for spec in comparison.metrics if spec.name in _CHARTED]
    return template("comparison.html.j2").render(
        version=__version__,
        comparison=comparison,
        number=count_text(len(comparison.compared)),
        change=change_sentence(comparison),
        onset=onset_sentence(comparison),
        places=places_sentence(comparison),
        place_title=_axis(comparison),
        over_places=[_over_places(comparison, spec) for spec in charted],
        accuracies=_accuracies(comparison),
        against_accuracy=_against_accuracy(comparison, charted[0]),
        no_accuracy=accuracy_sentence(comparison),
        measures=[measure_of(spec) for spec in comparison.metrics],
        rows=comparison_rows(comparison),
        confidence=share_text(comparison.change.confidence),
    )


def _over_places(comparison: Comparison, spec: config_pb2.MetricSpec) -> Chart:
    title = measure_of(spec).title
    return Chart(
        svg=over_places(
            _points(comparison, [each.best(spec) for each in comparison.compared]),
            metric_from_spec(spec).no_leak,
            title,
            _axis(comparison),
            f"over-{spec.name}",
            f"{title} over {_axis(comparison)}. {_DATA_BELOW}",
        ),
        legend=vulnerability_legend(title),
        caption=f"{title} of the best of all attacks.",
    )


def _accuracies(comparison: Comparison) -> Chart | None:
    if comparison.lack_accuracy:
        return None
    train = _points(comparison, [each.train_accuracy for each in comparison.compared])
    test = _points(comparison, [each.test_accuracy for each in comparison.compared])
    label = f"Train and test accuracy over {_axis(comparison)}. {_DATA_BELOW}"
    return Chart(
        svg=accuracies_over_places(train, test, _axis(comparison), label),
        legend=accuracy_legend(),
        caption="What opens between the two lines is what many attacks live on.",
    )


def _against_accuracy(comparison: Comparison, spec: config_pb2.MetricSpec) -> Chart | None:
    if comparison.lack_accuracy:
        return None
    title = measure_of(spec).title
    numbers = "epochs" if comparison.places.are_epochs else "the measurements in the table"
    return Chart(
        svg=against_accuracy(
            _points(comparison, [each.test_accuracy for each in comparison.compared]),
            _points(comparison, [each.best(spec) for each in comparison.compared]),
            metric_from_spec(spec).no_leak,
            title,
            f"{title} against test accuracy. {_DATA_BELOW}",
        ),
        legend=vulnerability_legend(title),
        caption=(
            "Down and to the right is better: accurate, and little given away. "
            f"Numbers are {numbers}."
        ),
    )


_DATA_BELOW = "The data is in the table below."


def _points(
    comparison: Comparison, values: Sequence[results_pb2.MeasuredValue | None]
) -> list[Point]:
    return [
        Point(each.place, place_text(each.place), value)
        for each, value in zip(comparison.compared, values, strict=True)
        if value is not None
    ]


def _axis(comparison: Comparison) -> str:
    return "Epoch" if comparison.places.are_epochs else "Number in the order given"
