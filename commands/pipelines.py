"""Beam pipelines with the options of a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import apache_beam as beam


def pipelines(arguments: Sequence[str]) -> Callable[[], beam.Pipeline]:
    """What makes a Beam pipeline with these arguments.

    Raises:
      InputError: If Beam does not know one of them.
    """
    import apache_beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from tfx_privacy.signals.errors import InputError

    def new_pipeline() -> beam.Pipeline:
        return apache_beam.Pipeline(options=PipelineOptions(list(arguments)))

    try:
        # Finds the runner and checks the options; nothing runs.
        new_pipeline()
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        raise InputError(f"Beam does not know the options {list(arguments)}: {error}") from error
    return new_pipeline
