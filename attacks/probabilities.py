"""Class probabilities of a classifier, in logarithms that do not saturate.

An overfitted model is so sure of its members that p_y rounds to 1, its loss and
entropy to 0: exactly where members differ most from others, probabilities as
numbers can no longer tell two rows apart. So every published score is computed
here from log p and log(1 - p), each precise near its own zero, and where a score
itself would round away, its logarithm is taken instead. That changes no
comparison between two rows, and an attack is nothing but comparisons.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import Signals

# Below this value of log c, log(-log(1 - c)) is log c to float64's precision:
# they differ by c / 2.
_NEGLIGIBLE = -37.0


@dataclasses.dataclass(frozen=True)
class ClassProbabilities:
    """The probabilities of k classes for n rows.

    Attributes:
      log_p: [n, k] float64, log p_i.
      log_q: [n, k] float64, log(1 - p_i).
    """

    log_p: NDArray[np.float64]
    log_q: NDArray[np.float64]

    def log_odds(self) -> NDArray[np.float64]:
        """[n, k], log p_i - log(1 - p_i): finite for any finite logits."""
        return self.log_p - self.log_q

    def log_surprise(self) -> NDArray[np.float64]:
        """[n, k], log(-log p_i)."""
        return _log_of_minus_log(self.log_p, self.log_q)

    def log_surprise_of_others(self) -> NDArray[np.float64]:
        """[n, k], log(-log(1 - p_i))."""
        return _log_of_minus_log(self.log_q, self.log_p)


def class_logits(signals: Signals) -> NDArray[np.float64]:
    """The logits of a classifier as one column for each class, [n, k] float64.

    A binary model with one output z has the classes' logits (0, z), because
    sigmoid(z) is the second entry of softmax(0, z).

    Raises:
      ValueError: If there are no logits, or the task has no classes.
    """
    if signals.task not in (config_pb2.BINARY, config_pb2.MULTICLASS):
        raise ValueError(
            f"found the task {config_pb2.Task.Name(signals.task)}, which has no classes that "
            "exclude each other; expected BINARY or MULTICLASS"
        )
    if signals.logits is None:
        raise ValueError("found no logits in the signals; class probabilities need them")
    logits = np.ascontiguousarray(signals.logits, dtype=np.float64)
    if logits.shape[1] == 1:
        return np.concatenate([np.zeros_like(logits), logits], axis=1)
    return logits


def class_probabilities(logits: NDArray[np.float64]) -> ClassProbabilities:
    """The softmax of finite logits, [n, k] with k >= 2.

    With a the class of the largest logit and r = sum over j != a of exp(z_j - z_a),
    p_a = 1 / (1 + r) and 1 - p_a = r / (1 + r). All other p_i are at most 1/2, so
    1 - p_i loses nothing. log r is taken relative to the second largest logit and
    is finite however far the largest one is ahead.
    """
    rows = np.arange(len(logits))
    top = logits.argmax(axis=1)
    largest = logits[rows, top][:, None]
    others = logits.copy()
    others[rows, top] = -np.inf
    second = others.max(axis=1, keepdims=True)
    log_r = second - largest + np.log(np.exp(others - second).sum(axis=1, keepdims=True))
    log_total = np.log1p(np.exp(log_r))

    log_p = logits - largest - log_total
    others_log_p = log_p.copy()
    others_log_p[rows, top] = -np.inf
    log_q = np.log1p(-np.exp(others_log_p))
    log_q[rows, top] = (log_r - log_total)[:, 0]
    return ClassProbabilities(log_p=log_p, log_q=log_q)


def of_class(values: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The value of one class in each row: values[i, classes[i]], [n]."""
    chosen: NDArray[np.float64] = values[np.arange(len(values)), classes]
    return chosen


def log_sum_exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(sum of exp) of each row of [n, k], [n]; entries may be -inf, not all of a row."""
    largest = values.max(axis=1, keepdims=True)
    sums: NDArray[np.float64] = np.exp(values - largest).sum(axis=1, keepdims=True)
    logarithm: NDArray[np.float64] = (largest + np.log(sums))[:, 0]
    return logarithm


def _log_of_minus_log(
    log_x: NDArray[np.float64], log_complement: NDArray[np.float64]
) -> NDArray[np.float64]:
    """log(-log x), from log x and log(1 - x), which tells x near 1 apart."""
    near_one = log_complement < _NEGLIGIBLE
    return np.where(near_one, log_complement, np.log(np.where(near_one, 1.0, -log_x)))
