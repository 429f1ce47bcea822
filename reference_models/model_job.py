"""What the process that trains a reference model is told, and what its training code is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True)
class ModelJob:
    """The training of one reference model, as its process is told.

    Attributes:
      index: Which model, from 0.
      models: How many there are.
      examples_dir: Holds the folders `Split-train`, the model's records, and `Split-eval`,
        the rest of the pool: TFRecord files of tf.Examples.
      train_records: Records in `Split-train`.
      eval_records: Records in `Split-eval`.
      train_steps: Steps to train for, scaled as configured; 0 where none were given.
      output_dir: The process writes the SavedModel's files to the folder `model` in it.
        Nothing else in it counts.
      log_path: Where what the process prints goes.
    """

    index: int
    models: int
    examples_dir: str
    train_records: int
    eval_records: int
    train_steps: int
    output_dir: str
    log_path: str

    def to_json(self) -> str:
        """The job as text, for `from_json`."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> ModelJob:
        """The job that `to_json` wrote."""
        return ModelJob(**json.loads(text))


@dataclasses.dataclass(frozen=True)
class TrainingCode:
    """What makes a model of a subset.

    Attributes:
      digest: Of all that decides the result beside the data: training code and its
        arguments. Models that were trained by code of the same digest on the same data
        are taken for the same.
      command: Given a job and the path of its JSON, the arguments of a process that does
        it and exits with 0.
    """

    digest: str
    command: Callable[[ModelJob, str], Sequence[str]]


def model_name(index: int, models: int) -> str:
    """A model as people are told of it: counted from 1, and its index, which names its folder."""
    return f"reference model {index + 1} of {models} (index {index})"
