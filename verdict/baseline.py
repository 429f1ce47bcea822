"""The measurement that a change is counted from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tfx_privacy.metrics.change import SharedRows
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2


@dataclasses.dataclass(frozen=True)
class Baseline:
    """The metrics of another model, and the rows that both measurements judged.

    Attributes:
      metrics_uri: Where they lie.
      results: What they list.
      evidence: The counts behind them.
      shared: By attack, the judged rows that both measurements have. Where an attack
        is missing its intervals are unpaired.
      shared_members: How many of these rows were members in both; 0 where there is no
        record of them.
      shared_nonmembers: How many were non-members in both.
    """

    metrics_uri: str
    results: results_pb2.PrivacyResults
    evidence: Evidence
    shared: Mapping[str, SharedRows] = dataclasses.field(default_factory=dict)
    shared_members: int = 0
    shared_nonmembers: int = 0
