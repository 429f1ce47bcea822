"""Attackers that know less, beside the one that knows most."""

from __future__ import annotations

import dataclasses

from tfx_privacy.proto import privacy_results_pb2 as results_pb2


@dataclasses.dataclass(frozen=True)
class AttackersSection:
    """What the template prints."""


def attackers_section(results: results_pb2.PrivacyResults) -> AttackersSection | None:
    """The section; None where there is nothing to show."""
    return None
