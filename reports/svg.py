"""Figures of Matplotlib as SVG that stands in a page and takes the page's colours."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from tfx_privacy.reports.names import visible

# What a figure is drawn in, and what it is shown in: light or dark as the page is.
INK, MUTED, LINE = "#010101", "#010102", "#010103"
MEMBERS, NONMEMBERS = "#010104", "#010105"
SERIES = tuple(f"#0102{index:02x}" for index in range(8))
_CSS_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    MEMBERS: "var(--members)",
    NONMEMBERS: "var(--nonmembers)",
    **{colour: f"var(--series-{index})" for index, colour in enumerate(SERIES)},
}
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tfx-privacy",
    "font.size": 10,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def draw_svg(
    draw: Callable[[Figure], None],
    size: tuple[float, float],
    name: str,
    label: str,
    style: str = "plot",
) -> Markup:
    """Draws a figure into SVG markup for a page.

    The same drawing gives the same bytes, whatever Matplotlib settings the process has.

    Args:
      draw: Draws into an empty figure, in the colours of this module.
      size: Width and height in inches of 72 CSS pixels.
      name: Sets the ids in this figure apart from those of others on the page.
      label: What the figure shows, for those who do not see it.
      style: Its classes in the style sheet.
    """
    text = io.StringIO()
    with _own_settings():
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(text, format="svg", metadata=_NO_METADATA, transparent=True)
    return _for_page(text.getvalue(), name, label, style)


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    # Matplotlib reads its settings while it draws; the process gets its own back.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def _for_page(svg: str, name: str, label: str, style: str) -> Markup:
    body = svg[svg.index("<svg") :]
    head, rest = body.split(">", 1)
    view_box = re.search(r'viewBox="([\d. ]+)"', head)
    assert view_box is not None, "Matplotlib writes a viewBox"
    # A rule for every element of the page; the page's own style sheet has it for plots.
    rest = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", rest, flags=re.DOTALL)
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r"url\(#", f"url(#{name}-", rest)
    rest = re.sub(r'href="#', f'href="#{name}-', rest)
    rest = re.sub(r"font-family: [^;\"]*; ?", "", rest)
    rest = re.sub(r'="[^"]*"', _shortened, rest)
    for drawn, shown in _CSS_COLOURS.items():
        rest = rest.replace(drawn, shown)
    opening = Markup('<svg class="{}" role="img" aria-label="{}" viewBox="{}">').format(
        style, visible(label), view_box.group(1)
    )
    return opening + Markup(rest.strip())


def _shortened(attribute: re.Match[str]) -> str:
    # A hundredth of a pixel is enough.
    return re.sub(r"(\d\.\d\d)\d+", r"\1", attribute.group())


def swatch(colour: str, dashes: str, *, width: float = 2) -> Markup:
    """A short line for a legend beside a figure."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 28 8" aria-hidden="true">'
        '<line x1="1" y1="4" x2="27" y2="4" '
        'style="stroke: {}; stroke-width: {}; stroke-dasharray: {}"/></svg>'
    ).format(_CSS_COLOURS[colour], width, dashes)
