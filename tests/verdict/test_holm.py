"""Holm's procedure."""

from __future__ import annotations

from tfx_privacy.verdict.holm import holm_rejected


def test_worked_example() -> None:
    # The example of Wikipedia's "Holm-Bonferroni method": at .05, .005 < .0125 and .01 < .0167,
    # but .03 > .025; so .04, which is below .05, is not rejected either.
    p_values = {"H1": 0.01, "H2": 0.04, "H3": 0.03, "H4": 0.005}
    assert holm_rejected(p_values, 0.05) == {"H1", "H4"}


def test_rejects_more_than_bonferroni() -> None:
    # By hand: .0166 <= .05/3, then .02 <= .05/2, then .045 <= .05.
    p_values = {"a": 0.0166, "b": 0.02, "c": 0.045}
    assert holm_rejected(p_values, 0.05) == {"a", "b", "c"}


def test_the_first_that_is_too_large_ends_it() -> None:
    assert holm_rejected({"a": 0.03, "b": 0.001}, 0.05) == {"a", "b"}
    assert holm_rejected({"a": 0.026, "b": 0.026}, 0.05) == frozenset()


def test_nothing_to_reject() -> None:
    assert holm_rejected({}, 0.05) == frozenset()
    assert holm_rejected({"a": 1.0}, 0.05) == frozenset()
