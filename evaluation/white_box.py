"""What holding the model's parameters adds to the risk: black-box beside white-box."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.evaluation.suite import ChosenOnFit
from tfx_privacy.evaluation.tally import Addable
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.table import TableLayout


def white_box_results(
    table: TableLayout,
    attacks: Sequence[Attack],
    chosen: ChosenOnFit,
    evidence: Evidence,
    tallies: Mapping[str, Mapping[Hashable, Addable]],
    record_risk_dir: str,
    config: config_pb2.PrivacyConfig,
) -> results_pb2.WhiteBoxResults | None:
    """Compares the best attacks without and with white-box signals on the JUDGE rows.

    Args:
      table: What the signals table holds.
      attacks: Those that ran.
      chosen: What was chosen on FIT rows.
      evidence: Counts of the JUDGE rows.
      tallies: What else was counted of them, by the name of a tally.
      record_risk_dir: Where each row's scores lie.
      config: The resolved configuration.

    Returns:
      None where the table has no white-box signals.
    """
    del attacks, chosen, evidence, tallies, record_risk_dir, config
    if table.white_box is None:
        return None
    return results_pb2.WhiteBoxResults(not_computed="")
