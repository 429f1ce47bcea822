"""What goes with the risk: counted by class as rows are scored, told in results."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import ClassVar

from tfx_privacy.evaluation.select import Selection
from tfx_privacy.evaluation.tally import Addable, ScoredRows, Tally
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.table import TableDescription


@dataclasses.dataclass(frozen=True)
class ClassTally(Tally[Hashable, Addable]):
    """How the model does on members and non-members of each class."""

    task: config_pb2.Task.ValueType
    label_vocabulary: tuple[str, ...]
    best_attack: str

    name: ClassVar[str] = "classes"

    def count(self, rows: ScoredRows) -> Mapping[Hashable, Addable]:
        """See Tally."""
        return {}

    def to_bytes(self, totals: Mapping[Hashable, Addable]) -> bytes:
        """See Tally."""
        return b""

    def from_bytes(self, content: bytes) -> dict[Hashable, Addable]:
        """See Tally."""
        return {}


def explanation_results(
    table: TableDescription,
    tallies: Mapping[str, Mapping[Hashable, Addable]],
    selection: Selection,
    evidence: Evidence,
    results: results_pb2.PrivacyResults,
) -> results_pb2.Explanation:
    """What results say of what goes with the risk."""
    return results_pb2.Explanation()
