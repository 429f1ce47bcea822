"""The risk of records: fitted with the attacks, counted as rows are scored, told in results."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import ClassVar

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.evaluation.score import RiskPlan
from tfx_privacy.evaluation.suite import ChosenOnFit, FittedSuite, KnownRows
from tfx_privacy.evaluation.tally import Addable, ScoredRows, Tally
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2


def fit_risk(
    best: Attack,
    chosen: ChosenOnFit,
    known: KnownRows,
    on_judge: FittedSuite,
    judged: KnownRows,
    config: config_pb2.PrivacyConfig,
) -> RiskPlan | None:
    """P(member | score) of the best attack, fitted on FIT for JUDGE rows and vice versa."""
    return None


@dataclasses.dataclass(frozen=True)
class RiskTally(Tally[Hashable, Addable]):
    """Records by risk."""

    task: config_pb2.Task.ValueType
    label_vocabulary: tuple[str, ...]

    name: ClassVar[str] = "risk"

    def count(self, rows: ScoredRows) -> Mapping[Hashable, Addable]:
        """See Tally."""
        return {}

    def to_bytes(self, totals: Mapping[Hashable, Addable]) -> bytes:
        """See Tally."""
        return b""

    def from_bytes(self, content: bytes) -> dict[Hashable, Addable]:
        """See Tally."""
        return {}


def record_risk_results(
    risk: RiskPlan | None,
    tallies: Mapping[str, Mapping[Hashable, Addable]],
    results: results_pb2.PrivacyResults,
) -> results_pb2.RecordRiskResults:
    """What results say of the risk of records."""
    return results_pb2.RecordRiskResults()
