"""Reference models as plots: metrics by their number, losses, and Shokri's attack by class."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.looks import (
    CHANCE_LOOK,
    LegendEntry,
    Look,
    draw_line,
    legend_entry,
    look_of_attack,
)
from tfx_privacy.reports.measures import Measure
from tfx_privacy.reports.names import visible
from tfx_privacy.reports.numerals import share_text
from tfx_privacy.reports.svg import MEMBERS, MUTED, NONMEMBERS, SERIES, draw_svg

_CURVE_SIZE = (5.6, 4.0)
_LOSSES_SIZE = (6.0, 3.2)
_CLASSES_SIZE = (5.6, 3.2)
_WIDTH_OF_FEW = 5.6
_HEIGHT_OF_A_CLASS, _HEIGHT_OF_AXES = 0.3, 0.75
# Neighbouring attacks' points are this factor apart, so that intervals do not hide each other.
_APART = 1.05
# Markers of more models than these would touch.
_MANY_MODELS = 40
_LONGEST_LABEL = 18
_BINS = np.linspace(0.0, 1.0, 21)

_WITHOUT_LOOK = Look(MUTED, "7 3", 1.4, layer=1)


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """A metric with so many models.

    Attributes:
      models: How many.
      value: What was measured.
    """

    models: int
    value: results_pb2.MeasuredValue


@dataclasses.dataclass(frozen=True)
class CurveLine:
    """One attack's metric by the number of models, by rising number."""

    attack: str
    points: Sequence[CurvePoint]
    is_best: bool


def curve_plot(
    lines: Sequence[CurveLine],
    measure: Measure,
    without: results_pb2.MeasuredValue | None,
    name: str,
    label: str,
) -> Markup:
    """A metric against the number of reference models, on an axis of doublings.

    Args:
      lines: At least one, each with at least one point.
      measure: The metric.
      without: The best attack without references, for a level line; None for none.
      name: Sets the plot apart from others on the page.
      label: What the plot shows, for those who do not see it.
    """
    numbers = sorted({point.models for line in lines for point in line.points})

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log", base=2)
        axes.set_xlim(numbers[0] / 1.3, numbers[-1] * 1.3)
        axes.xaxis.set_major_locator(FixedLocator([float(number) for number in numbers]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.0f}"))
        axes.minorticks_off()
        axes.set_xlabel("Reference models")
        axes.set_ylabel(measure.title)
        if measure.in_percent:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: share_text(round(y, 9))))
        draw_line(axes, axes.get_xlim(), [measure.chance] * 2, CHANCE_LOOK)
        if without is not None:
            draw_line(axes, axes.get_xlim(), [without.estimate] * 2, _WITHOUT_LOOK)
        for index, line in enumerate(lines):
            shift = _APART ** (index - (len(lines) - 1) / 2)
            _draw_curve(axes, line, shift, look_of_attack(index, is_best=line.is_best))

    return draw_svg(draw, _CURVE_SIZE, name, label)


def curve_legend(lines: Sequence[CurveLine], without: str) -> list[LegendEntry]:
    """Which line is which attack, and the level lines.

    Args:
      lines: As drawn.
      without: The best attack without references; "" where there is no line of it.
    """
    entries = [
        legend_entry(look_of_attack(index, is_best=line.is_best), line.attack, is_best=line.is_best)
        for index, line in enumerate(lines)
    ]
    level = (
        [legend_entry(_WITHOUT_LOOK, f"{without} (without reference models)")] if without else []
    )
    return [*entries, *level, legend_entry(CHANCE_LOOK, "guessing (chance)")]


def losses_plot(
    losses: Sequence[results_pb2.ReferenceModelLosses], unit: str, label: str
) -> Markup:
    """Each model's mean loss on records it was trained on and on others.

    Args:
      losses: At least one model.
      unit: Of the losses.
      label: What the plot shows, for those who do not see it.
    """
    indices = [one.index for one in losses]
    size = 6.0 if len(losses) <= _MANY_MODELS else 3.0

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for one in losses:
            axes.plot(
                [one.index, one.index],
                [one.inside_loss, one.outside_loss],
                color=MUTED,
                linewidth=1.0,
                zorder=2,
            )
        for values, colour, marker in (
            ([one.outside_loss for one in losses], NONMEMBERS, "s"),
            ([one.inside_loss for one in losses], MEMBERS, "o"),
        ):
            axes.plot(indices, values, marker, color=colour, markersize=size, zorder=3)
        axes.set_xlim(min(indices) - 0.6, max(indices) + 0.6)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("Reference model")
        axes.set_ylabel(f"Mean loss ({unit})")

    return draw_svg(draw, _LOSSES_SIZE, "reference-losses", label, "plot wide-plot")


