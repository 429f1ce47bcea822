"""How a model's output is read: which task and kind it is, and the logits behind it.

Needs NumPy alone.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError

# How far outside [0, 1] rounding may carry a probability.
PROBABILITY_SLACK = 1e-6
# How far from 1 the probabilities of one row may sum up to: float16 gets this near.
SUM_SLACK = 1e-3

# What probabilities are kept between before their logarithm is taken.
SMALLEST = np.finfo(np.float32).tiny
LARGEST_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))


class Activation(enum.Enum):
    """What turns logits into the output; the value is TensorFlow's name of the operation."""

    SOFTMAX = "Softmax"
    SIGMOID = "Sigmoid"

    def apply(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """The probabilities of logits [n, w], in float64."""
        logits = logits.astype(np.float64)
        if self is Activation.SIGMOID:
            # Through tanh, which cannot overflow.
            return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float64)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the output is read.

    Attributes:
      task: What the model answers; never unspecified.
      output_kind: What the output holds; never unspecified.
      reads_logits: Whether the logits are taken from the graph, before the
        activation, instead of from the output.
    """

    task: config_pb2.Task.ValueType
    output_kind: config_pb2.OutputKind.ValueType
    reads_logits: bool


def resolve_reading(
    spec: config_pb2.ModelSpec,
    width: int,
    activation: Activation | None,
    stopped_at: str,
    where: str,
) -> Reading:
    """Brings together what the configuration says and what the graph shows.

    What the configuration leaves open is found as follows. Kind: PROBABILITIES where
    the output comes from a Softmax or Sigmoid, REGRESSION_VALUE for the task
    REGRESSION. Task: BINARY for one column, BINARY or MULTICLASS for two or for more
    columns that sum to 1 or are LOGITS. Several columns out of a Sigmoid may be labels
    or classes, so there the task has to be given.

    A Sigmoid does not contradict REGRESSION_VALUE (a rate is often predicted through
    one): the output itself is then the prediction.

    Args:
      spec: The configuration.
      width: Columns of the output.
      activation: What the graph shows that the output comes from; None if nothing.
      stopped_at: For None: where the search ended, as the end of a sentence.
      where: The output in words, for errors.

    Raises:
      InputError: If the kind or the task cannot be known, or the configuration
        contradicts itself, the graph or the width.
    """
    kind = _resolve_kind(spec, activation, stopped_at, where)
    if kind == config_pb2.REGRESSION_VALUE:
        return Reading(_regression(spec, where), kind, reads_logits=False)
    task = _resolve_task(spec, width, activation, where)
    _check_vocabulary(spec, task, width, where)
    return Reading(task, kind, reads_logits=activation is not None)


def _resolve_kind(
    spec: config_pb2.ModelSpec, activation: Activation | None, stopped_at: str, where: str
) -> config_pb2.OutputKind.ValueType:
    kind = spec.output_kind
    if kind == config_pb2.OUTPUT_KIND_UNSPECIFIED and spec.task == config_pb2.REGRESSION:
        kind = config_pb2.REGRESSION_VALUE
    if kind == config_pb2.OUTPUT_KIND_UNSPECIFIED:
        if activation is None:
            raise InputError(
                f"whether {where} holds logits or probabilities cannot be known: it does not come "
                f"from a Softmax or Sigmoid through Identity, Cast, Reshape or Squeeze alone; "
                f"{stopped_at}. Set model_spec.output_kind to LOGITS (log-probabilities are logits "
                "too), PROBABILITIES or REGRESSION_VALUE"
            )
        return config_pb2.PROBABILITIES
    contradicted = (activation is not None and kind == config_pb2.LOGITS) or (
        activation is Activation.SOFTMAX and kind == config_pb2.REGRESSION_VALUE
    )
    if contradicted:
        assert activation is not None
        raise InputError(
            f"model_spec.output_kind is {config_pb2.OutputKind.Name(kind)}, but {where} comes "
            f"from a {activation.value}: expected PROBABILITIES, or nothing"
        )
    return kind


def _regression(spec: config_pb2.ModelSpec, where: str) -> config_pb2.Task.ValueType:
    if spec.task not in (config_pb2.TASK_UNSPECIFIED, config_pb2.REGRESSION):
        raise InputError(
            "model_spec.output_kind is REGRESSION_VALUE and model_spec.task is "
            f"{config_pb2.Task.Name(spec.task)}: expected the task REGRESSION, or nothing"
        )
    if spec.label_vocabulary:
        raise InputError(
            f"model_spec.label_vocabulary has {len(spec.label_vocabulary)} class names, but "
            f"{where} is a regression value: expected none"
        )
    return config_pb2.REGRESSION


def _resolve_task(
    spec: config_pb2.ModelSpec, width: int, activation: Activation | None, where: str
) -> config_pb2.Task.ValueType:
    task = spec.task
    if activation is Activation.SOFTMAX and width == 1:
        raise InputError(
            f"{where} is a Softmax over one column, which is 1 whatever the example: expected a "
            "Sigmoid, or a column for each class"
        )
    if task == config_pb2.TASK_UNSPECIFIED:
        if activation is Activation.SIGMOID and width > 1:
            raise InputError(
                f"{where} has {width} columns out of a Sigmoid: they may be labels of which any "
                "number holds, or classes of which one holds. Set model_spec.task to MULTILABEL "
                "or MULTICLASS"
            )
        return config_pb2.MULTICLASS if width > 2 else config_pb2.BINARY
    if task == config_pb2.REGRESSION:
        raise InputError(
            f"model_spec.task is REGRESSION and model_spec.output_kind is "
            f"{config_pb2.OutputKind.Name(spec.output_kind)}: expected REGRESSION_VALUE, or nothing"
        )
    if task == config_pb2.MULTILABEL and activation is Activation.SOFTMAX:
        raise InputError(
            f"model_spec.task is MULTILABEL, but {where} comes from a Softmax, which lets one "
            "class hold: expected MULTICLASS, BINARY or nothing"
        )
    if (task == config_pb2.BINARY and width > 2) or (task == config_pb2.MULTICLASS and width < 2):
        expected = "1 or 2" if task == config_pb2.BINARY else "at least 2"
        raise InputError(
            f"model_spec.task is {config_pb2.Task.Name(task)}, but {where} has {width} columns: "
            f"expected {expected}"
        )
    return task


def _check_vocabulary(
    spec: config_pb2.ModelSpec, task: config_pb2.Task.ValueType, width: int, where: str
) -> None:
    names = list(spec.label_vocabulary)
    if not names:
        return
    classes = 2 if task == config_pb2.BINARY else width
    if len(names) != classes:
        raise InputError(
            f"model_spec.label_vocabulary has {len(names)} names, but {where} "
            f"({config_pb2.Task.Name(task)}, {width} columns) tells {classes} classes"
        )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"model_spec.label_vocabulary names {repeated[0]!r} more than once")


def output_width(shape: tuple[int, ...], where: str) -> int:
    """Columns of an output [n], [n, w], or [n, ...] with one dimension beyond 1.

    Raises:
      InputError: If it has more dimensions.
    """
    wide = [size for size in shape[1:] if size != 1]
    if len(wide) > 1:
        raise InputError(
            f"{where} has the shape [batch, {', '.join(map(str, shape[1:]))}]: expected one answer "
            "an example, [batch] or [batch, columns]"
        )
    return wide[0] if wide else 1


def logits_of_values(
    values: NDArray[np.generic],
    task: config_pb2.Task.ValueType,
    kind: config_pb2.OutputKind.ValueType,
    where: str,
    first_row: int = 0,
) -> NDArray[np.float32]:
    """The logits that the values [n, w] of an output stand for.

    Probabilities p become log p, with p kept from below at the smallest normal
    float32, where they sum to 1 over a row (MULTICLASS, and BINARY of two columns);
    elsewhere log(p / (1 - p)), with p kept between that and the largest float32 below
    1. LOGITS and REGRESSION_VALUE stay as they are.

    Args:
      values: [n, w] numbers.
      task: What the model answers.
      kind: What the values are.
      where: The output in words, for errors.
      first_row: The number of the first row, for errors; they count from 0.

    Raises:
      InputError: If a value is no finite number, or a probability is none (by more
        than 1e-6), or a row sums up to another number than 1 (by more than 1e-3).
    """
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(single).all(axis=1))
    if len(bad):
        raise InputError(
            f"{len(bad)} of {len(values)} examples have NaN or infinity in {where}, row "
            f"{first_row + bad[0]} for one: expected finite numbers"
        )
    if kind != config_pb2.PROBABILITIES:
        return single
    probabilities = values.astype(np.float64)
    _check_probabilities(probabilities, task, where, first_row)
    if sums_to_one(task, probabilities.shape[1]):
        return np.log(np.clip(probabilities, SMALLEST, 1)).astype(np.float32)
    kept = np.clip(probabilities, SMALLEST, LARGEST_BELOW_ONE)
    return np.asarray(np.log(kept) - np.log1p(-kept), np.float32)


def sums_to_one(task: config_pb2.Task.ValueType, width: int) -> bool:
    """Whether the probabilities of a row sum to 1."""
    return task == config_pb2.MULTICLASS or (task == config_pb2.BINARY and width == 2)


def _check_probabilities(
    probabilities: NDArray[np.float64],
    task: config_pb2.Task.ValueType,
    where: str,
    first_row: int,
) -> None:
    beyond = np.maximum(-probabilities, probabilities - 1)
    row, column = np.unravel_index(beyond.argmax(), beyond.shape)
    if beyond[row, column] > PROBABILITY_SLACK:
        raise InputError(
            f"{where} is said to hold probabilities, but holds {probabilities[row, column]:g} in "
            f"row {first_row + row}: expected [0, 1]. Logits are another kind of output, LOGITS"
        )
    if not sums_to_one(task, probabilities.shape[1]):
        return
    sums = probabilities.sum(axis=1)
    worst = np.abs(sums - 1).argmax()
    if abs(sums[worst] - 1) > SUM_SLACK:
        raise InputError(
            f"{where} is said to hold the probabilities of {probabilities.shape[1]} classes, but "
            f"row {first_row + worst} sums to {sums[worst]:g}: expected 1, give or take "
            f"{SUM_SLACK:g}. If several labels can hold at once, set model_spec.task to "
            "MULTILABEL; logits are another kind of output, LOGITS"
        )
