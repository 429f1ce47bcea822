"""ROC curves as pictures, with their legend in them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tfx_privacy.reports.looks import CHANCE_LOOK, Look, draw_line, look_of_attack
from tfx_privacy.reports.names import visible
from tfx_privacy.reports.numerals import share_text
from tfx_privacy.reports.png import Picture, draw_png, light_colour
from tfx_privacy.reports.roc_plots import RocCurve

_WIDTH, _PLOT_HEIGHT, _LEGEND_LINE = 6.4, 5.4, 0.22
_LEGEND_COLUMNS = 2
# The logarithmic axes reach down to a rate between these.
_LOWEST_FLOOR, _HIGHEST_FLOOR = 1e-6, 1e-2


def linear_roc_picture(curves: Sequence[RocCurve]) -> Picture:
    """The curves on linear axes.

    Args:
      curves: One an attack, in the order of their colours.
    """
    return draw_png(lambda figure: _draw(_axes(figure), curves, 0.0), _size(curves))


def log_roc_picture(curves: Sequence[RocCurve], nonmembers: int) -> Picture:
    """The curves on logarithmic axes, down to the rate that one non-member makes.

    Args:
      curves: One an attack, in the order of their colours.
      nonmembers: Judged non-members; at least 1.
    """
    floor = 10.0 ** math.floor(math.log10(1 / nonmembers))
    floor = min(max(floor, _LOWEST_FLOOR), _HIGHEST_FLOOR)

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        axes.set(xscale="log", yscale="log")
        _draw(axes, curves, floor)
        axes.minorticks_off()

    return draw_png(draw, _size(curves))


def _size(curves: Sequence[RocCurve]) -> tuple[float, float]:
    lines = math.ceil((len(curves) + 1) / _LEGEND_COLUMNS)
    return _WIDTH, round(_PLOT_HEIGHT + _LEGEND_LINE * lines, 2)


def _axes(figure: Figure) -> Axes:
    axes = figure.add_subplot()
    axes.set_xlabel("False alarms: others called members (FPR)")
    axes.set_ylabel("Training records recognised (TPR)")
    return axes


def _draw(axes: Axes, curves: Sequence[RocCurve], floor: float) -> None:
    draw_line(axes, [floor, 1], [floor, 1], _light(CHANCE_LOOK))
    names = ["guessing (chance)"]
    for index, curve in enumerate(curves):
        # What lies below the floor is drawn on it: a logarithmic axis has no zero.
        fpr, tpr = np.maximum(curve.roc.fpr, floor), np.maximum(curve.roc.tpr, floor)
        draw_line(axes, fpr, tpr, _light(look_of_attack(index, is_best=curve.is_best)))
        names.append(visible(curve.attack) + (" (best)" if curve.is_best else ""))
    axes.set(xlim=(floor, 1), ylim=(floor, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: share_text(round(share, 9))))
    figure = axes.get_figure()
    assert figure is not None, "the axes were made in a figure"
    figure.legend(
        axes.get_lines(),
        names,
        loc="outside lower center",
        ncols=_LEGEND_COLUMNS,
        frameon=False,
        fontsize="small",
    )


def _light(look: Look) -> Look:
    return dataclasses.replace(look, colour=light_colour(look.colour))
