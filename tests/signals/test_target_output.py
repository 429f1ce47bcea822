from __future__ import annotations

import math

import numpy as np
import pytest

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.target_output import (
    Activation,
    Reading,
    logits_of_values,
    output_width,
    resolve_reading,
)

BINARY, MULTICLASS = config_pb2.BINARY, config_pb2.MULTICLASS
MULTILABEL, REGRESSION = config_pb2.MULTILABEL, config_pb2.REGRESSION
LOGITS, PROBABILITIES = config_pb2.LOGITS, config_pb2.PROBABILITIES
VALUE = config_pb2.REGRESSION_VALUE
SOFTMAX, SIGMOID = Activation.SOFTMAX, Activation.SIGMOID


def resolve(
    activation: Activation | None,
    width: int,
    task: int = 0,
    kind: int = 0,
    vocabulary: tuple[str, ...] = (),
) -> Reading:
    spec = config_pb2.ModelSpec(task=task, output_kind=kind, label_vocabulary=vocabulary)
    return resolve_reading(spec, width, activation, "it is a MatMul", "output 'p'")


# What the graph and the configuration say: activation, width, task, kind; what follows.
RESOLVED = {
    "softmax": (SOFTMAX, 10, 0, 0, (MULTICLASS, PROBABILITIES, True)),
    "softmax of two": (SOFTMAX, 2, 0, 0, (BINARY, PROBABILITIES, True)),
    "sigmoid": (SIGMOID, 1, 0, 0, (BINARY, PROBABILITIES, True)),
    "sigmoids, labels": (SIGMOID, 5, MULTILABEL, 0, (MULTILABEL, PROBABILITIES, True)),
    "sigmoids, classes": (SIGMOID, 5, MULTICLASS, 0, (MULTICLASS, PROBABILITIES, True)),
    "said and seen": (SOFTMAX, 3, 0, PROBABILITIES, (MULTICLASS, PROBABILITIES, True)),
    "a rate": (SIGMOID, 1, 0, VALUE, (REGRESSION, VALUE, False)),
    "a rate by task": (SIGMOID, 1, REGRESSION, 0, (REGRESSION, VALUE, False)),
    "logits of one": (None, 1, 0, LOGITS, (BINARY, LOGITS, False)),
    "logits of two": (None, 2, 0, LOGITS, (BINARY, LOGITS, False)),
    "logits of many": (None, 3, 0, LOGITS, (MULTICLASS, LOGITS, False)),
    "logits of labels": (None, 3, MULTILABEL, LOGITS, (MULTILABEL, LOGITS, False)),
    "probabilities": (None, 1, 0, PROBABILITIES, (BINARY, PROBABILITIES, False)),
    "regression by kind": (None, 4, 0, VALUE, (REGRESSION, VALUE, False)),
    "regression by task": (None, 4, REGRESSION, 0, (REGRESSION, VALUE, False)),
}


@pytest.mark.parametrize("case", RESOLVED)
def test_what_graph_and_configuration_say_together(case: str) -> None:
    *said, expected = RESOLVED[case]
    assert resolve(*said) == Reading(*expected)


