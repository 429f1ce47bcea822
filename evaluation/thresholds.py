"""PrivacyThresholds checked once, with every default filled in."""

from __future__ import annotations

from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.verdict.limits import resolve_thresholds


def resolve_gate_thresholds(
    thresholds: thresholds_pb2.PrivacyThresholds,
) -> thresholds_pb2.PrivacyThresholds:
    """A copy with every default filled in.

    Raises:
      InputError: If a metric is unknown or a limit out of its range.
    """
    try:
        return resolve_thresholds(thresholds)
    except ValueError as error:
        raise InputError(f"thresholds: {error}") from error
