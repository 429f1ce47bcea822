"""Texts from data in Markdown, read back by a renderer of CommonMark with tables."""

from __future__ import annotations

import html
import re

import pytest
from markdown_it import MarkdownIt

from tfx_privacy.reports.markdown_text import bullets, escaped, table

HOSTILE = [
    "<script>alert(1)</script>",
    "<!-- gone -->",
    "&lt;b&gt; &amp; &#60;",
    "**bold** _it_ __b__ ~~out~~ `code` ==mark==",
    "![x](http://e.org/x.png) [y](javascript:alert(1))",
    "https://example.org/?a=b www.example.org <mailto:a@b.org>",
    "a | b || c",
    "\\| \\",
    "# heading",
    "#heading",
    "- item",
    "-",
    "- - -",
    "- 1. item",
    "1. - item",
    "a - b + c",
    "_ 1. item",
    "a | 2) item",
    "+",
    "=",
    "1.",
    "@someone",
    "+ item",
    "1. item",
    "1) item",
    "---",
    "===",
    "> quoted",
    ":smile: [^1] $x$ {x}",
    "[x]: http://e.org",
    "שלום \"quoted\" 'single'",
]


def _render(lines):
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render("\n".join(lines) + "\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_in_a_list_is_shown_as_it_is(text):
    page = _render(bullets([escaped(text, 200)]))
    (shown,) = re.findall(r"\A<ul>\n<li>([^<]*)</li>\n</ul>\n\Z", page)
    assert html.unescape(shown) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_in_a_table_is_shown_as_it_is(text):
    page = _render(table(("A", "B"), [(escaped(text, 200), "end")]))
    cells = re.findall(r"<td>([^<]*)</td>", page)
    assert [html.unescape(cell) for cell in cells] == [text, "end"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_of_its_own_is_a_paragraph(text):
    page = _render([escaped(text, 200)])
    (shown,) = re.findall(r"\A<p>([^<]*)</p>\n\Z", page)
    assert html.unescape(shown) == text


def test_what_a_page_would_obey_is_spelled_out():
    assert escaped("a\nb\u202ec", 200) == r"a\\nb\\u202ec"


def test_figures_and_sentences_stay_readable():
    for text in (
        "AUC is 0.600 (0.580 to 0.620): at most 0.55, on 1,000 non-members.",
        "+4.4 points (-1.0 to +9.8)",
        "1.5% (1.1% to 2.3%)",
        "age = 4",
    ):
        assert escaped(text, 200) == text


def test_a_long_text_is_cut_before_it_is_escaped():
    assert escaped("&" * 10_000, 100) == "&amp;" * 99 + "…"


def test_a_list_of_nothing_is_nothing():
    assert bullets([]) == []
    assert bullets(["a"]) == ["- a", ""]


def test_a_table_without_rows_has_its_headings():
    assert table(("A", "B"), []) == ["| A | B |", "| --- | --- |", ""]