REFUSED = {
    "nothing known": (None, 10, 0, 0, "cannot be known.*it is a MatMul.*output_kind"),
    "task alone": (None, 10, MULTICLASS, 0, "cannot be known"),
    "logits behind a softmax": (SOFTMAX, 10, 0, LOGITS, "is LOGITS.*comes from a Softmax"),
    "logits behind a sigmoid": (SIGMOID, 1, 0, LOGITS, "is LOGITS.*comes from a Sigmoid"),
    "regression by softmax": (SOFTMAX, 3, 0, VALUE, "REGRESSION_VALUE.*comes from a Softmax"),
    "regression task, softmax": (SOFTMAX, 3, REGRESSION, 0, "REGRESSION_VALUE.*from a Softmax"),
    "classes of a value": (None, 1, BINARY, VALUE, "REGRESSION_VALUE and model_spec.task is BINA"),
    "regression of logits": (None, 1, REGRESSION, LOGITS, "REGRESSION and .* is LOGITS"),
    "softmax of one": (SOFTMAX, 1, 0, 0, "Softmax over one column"),
    "sigmoids unexplained": (SIGMOID, 5, 0, 0, "5 columns out of a Sigmoid.*MULTILABEL or MULTI"),
    "labels by softmax": (SOFTMAX, 5, MULTILABEL, 0, "MULTILABEL, but.*comes from a Softmax"),
    "binary of three": (SOFTMAX, 3, BINARY, 0, "BINARY, but.*3 columns: expected 1 or 2"),
    "classes of one": (SIGMOID, 1, MULTICLASS, 0, "MULTICLASS, but.*1 columns: expected at least"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_known_or_contradicts_itself_is_refused(case: str) -> None:
    *said, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        resolve(*said)


@pytest.mark.parametrize(
    ("activation", "width", "task", "names"),
    [(SIGMOID, 1, 0, 2), (SOFTMAX, 2, 0, 2), (SOFTMAX, 3, 0, 3), (SIGMOID, 4, MULTILABEL, 4)],
)
def test_the_vocabulary_has_a_name_for_each_class(
    activation: Activation, width: int, task: int, names: int
) -> None:
    vocabulary = tuple("abcdef")
    resolve(activation, width, task, vocabulary=vocabulary[:names])
    with pytest.raises(InputError, match=f"has {names + 1} names.*tells {names} classes"):
        resolve(activation, width, task, vocabulary=vocabulary[: names + 1])


def test_a_vocabulary_names_no_class_twice_and_no_number() -> None:
    with pytest.raises(InputError, match="'a' more than once"):
        resolve(SOFTMAX, 3, vocabulary=("a", "b", "a"))
    with pytest.raises(InputError, match=r"2 class names.*regression value"):
        resolve(None, 1, kind=VALUE, vocabulary=("a", "b"))


def test_activations_by_hand() -> None:
    logits = np.array([[0.0, math.log(3.0)]], np.float32)
    np.testing.assert_allclose(SOFTMAX.apply(logits), [[0.25, 0.75]], atol=1e-7)
    np.testing.assert_allclose(SIGMOID.apply(logits), [[0.5, 0.75]], atol=1e-7)
    # No overflow far out.
    np.testing.assert_array_equal(SIGMOID.apply(np.array([[-1e4, 1e4]])), [[0, 1]])
    np.testing.assert_array_equal(SOFTMAX.apply(np.array([[-1e4, 1e4]])), [[0, 1]])


@pytest.mark.parametrize(
    ("shape", "width"), [((8,), 1), ((8, 1), 1), ((8, 5), 5), ((8, 1, 5), 5), ((8, 5, 1), 5)]
)
def test_width_of_an_output(shape: tuple[int, ...], width: int) -> None:
    assert output_width(shape, "output 'p'") == width


def test_an_answer_a_position_is_not_one_an_example() -> None:
    with pytest.raises(InputError, match=r"output 'p' has the shape \[batch, 5, 3\]"):
        output_width((8, 5, 3), "output 'p'")


def test_logits_of_class_probabilities_are_their_logarithms() -> None:
    values = np.array([[0.25, 0.75], [1.0, 0.0]])
    # The smallest normal float32 is 2^-126.
    expected = [[math.log(0.25), math.log(0.75)], [0.0, -126 * math.log(2)]]
    for task in (BINARY, MULTICLASS):
        logits = logits_of_values(values, task, PROBABILITIES, "p")
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected, rtol=1e-6)


def test_logits_of_single_probabilities_are_log_odds() -> None:
    values = np.array([[0.25], [0.5], [0.0], [1.0]], np.float32)
    # The largest float32 below 1 is 1 - 2^-24.
    expected = [[-math.log(3)], [0.0], [-126 * math.log(2)], [24 * math.log(2)]]
    np.testing.assert_allclose(
        logits_of_values(values, BINARY, PROBABILITIES, "p"), expected, rtol=1e-6, atol=1e-7
    )
    two_labels = np.array([[0.75, 0.75]])
    np.testing.assert_allclose(
        logits_of_values(two_labels, MULTILABEL, PROBABILITIES, "p"),
        [[math.log(3), math.log(3)]],
        rtol=1e-6,
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_and_predictions_are_cast_and_nothing_else(dtype: type) -> None:
    values = np.array([[-3.5, 2.0], [0.25, 100.0]], dtype)
    for task, kind in ((MULTICLASS, LOGITS), (REGRESSION, VALUE)):
        logits = logits_of_values(values, task, kind, "p")
        assert logits.dtype == np.float32
        np.testing.assert_array_equal(logits, values.astype(np.float32))


def test_what_is_not_finite_is_counted() -> None:
    # 1e39 is beyond float32.
    values = np.array([[0.0, 1.0], [np.nan, np.inf], [0.0, 1e39], [-np.inf, 0.0]])
    message = "3 of 4 examples have NaN or infinity in the logits of x, row 101 for one"
    with pytest.raises(InputError, match=message):
        logits_of_values(values, MULTICLASS, LOGITS, "the logits of x", first_row=100)


@pytest.mark.parametrize(
    ("row", "task", "message"),
    [
        ([2.5, -1.5], MULTICLASS, r"p is .* but holds 2.5 in row 7: expected \[0, 1\]. Logits are"),
        ([0.5, -0.5], MULTILABEL, "holds -0.5 in row 7"),
        ([-0.001], BINARY, "holds -0.001 in row 7"),
        ([0.9, 0.9], MULTICLASS, "row 7 sums to 1.8: expected 1, give or take 0.001.*MULTILABEL"),
        ([0.5, 0.502], BINARY, "row 7 sums to 1.002.*logits are another kind"),
    ],
)
def test_what_are_no_probabilities(row: list[float], task: int, message: str) -> None:
    good = [1 / len(row)] * len(row)
    with pytest.raises(InputError, match=message):
        logits_of_values(np.array([good, good, row]), task, PROBABILITIES, "p", first_row=5)


def test_rounding_of_probabilities_is_forgiven() -> None:
    values = np.array([[1 + 5e-7, 0.0], [0.5, 0.5005]])
    assert logits_of_values(values, MULTICLASS, PROBABILITIES, "p")[0, 0] == 0
