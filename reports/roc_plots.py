"""ROC curves, on linear and on logarithmic axes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tfx_privacy.metrics.roc import Roc
from tfx_privacy.reports.looks import (
    CHANCE_LOOK,
    LegendEntry,
    draw_line,
    legend_entry,
    look_of_attack,
)
from tfx_privacy.reports.numerals import share_text
from tfx_privacy.reports.svg import INK, draw_svg

_SIZE = (5.6, 5.0)
# The logarithmic axes reach down to a rate between these.
_LOWEST_FLOOR, _HIGHEST_FLOOR = 1e-6, 1e-2


@dataclasses.dataclass(frozen=True)
class RocCurve:
    """One attack's curve."""

    attack: str
    roc: Roc
    is_best: bool


@dataclasses.dataclass(frozen=True)
class RocPoint:
    """TPR at a given FPR, with its interval."""

    fpr: float
    estimate: float
    lower: float
    upper: float


def linear_roc(curves: Sequence[RocCurve], points: Sequence[RocPoint], label: str) -> Markup:
    """The curves on linear axes.

    Args:
      curves: One an attack.
      points: Of the best attack, to be marked.
      label: What the plot shows, for those who do not see it.
    """

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        _draw(axes, curves, points, floor=0.0)

    return draw_svg(draw, _SIZE, "roc-linear", label)


def log_roc(
    curves: Sequence[RocCurve], points: Sequence[RocPoint], nonmembers: int, label: str
) -> Markup:
    """The curves on logarithmic axes, down to the rate that one non-member makes.

    Args:
      curves: One an attack.
      points: Of the best attack, to be marked.
      nonmembers: Judged non-members.
      label: What the plot shows, for those who do not see it.
    """
    floor = float(10.0 ** np.floor(np.log10(1 / nonmembers)))
    floor = min(max(floor, _LOWEST_FLOOR), _HIGHEST_FLOOR)

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        axes.set(xscale="log", yscale="log")
        _draw(axes, curves, points, floor)
        axes.minorticks_off()

    return draw_svg(draw, _SIZE, "roc-log", label)


def roc_legend(curves: Sequence[RocCurve]) -> list[LegendEntry]:
    """Which line is which attack, the best one first; and the line of guessing."""
    entries = [
        legend_entry(
            look_of_attack(index, is_best=curve.is_best), curve.attack, is_best=curve.is_best
        )
        for index, curve in enumerate(curves)
    ]
    entries.sort(key=lambda entry: not entry.is_best)
    return [*entries, legend_entry(CHANCE_LOOK, "guessing (chance)")]


def _axes(figure: Figure) -> Axes:
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.set_xlabel("False alarms: others called members (FPR)")
    axes.set_ylabel("Training records recognised (TPR)")
    return axes


def _draw(axes: Axes, curves: Sequence[RocCurve], points: Sequence[RocPoint], floor: float) -> None:
    draw_line(axes, [floor, 1], [floor, 1], CHANCE_LOOK)
    for index, curve in enumerate(curves):
        # What lies below the floor is drawn on it: a logarithmic axis has no zero.
        fpr, tpr = np.maximum(curve.roc.fpr, floor), np.maximum(curve.roc.tpr, floor)
        draw_line(axes, fpr, tpr, look_of_attack(index, is_best=curve.is_best))
    for point in points:
        _draw_point(axes, point, floor)
    axes.set(xlim=(floor, 1), ylim=(floor, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: share_text(round(share, 9))))


def _draw_point(axes: Axes, point: RocPoint, floor: float) -> None:
    whisker = [max(point.lower, floor), max(point.upper, floor)]
    axes.plot([point.fpr, point.fpr], whisker, color=INK, linewidth=1.4, zorder=4)
    if point.estimate >= floor:
        axes.plot([point.fpr], [point.estimate], "o", color=INK, markersize=4.5, zorder=5)
