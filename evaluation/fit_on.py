"""Rows to fit attacks on that are another model's: fitted on model A, judged on model B."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

import apache_beam as beam

from tfx_privacy.evaluation.suite import KnownRows
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.table import TableDescription


@dataclasses.dataclass(frozen=True)
class FitOn:
    """Another model's signals, whose members the attacker knows.

    Attributes:
      signals_dir: Its signals table.
      uri: What results call it.
    """

    signals_dir: str
    uri: str


def rows_to_fit_on(
    fit_on: FitOn,
    judged_dir: str,
    judged: TableDescription,
    config: config_pb2.PrivacyConfig,
    scratch: str,
    new_pipeline: Callable[[], beam.Pipeline],
    wide_columns: Collection[str],
) -> tuple[KnownRows, results_pb2.FittedOn]:
    """A bounded sample of the other model's rows, without the judged model's records.

    Leaving records out of what attacks are fitted on takes nothing from the evidence,
    which is of the judged model's rows alone.

    Args:
      fit_on: The other model's signals.
      judged_dir: The signals table of the judged model.
      judged: Its description.
      config: The resolved configuration.
      scratch: A directory that workers and this machine share.
      new_pipeline: Makes a Beam pipeline on the caller's runner.
      wide_columns: What attacks look at of "inputs" and "white_box".

    Raises:
      InputError: If the two tables do not go together.
    """
    raise NotImplementedError