def losses_legend() -> list[LegendEntry]:
    """Which dots are which records."""
    return [
        LegendEntry(_dot(MEMBERS, "o"), "records that it was trained on"),
        LegendEntry(_dot(NONMEMBERS, "s"), "records that it was not trained on"),
    ]


def class_histogram(
    values: Sequence[results_pb2.MeasuredValue],
    title: str,
    name: str,
    label: str,
    *,
    chance: float | None,
) -> Markup:
    """How many classes have which precision or recall.

    Args:
      values: One a class, in [0, 1].
      title: What is counted.
      name: Sets the plot apart from others on the page.
      label: What the plot shows, for those who do not see it.
      chance: Where guessing lies; None where guessing can lie anywhere.
    """
    counts, _ = np.histogram([value.estimate for value in values], _BINS)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        colour = SERIES[0] if chance is not None else SERIES[1]
        axes.stairs(counts, _BINS, fill=True, color=colour, alpha=0.3, linewidth=0)
        axes.stairs(counts, _BINS, color=colour, linewidth=1.6)
        _share_axis(axes, title, chance)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("Classes")

    return draw_svg(draw, _CLASSES_SIZE, name, label)


def class_rows(
    classes: Sequence[tuple[str, results_pb2.MeasuredValue]],
    title: str,
    name: str,
    label: str,
    *,
    chance: float | None,
) -> Markup:
    """The precision or recall of each of a few classes, a row each, with intervals.

    Args:
      classes: Name and value, from above.
      title: What the values are.
      name: Sets the plot apart from others on the page.
      label: What the plot shows, for those who do not see it.
      chance: Where guessing lies; None where guessing can lie anywhere.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        colour = SERIES[0] if chance is not None else SERIES[1]
        for row, (_, value) in enumerate(classes):
            axes.plot([value.lower, value.upper], [row, row], color=colour, linewidth=1.6)
            axes.plot([value.estimate], [row], "o", color=colour, markersize=6)
        axes.set_yticks(range(len(classes)), [_cut(text) for text, _ in classes])
        axes.set_ylim(len(classes) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        _share_axis(axes, title, chance)

    height = _HEIGHT_OF_AXES + _HEIGHT_OF_A_CLASS * len(classes)
    return draw_svg(draw, (_WIDTH_OF_FEW, height), name, label)


def _share_axis(axes: Axes, title: str, chance: float | None) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: share_text(round(share, 6))))
    axes.set_xlabel(title if chance is None else f"{title} (dotted: chance)")
    if chance is not None:
        axes.axvline(chance, color=MUTED, linewidth=1.2, linestyle=(0, (2, 3)))


def _draw_curve(axes: Axes, line: CurveLine, shift: float, look: Look) -> None:
    places = [shift * point.models for point in line.points]
    draw_line(axes, places, [point.value.estimate for point in line.points], look)
    for place, point in zip(places, line.points, strict=True):
        bounds = [point.value.lower, point.value.upper]
        axes.plot([place, place], bounds, color=look.colour, linewidth=1.2, zorder=3)
        axes.plot([place], [point.value.estimate], "o", color=look.colour, markersize=4.5, zorder=4)


def _dot(colour: str, marker: str) -> Markup:
    shape = (
        '<circle cx="14" cy="4" r="3.5" style="fill: {}"/>'
        if marker == "o"
        else '<rect x="10.5" y="0.5" width="7" height="7" style="fill: {}"/>'
    )
    css = {MEMBERS: "var(--members)", NONMEMBERS: "var(--nonmembers)"}[colour]
    return Markup(
        '<svg class="swatch" viewBox="0 0 28 8" aria-hidden="true">' + shape + "</svg>"
    ).format(css)


def _cut(text: str) -> str:
    short = text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
    return visible(short.replace("\n", " "))
