"""What goes with the risk, overall and class by class."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_results_pb2 as results_pb2


@dataclasses.dataclass(frozen=True)
class ExplanationSection:
    """What the template prints."""


def explanation_section(results: results_pb2.PrivacyResults) -> ExplanationSection | None:
    """The section; None where there is nothing to show."""
    return None
