from __future__ import annotations

import numpy as np
import pytest

from tfx_privacy.reference_models.synthesis.target_queries import TargetQueries
from tfx_privacy.signals.errors import InputError

ROWS = np.zeros((2, 3))


def test_queries_are_counted_by_rows():
    ask = TargetQueries(lambda rows: np.full((len(rows), 4), 0.25, dtype=np.float32))
    answer = ask(ROWS)
    ask(ROWS[:1])
    assert ask.count == 3
    assert ask.classes == 4
    assert answer.dtype == np.float64
    assert answer.tolist() == [[0.25] * 4] * 2


def test_a_service_may_round():
    # Three digits of a third sum to .999.
    ask = TargetQueries(lambda rows: [[0.333] * 3] * len(rows))
    assert ask(ROWS).shape == (2, 3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.full(2, 0.5), r"shape \(2,\) for 2 rows, expected \(2, classes\)"),
        (np.full((3, 2), 0.5), r"shape \(3, 2\) for 2 rows"),
        (np.ones((2, 1)), "at least two classes"),
        (np.array([["a", "b"]] * 2), "values of type <U1, expected numbers"),
        ([[0.5, 0.5], [np.nan, 1]], "not finite in 1 of 2 rows, the first of them 1"),
        ([[1.5, -0.5], [0.5, 0.5]], "negative values in 1 of 2 rows, the first of them 0"),
        ([[2.0, 3.0]] * 2, r"do not sum to 1 in 2 of 2 rows.*expected probabilities \(are these"),
    ],
)
def test_wrong_answers(answer, message):
    with pytest.raises(InputError, match=f"the target returned .*{message}"):
        TargetQueries(lambda rows: answer)(ROWS)


def test_the_number_of_classes_stays():
    answers = iter([np.full((2, 2), 0.5), np.full((2, 4), 0.25)])
    ask = TargetQueries(lambda rows: next(answers))
    ask(ROWS)
    with pytest.raises(InputError, match="returned 4 classes, expected 2 as in earlier calls"):
        ask(ROWS)
