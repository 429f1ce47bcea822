"""What is said of the time that is left; expected values by hand."""

from __future__ import annotations

import pytest

from tfx_privacy.reference_models.progress import TimeLeft, duration, size


def test_one_at_a_time_each_model_takes_what_the_mean_took():
    left = TimeLeft(4, 1)
    assert left.in_words() == "4 left"

    left.trained(10)
    assert left.in_words() == "3 left, about 30 s"

    left.trained(20)
    assert left.in_words() == "2 left, about 30 s"


def test_two_at_a_time_take_half_but_never_less_than_one():
    left = TimeLeft(6, 2)
    left.trained(60)
    assert left.in_words() == "5 left, about 2 min"

    for _ in range(4):
        left.trained(60)
    assert left.in_words() == "1 left, about 60 s"


def test_a_model_that_was_finished_earlier_says_nothing_of_time():
    left = TimeLeft(3, 1)
    left.skipped()
    assert left.in_words() == "2 left"

    left.trained(7)
    assert left.in_words() == "1 left, about 7.0 s"


def test_at_the_end_nothing_is_left():
    left = TimeLeft(1, 1)
    left.trained(5)

    assert left.in_words().startswith("none left, ")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.9, "9.9 s"), (45, "45 s"), (240, "4 min"), (12_000, "3 h 20 min")],
)
def test_seconds_in_words(seconds: float, words: str):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(12, "12 bytes"), (31_262_497, "31.3 MB"), (2_000_000_000, "2 GB")]
)
def test_bytes_in_words(count: int, words: str):
    assert size(count) == words
