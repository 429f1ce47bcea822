"""Figures as files: documents that need no page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np

from tfx_privacy.metrics.roc import Roc
from tfx_privacy.reports.roc_plots import RocCurve, linear_roc, roc_legend
from tfx_privacy.reports.svg_file import svg_file

_SVG = "{http://www.w3.org/2000/svg}"
_SHARES = np.linspace(0, 1, 11)
_CURVES = [RocCurve("a & b", Roc(_SHARES, _SHARES), is_best=True)]


def _document(title: str) -> ET.Element:
    return ET.fromstring(svg_file(linear_roc(_CURVES, [], "label"), title, roc_legend(_CURVES)))


def test_it_is_a_document_with_title_figure_and_legend() -> None:
    document = _document("<ROC>")
    assert document.tag == f"{_SVG}svg"
    own = [text.text for text in document.findall(f"{_SVG}text")]
    assert own == ["<ROC>", "a & b", "guessing (chance)"]
    # The figure, and a line for each entry of the legend.
    assert len(document.findall(f"{_SVG}svg")) == 3


def test_everything_is_within_the_page() -> None:
    document = _document("a long title " * 12)
    width, height = (float(document.attrib[side]) for side in ("width", "height"))
    lines = [text for text in document.findall(f"{_SVG}text") if "title" in (text.text or "")]
    assert len(lines) > 1
    for element in document.findall(f"{_SVG}svg"):
        place = {key: float(element.attrib[key]) for key in ("x", "y", "width", "height")}
        assert place["x"] + place["width"] <= width + 1
        assert place["y"] + place["height"] <= height + 1
    assert max(float(line.attrib["y"]) for line in lines) < height
    # At a size of 14 a letter is some 7 wide.
    assert max(7 * len(line.text or "") for line in lines) < width


def test_colours_are_written_out() -> None:
    text = svg_file(linear_roc(_CURVES, [], "label"), "title", roc_legend(_CURVES))
    assert "var(" not in text
    # The best curve has the first of the style sheet's light colours for series.
    assert re.search(r"stroke: #b3450b", text)
