"""Names from data: shown as text, isolated, and never obeyed."""

from __future__ import annotations

import pytest

from tfx_privacy.reports.names import line_of, name_of, visible


def test_a_short_name_is_itself():
    name = name_of("Credit Card")
    assert (name.short, name.full) == ("Credit Card", None)


@pytest.mark.parametrize(("text", "shown"), [("", "(empty)"), ("   ", "(blank: 3 characters)")])
def test_a_name_without_signs_is_described(text, shown):
    assert name_of(text).short == shown


def test_a_long_name_is_shortened_and_kept_whole():
    text = "a" * 5_000 + "b" * 5_000
    name = name_of(text)
    assert name.short == "a" * 60 + "…" + "b" * 12
    assert name.full == text


def test_a_name_without_end_is_cut_and_says_so():
    name = name_of("x" * 100_000)
    assert name.full == "x" * 20_000 + "… (80,000 more characters in metrics.json)"


def test_a_page_obeys_no_character_of_a_text():
    assert visible("a\x00b\x1b[31m\u202ec\u2066d\n") == "a�b�[31m�c�d\n"


def test_a_page_keeps_every_script():
    text = "שלום \u200fمرحبا 日本 e\u0301"
    assert visible(text) == text


def test_a_log_line_stays_one_line_in_one_direction():
    assert line_of("a\nb\x1b[31m\u202ec\u2028é") == r"a\nb\x1b[31m\u202ec\u2028é"
