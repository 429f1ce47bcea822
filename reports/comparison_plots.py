"""Vulnerability over epochs and against accuracy, as plots."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.looks import (
    CHANCE_LOOK,
    MEMBERS_LOOK,
    NONMEMBERS_LOOK,
    LegendEntry,
    Look,
    draw_line,
    legend_entry,
)
from tfx_privacy.reports.numerals import share_text
from tfx_privacy.reports.svg import INK, SERIES, draw_svg

_SIZE = (5.6, 3.8)
_VULNERABILITY_LOOK = Look(SERIES[0], "none", 1.8, layer=3)
# Of more points than these only some are named in the plot.
_MOST_LABELS = 12
# A point with less room than this between its neighbours would have its label over theirs.
_ROOM_ABOVE = 6


@dataclasses.dataclass(frozen=True)
class Point:
    """One measurement in a plot.

    Attributes:
      place: Its epoch or number in the order.
      label: The place as text: names can be long and hold anything.
      value: What is drawn, with its interval.
    """

    place: float
    label: str
    value: results_pb2.MeasuredValue


def over_places(
    points: Sequence[Point], chance: float, title: str, axis: str, name: str, label: str
) -> Markup:
    """A metric with its intervals over epochs, or over the order.

    Args:
      points: In the order of their places.
      chance: What guessing reaches.
      title: What the metric is called.
      axis: What the places are.
      name: Sets the plot apart from others on the page.
      label: What it shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set(xlabel=axis, ylabel=title)
        places = [point.place for point in points]
        draw_line(axes, [min(places), max(places)], [chance, chance], CHANCE_LOOK)
        _draw_with_intervals(axes, points, _VULNERABILITY_LOOK)
        _whole_numbers(axes)

    return draw_svg(draw, _SIZE, name, label)


def accuracies_over_places(
    train: Sequence[Point], test: Sequence[Point], axis: str, label: str
) -> Markup:
    """Train and test accuracy over epochs, or over the order."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set(xlabel=axis, ylabel="Accuracy")
        _draw_with_intervals(axes, train, MEMBERS_LOOK)
        _draw_with_intervals(axes, test, NONMEMBERS_LOOK)
        _whole_numbers(axes)
        axes.yaxis.set_major_formatter(_PERCENT)

    return draw_svg(draw, _SIZE, "accuracies", label)


def against_accuracy(
    accuracy: Sequence[Point], vulnerability: Sequence[Point], chance: float, title: str, label: str
) -> Markup:
    """A metric against test accuracy, joined in the order of the places.

    Args:
      accuracy: Test accuracy of each measurement.
      vulnerability: The metric of each, in the same order.
      chance: What guessing reaches.
      title: What the metric is called.
      label: What it shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set(xlabel="Test accuracy", ylabel=title)
        x = [point.value.estimate for point in accuracy]
        y = [point.value.estimate for point in vulnerability]
        draw_line(axes, x, y, dataclasses.replace(_VULNERABILITY_LOOK, width=0.9, layer=2))
        _draw_whiskers(axes, x, vulnerability)
        for point, height in zip(accuracy, y, strict=True):
            axes.plot(
                [point.value.lower, point.value.upper], [height] * 2, color=SERIES[0], linewidth=1.2
            )
        axes.plot(x, y, "o", color=SERIES[0], markersize=5, zorder=4)
        reach = [bound for point in accuracy for bound in (point.value.lower, point.value.upper)]
        draw_line(axes, [min(reach), max(reach)], [chance, chance], CHANCE_LOOK)
        for point, height in list(zip(accuracy, y, strict=True))[:: _step(len(accuracy))]:
            axes.annotate(
                point.label,
                (point.value.estimate, height),
                xytext=(_ROOM_ABOVE, _ROOM_ABOVE),
                textcoords="offset points",
                color=INK,
                fontsize=9,
            )
        axes.margins(x=0.08, y=0.12)
        axes.xaxis.set_major_formatter(_PERCENT)

    return draw_svg(draw, _SIZE, "against-accuracy", label)


def vulnerability_legend(title: str) -> list[LegendEntry]:
    """Which line is the metric, and which is guessing."""
    return [
        legend_entry(_VULNERABILITY_LOOK, f"{title}, best of all attacks, with its interval"),
        legend_entry(CHANCE_LOOK, "guessing (chance)"),
    ]


def accuracy_legend() -> list[LegendEntry]:
    """Which line is which accuracy."""
    return [
        legend_entry(MEMBERS_LOOK, "train accuracy (judged members)"),
        legend_entry(NONMEMBERS_LOOK, "test accuracy (judged non-members)"),
    ]


_PERCENT = FuncFormatter(lambda share, _: share_text(round(share, 6)))


def _draw_with_intervals(axes: Axes, points: Sequence[Point], look: Look) -> None:
    places = [point.place for point in points]
    draw_line(axes, places, [point.value.estimate for point in points], look)
    _draw_whiskers(axes, places, points, look)
    axes.plot(
        places,
        [point.value.estimate for point in points],
        "o",
        color=look.colour,
        markersize=5,
        zorder=look.layer + 1,
    )


def _draw_whiskers(
    axes: Axes, x: Sequence[float], points: Sequence[Point], look: Look = _VULNERABILITY_LOOK
) -> None:
    for place, point in zip(x, points, strict=True):
        axes.plot(
            [place, place],
            [point.value.lower, point.value.upper],
            color=look.colour,
            linewidth=1.2,
            zorder=look.layer,
        )


def _whole_numbers(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def _step(points: int) -> int:
    return -(-points // _MOST_LABELS)
