"""Runs the target model: from serialised examples to logits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.saved_model import SavedModel
from tfx_privacy.signals.target_label import transformed_label
from tfx_privacy.signals.target_output import logits_of_values
from tfx_privacy.signals.target_plan import TargetPlan
from tfx_privacy.signals.target_program import Fetch, TargetProgram


@dataclasses.dataclass(frozen=True)
class TargetOutput:
    """What the target answers to n examples.

    Attributes:
      logits: [n, w] float32, finite; for REGRESSION the predictions.
      transformed_label: [n] where an example has one value, else [n, k]; numbers or
        bytes as the transformation gives them. None unless the plan says that the
        label is transformed.
    """

    logits: NDArray[np.float32]
    transformed_label: NDArray[Any] | None


class Target:
    """The target model, loaded; may be run by several threads at once."""

    def __init__(self, plan: TargetPlan, fetch: Fetch) -> None:
        self.plan = plan
        self._fetch = fetch

    @classmethod
    def load(cls, plan: TargetPlan) -> Target:
        """Loads and traces the model. Slow: once in a process.

        Raises:
          InputError: If the model is not there, or not the one that was planned for.
        """
        return cls.of(TargetProgram.build(plan, SavedModel.load(plan.model_dir)))

    @classmethod
    def of(cls, program: TargetProgram) -> Target:
        """The target of a program whose plan has nothing left open."""
        plan = program.plan
        return cls(plan, program.fetch_logits() if plan.reads_logits else program.fetch_output())

    def run(self, serialized: Sequence[bytes]) -> TargetOutput:
        """The model's answers to n >= 1 examples, in order.

        The model sees batches of `plan.batch_size`; the last is filled up with its last
        example and cut again. So a row's answer is the same, to the bit, whatever
        stands beside it.

        Raises:
          InputError: If an example lacks a feature, or its answer is no finite number
            or not what `plan.output_kind` says.
        """
        if not serialized:
            raise ValueError("no examples to run the target on: expected at least one")
        answers, labels = [], []
        for start in range(0, len(serialized), self.plan.batch_size):
            chunk = list(serialized[start : start + self.plan.batch_size])
            answer, label = self._run_batch(chunk)
            answers.append(answer)
            labels.append(label)
        return TargetOutput(self._logits(np.concatenate(answers)), self._label(labels))

    def _run_batch(self, chunk: list[bytes]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        plan = self.plan
        padding = [chunk[-1]] * (plan.batch_size - len(chunk))
        answer, *label = self._fetch(chunk + padding)
        if answer.size != plan.batch_size * plan.output_width:
            raise InputError(
                f"{plan.output_in_words} has the shape {list(answer.shape)} for "
                f"{plan.batch_size} examples: expected {plan.output_width} columns"
            )
        answer = answer.reshape(plan.batch_size, plan.output_width)[: len(chunk)]
        if not label:
            return answer, None
        return answer, transformed_label(label, plan.batch_size, plan.label_key)[: len(chunk)]

    def _logits(self, answers: NDArray[Any]) -> NDArray[np.float32]:
        plan = self.plan
        if plan.reads_logits:
            where = f"the logits of {plan.signature_in_words}"
            return logits_of_values(answers, plan.task, config_pb2.LOGITS, where)
        return logits_of_values(answers, plan.task, plan.output_kind, plan.output_in_words)

    def _label(self, labels: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
        found = [label for label in labels if label is not None]
        if not found:
            return None
        widths = {label.shape[1] for label in found}
        if widths != {self.plan.label_width}:
            raise InputError(
                f"the transformed label {self.plan.label_key!r} has "
                f"{', '.join(map(str, sorted(widths)))} values an example: expected "
                f"{self.plan.label_width}"
            )
        joined: NDArray[Any] = np.concatenate(found)
        return joined[:, 0] if self.plan.label_width == 1 else joined
