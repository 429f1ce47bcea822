"""Runs a planned target on a few examples to settle how its output is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_logits import FoundLogits, NoLogits
from tfx_privacy.signals.saved_model import SavedModel
from tfx_privacy.signals.target import Target
from tfx_privacy.signals.target_features import features_seen, in_words
from tfx_privacy.signals.target_label import transformed_label
from tfx_privacy.signals.target_output import output_width, resolve_reading
from tfx_privacy.signals.target_plan import TargetPlan
from tfx_privacy.signals.target_program import TargetProgram

# How far the output may be from the activation of the logits, by the coarsest type on the way.
_TOLERANCES = {"bfloat16": 2e-2, "float16": 2e-3}
_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class _Trial:
    """What the program returned for one batch; logits as [batch, w], if there are any."""

    output: NDArray[Any]
    label: list[NDArray[Any]]
    logits: NDArray[Any] | None


def try_target(
    draft: TargetPlan,
    model: SavedModel,
    spec: config_pb2.ModelSpec,
    examples: Sequence[bytes],
) -> TargetProgram:
    """Settles task, kind, width and logits of a plan, and runs it on the examples.

    Returns:
      The program, with the plan settled.

    Raises:
      InputError: If the examples are not what the signature parses, the model fails on
        them, the output is not one answer an example, or what it holds cannot be known.
    """
    program = TargetProgram.build(draft, model)
    _check_parsed_features(program, examples)
    trial = _run(program, list(examples[: draft.batch_size]))
    if not trial.output.shape or trial.output.shape[0] != draft.batch_size:
        raise InputError(
            f"{draft.output_in_words} has the shape {list(trial.output.shape)} for "
            f"{draft.batch_size} examples: expected one row an example"
        )
    width = output_width(trial.output.shape, draft.output_in_words)
    logits = _confirmed(program.logits, trial, width)
    stopped_at = logits.reason if isinstance(logits, NoLogits) else ""
    activation = logits.activation if isinstance(logits, FoundLogits) else None
    reading = resolve_reading(spec, width, activation, stopped_at, draft.output_in_words)
    plan = dataclasses.replace(
        draft,
        task=reading.task,
        output_kind=reading.output_kind,
        output_width=width,
        reads_logits=reading.reads_logits,
        logits_source=_source_in_words(draft, reading.output_kind, logits, reading.reads_logits),
        label_width=_label_width(trial.label, draft),
    )
    _check_type(plan, trial.output)
    settled = dataclasses.replace(program, plan=plan)
    Target.of(settled).run(examples)
    return settled


def _run(program: TargetProgram, examples: list[bytes]) -> _Trial:
    batch_size = program.plan.batch_size
    batch = examples + [examples[-1]] * (batch_size - len(examples))
    if isinstance(program.logits, NoLogits):
        output, *label = program.fetch_output()(batch)
        return _Trial(output, label, None)
    logits, output, *label = program.fetch_both()(batch)
    return _Trial(output, label, logits)


def _check_parsed_features(program: TargetProgram, examples: Sequence[bytes]) -> None:
    """Finds a signature that parses other examples, where a parser would see gaps only."""
    parsed = program.parsed_feature_names()
    features = features_seen(examples)
    if parsed and not features.keys() & set(parsed):
        raise InputError(
            f"{program.plan.signature_in_words} parses the features {in_words(parsed)}, of which "
            f"the examples have none: they have {in_words(features)}. Signatures of templates "
            "parse raw examples, not the ones that Transform has materialised"
        )


def _confirmed(found: FoundLogits | NoLogits, trial: _Trial, width: int) -> FoundLogits | NoLogits:
    """What was found, if the numbers bear it out: the output is its activation."""
    if isinstance(found, NoLogits) or trial.logits is None:
        return found
    what = f"{found.activation.value} {found.operation!r}"
    rows = len(trial.output)
    if trial.logits.size != rows * width:
        return NoLogits(
            f"what enters the {what} has the shape {list(trial.logits.shape)} for {rows} examples"
        )
    logits = trial.logits.astype(np.float64).reshape(rows, width)
    output = trial.output.astype(np.float64).reshape(rows, width)
    # What is not finite has an error of its own later.
    finite = np.isfinite(logits).all(axis=1)
    types = {trial.logits.dtype.name, trial.output.dtype.name}
    tolerance = max((_TOLERANCES.get(name, _TOLERANCE) for name in types), default=_TOLERANCE)
    if not np.allclose(found.activation.apply(logits[finite]), output[finite], 0, tolerance):
        return NoLogits(f"it is not the {found.activation.value} over the columns of {what}")
    return found


def _source_in_words(
    draft: TargetPlan,
    kind: config_pb2.OutputKind.ValueType,
    found: FoundLogits | NoLogits,
    reads_logits: bool,
) -> str:
    if reads_logits and isinstance(found, FoundLogits):
        where = f"in signature {draft.signature_name!r}"
        return f"the input of {found.activation.value} {found.operation!r} {where}"
    output = f"output {draft.output_name!r} of signature {draft.signature_name!r}"
    if kind == config_pb2.PROBABILITIES:
        return f"computed from the probabilities in {output}, as configured"
    return f"{output}, as configured"


def _check_type(plan: TargetPlan, output: NDArray[Any]) -> None:
    """Strings and class numbers are no scores."""
    name = output.dtype.name
    is_floating = name == "bfloat16" or np.issubdtype(output.dtype, np.floating)
    is_number = is_floating or np.issubdtype(output.dtype, np.integer)
    if not (is_number if plan.output_kind == config_pb2.REGRESSION_VALUE else is_floating):
        raise InputError(
            f"{plan.output_in_words} is {name}: expected floating-point numbers for "
            f"{config_pb2.OutputKind.Name(plan.output_kind)}"
        )


def _label_width(label: list[NDArray[Any]], draft: TargetPlan) -> int:
    if not label:
        return 0
    return int(transformed_label(label, draft.batch_size, draft.label_key).shape[1])
