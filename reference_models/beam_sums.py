"""A Beam job that turns each input into a summand and tells the driver the sum."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import apache_beam as beam

from tfx_privacy.signals import files
from tfx_privacy.signals.worker_errors import input_error_of


class Summand(Protocol):
    """What can be added, in any order and grouping, and written down."""

    def __add__(self: SummandType, other: SummandType) -> SummandType: ...

    def to_json(self) -> str:
        """The value as text."""
        ...


SummandType = TypeVar("SummandType", bound=Summand)
Input = TypeVar("Input")


def sum_over(
    new_pipeline: Callable[[], beam.Pipeline],
    inputs: Sequence[Input],
    of_input: Callable[[Input], SummandType],
    nothing: SummandType,
    path: str,
) -> str:
    """Runs the job.

    Args:
      new_pipeline: Makes the pipeline that the job is run in.
      inputs: Small values, which are spread over workers.
      of_input: Run by workers, perhaps more than once for an input.
      nothing: What is added to nothing else where there are no inputs.
      path: Where the sum is written, and deleted after it has been read.

    Returns:
      The sum, as text.

    Raises:
      InputError: If a worker raised one.
    """
    try:
        with new_pipeline() as pipeline:
            _ = (
                pipeline
                | "Inputs" >> beam.Create(list(inputs), reshuffle=False)
                | "Spread" >> beam.Reshuffle()
                | "Work" >> beam.Map(of_input)
                | "Sum" >> beam.CombineGlobally(functools.partial(_sum, nothing=nothing))
                | "TellDriver" >> beam.Map(_tell_driver, path)
            )
        return files.read_bytes(path).decode()
    except Exception as error:
        input_error = input_error_of(error)
        if input_error is None:
            raise
        raise input_error from error
    finally:
        files.remove([path])


def _sum(parts: Iterable[SummandType], nothing: SummandType) -> SummandType:
    return functools.reduce(operator.add, parts, nothing)


def _tell_driver(total: Summand, path: str) -> None:
    files.write_text_whole(path, total.to_json())
