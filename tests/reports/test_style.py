"""Contrast of the style sheet's colours, by the formula of WCAG 2.1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tfx_privacy.reports import page

_CSS = (Path(page.__file__).parent / "style.html.j2").read_text()


def _colours():
    light, dark = re.findall(r":root \{(.*?)\}", _CSS, flags=re.DOTALL)
    return {
        scheme: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for scheme, block in (("light", light), ("dark", dark))
    }


def _luminance(colour):
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_gives_21_for_black_on_white():
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "paper"),
    [
        ("ink", "paper"), ("ink", "panel"), ("muted", "paper"), ("muted", "panel"),
        ("pass", "paper"), ("block", "paper"), ("tell", "paper"),
        ("ink", "pass-paper"), ("ink", "block-paper"), ("ink", "tell-paper"),
        ("pass", "pass-paper"), ("block", "block-paper"), ("tell", "tell-paper"),
        ("members", "panel"), ("nonmembers", "paper"),
    ],
)  # fmt: skip
def test_text_can_be_read(scheme, text, paper):
    colours = _colours()[scheme]
    assert _contrast(colours[text], colours[paper]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "line", [f"series-{index}" for index in range(8)] + ["members", "nonmembers"]
)
def test_lines_can_be_seen(scheme, line):
    colours = _colours()[scheme]
    assert _contrast(colours[line], colours["paper"]) >= 3
