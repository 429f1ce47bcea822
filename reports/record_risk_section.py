"""The risk of single records."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_results_pb2 as results_pb2


@dataclasses.dataclass(frozen=True)
class RecordRiskSection:
    """What the template prints."""


def record_risk_section(results: results_pb2.PrivacyResults) -> RecordRiskSection | None:
    """The section; None where there is nothing to show."""
    return None
