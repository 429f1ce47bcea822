"""A figure of the page as an SVG file of its own, for viewers that know no page."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from tfx_privacy.reports.looks import LegendEntry
from tfx_privacy.reports.names import visible

_MARGIN, _TITLE_LINE, _LEGEND_LINE = 12.0, 20.0, 20.0
_TITLE_SIZE, _LEGEND_SIZE = 14, 12
# Of a character of the title, on average and rather more than less.
_CHARACTER = 7.6


def svg_file(figure: Markup, title: str, legend: Sequence[LegendEntry] = ()) -> str:
    """An SVG document with a title, a figure and its legend, in the page's light colours.

    Args:
      figure: Of `svg.draw_svg`.
      title: Stands above the figure.
      legend: Stands below it, a line an entry.
    """
    width, height = _size(figure)
    lines = textwrap.wrap(title, max(1, int(width / _CHARACTER)))
    body = [
        _text(_MARGIN, (number + 1) * _TITLE_LINE, line, _TITLE_SIZE)
        for number, line in enumerate(lines)
    ]
    top = len(lines) * _TITLE_LINE + _MARGIN
    body.append(_placed(figure, _MARGIN, top, width, height))
    for number, entry in enumerate(legend):
        line = top + height + number * _LEGEND_LINE
        body.append(_placed(entry.swatch, _MARGIN, line + 8, 28, 8))
        body.append(_text(_MARGIN + 36, line + 16, entry.text, _LEGEND_SIZE))
    full_width = width + 2 * _MARGIN
    full_height = top + height + len(legend) * _LEGEND_LINE + _MARGIN
    document = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{full_width:.0f}" height="{full_height:.0f}" '
        f'viewBox="0 0 {full_width:.2f} {full_height:.2f}" font-family="sans-serif">\n'
        f'<rect width="100%" height="100%" fill="var(--paper)"/>\n' + "\n".join(body) + "\n</svg>\n"
    )
    return re.sub(r"var\((--[\w-]+)\)", lambda found: _colours()[found[1]], document)


def _size(figure: Markup) -> tuple[float, float]:
    found = re.match(r'<svg [^>]*viewBox="[\d.]+ [\d.]+ ([\d.]+) ([\d.]+)"', figure)
    assert found is not None, "draw_svg writes a viewBox"
    return float(found[1]), float(found[2])


def _placed(figure: Markup, x: float, y: float, width: float, height: float) -> str:
    place = f'<svg x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
    return str(figure).replace("<svg ", place, 1)


def _text(x: float, y: float, text: str, size: int) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="var(--ink)">'
        f"{escape(visible(text))}</text>"
    )


@functools.lru_cache(maxsize=1)
def _colours() -> dict[str, str]:
    """The colours of the style sheet by name; its first block has the light ones."""
    style = (Path(__file__).parent / "style.html.j2").read_text(encoding="utf-8")
    light = style[: style.index("}")]
    return dict(re.findall(r"(--[\w-]+): (#\w+);", light))
