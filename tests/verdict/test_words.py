"""Sentences for a reader without statistics."""

from __future__ import annotations

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr
from tfx_privacy.verdict import words


def test_blocking_auc() -> None:
    assert words.blocking(
        Auc(), 0.55, "loss threshold", Interval(0.71, 0.69, 0.73), 6667, 3333
    ) == (
        "BLOCK: an attacker using 'loss threshold' reaches AUC 0.71 (95% between 0.69 and 0.73) on "
        "6,667 training and 3,333 other records; the limit is 0.55."
    )


def test_blocking_tpr_is_in_percent() -> None:
    assert words.blocking(TprAtFpr(0.01), 0.02, "loss", Interval(0.123, 0.11, 0.136), 100, 50) == (
        "BLOCK: an attacker using 'loss' recognises 12.3% of training records at 1% false alarms "
        "(95% between 11.0% and 13.6%) on 100 training and 50 other records; the limit is 2%."
    )


def test_blocking_advantage_and_precision() -> None:
    assert "reaches an advantage of 0.30 (95% between 0.20 and 0.40)" in words.blocking(
        Advantage(), 0.1, "a", Interval(0.3, 0.2, 0.4), 1, 1
    )
    assert (
        "is right about 75.0% of the records that it calls training records, where 10% of all are "
        "(95% between 60.0% and 80.0%), on"
        in words.blocking(Precision(0.1), 0.5, "a", Interval(0.75, 0.6, 0.8), 1, 1)
    )


def test_bounds_are_shown_on_their_side_of_the_limit() -> None:
    sentence = words.blocking(Auc(), 0.55, "a", Interval(0.6, 0.55004, 0.65), 1, 1)
    assert "(95% between 0.55004 and 0.65000)" in sentence


def test_passing_does_not_say_safe() -> None:
    sentence = words.passing(Auc(), 0.55, "a", Interval(0.5, 0.48, 0.52), 10, 5)
    assert sentence == (
        "PASS: the attacks that ran do not exceed the limit of 0.55 on AUC: the one that comes "
        "closest, 'a', reaches AUC 0.50 (95% between 0.48 and 0.52) on 10 training and 5 other "
        "records."
    )


def test_too_wide_says_what_would_settle_it() -> None:
    sentence = words.too_wide(
        Auc(), 0.55, "a", Interval(0.53, 0.5, 0.56), 100, 50, records=225, needed=1234
    )
    assert "the limit of 0.55 lies within this range." in sentence
    assert sentence.endswith(
        "Some 1,300 records in the splits in place of 225 would settle it, if the estimate is "
        "right."
    )


def test_too_wide_near_the_limit() -> None:
    sentence = words.too_wide(
        Auc(), 0.55, "a", Interval(0.549, 0.5, 0.6), 100, 50, records=2250, needed=-1
    )
    assert sentence.endswith(
        "Not decidable near this estimate: not even 10 times the 2,250 records of the splits would "
        "settle it."
    )
