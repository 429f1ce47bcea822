"""The files that ML Privacy Meter writes, for those who have scripts that read them."""

from __future__ import annotations

from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.table import TableDescription

FOLDER = "privacy_meter"


def write_privacy_meter_files(
    signals_dir: str,
    table: TableDescription,
    record_risk_dir: str,
    results: results_pb2.PrivacyResults,
) -> None:
    """Writes member_probs.npy and its companions into the folder of record_risk_dir.

    Args:
      signals_dir: The signals table.
      table: Its description.
      record_risk_dir: Where the record-risk table lies, and the folder goes.
      results: Of the measurement.
    """
    raise NotImplementedError
