"""Expected texts are written by hand."""

from __future__ import annotations

import math

import pytest

from tfx_privacy.reports.numerals import (
    about_text,
    count_text,
    decimals_for,
    number_text,
    percent_text,
    score_text,
    seconds_text,
    share_text,
)


def test_counts_have_separators():
    assert count_text(1234567) == "1,234,567"


@pytest.mark.parametrize(
    ("number", "text"),
    [(11_873, "about 12,000"), (754, "about 760"), (99, "about 99"), (120_000, "about 120,000")],
)
def test_reckoned_numbers_are_rounded_up_to_two_digits(number, text):
    assert about_text(number) == text


# 100 * 0.07 is 7.000000000000001 in floating point.
@pytest.mark.parametrize(
    ("share", "text"), [(0.01, "1%"), (0.001, "0.1%"), (0.07, "7%"), (1, "100%")]
)
def test_configured_shares_are_as_short_as_they_are_exact(share, text):
    assert share_text(share) == text


def test_measured_values_have_fixed_decimals():
    assert percent_text(0.12345, 1) == "12.3%"
    assert number_text(0.76251, 3) == "0.763"
    assert score_text(-3.68412) == "-3.68"


def test_nothing_is_minus_zero():
    assert number_text(-0.0001, 3) == "0.000"


def test_what_is_no_number_is_not_known():
    assert number_text(math.nan, 3) == "not known"
    assert percent_text(math.inf, 1) == "not known"
    assert score_text(math.nan) == "not known"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.91, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("bounds", "references", "decimals"),
    [
        ([11.0, 13.9], [1.0], 1),  # a width of 2.9 deserves one decimal
        ([10.0, 45.0], [1.0], 1),  # never fewer than asked for
        ([1.21, 1.48], [1.0], 2),  # a width of 0.27 deserves two
        ([1.04, 3.9], [1.0], 2),  # 1.0 would look like the reference
        ([1.0, 3.9], [1.0], 1),  # and is allowed to, where it is
        ([1.9996, 2.4], [2.0], 4),  # so is a limit
    ],
)
def test_decimals_follow_the_width_and_never_hide_a_side(bounds, references, decimals):
    assert decimals_for(bounds, references, fewest=1, most=3) == decimals
