"""Metrics for notebooks and scripts: read once, looked at as text or as a table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tfx_privacy.evaluation.metrics_directory import read_metrics
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.reports.summary import summary_text, to_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class LoadedMetrics:
    """What a directory of metrics holds.

    Attributes:
      results: Everything that was measured.
      evidence: The counts behind it.
    """

    results: results_pb2.PrivacyResults
    evidence: Evidence

    def summary(self) -> str:
        """The best attack over all and on the slices most exposed, as text."""
        return summary_text(self.results)

    def to_frame(self) -> pd.DataFrame:
        """Every measured value, one a row; see `reports.summary.to_frame` for the columns."""
        return to_frame(self.results)


def load_metrics(directory: str) -> LoadedMetrics:
    """Reads what an evaluator, the command line or the Keras callback wrote.

    Args:
      directory: A directory of metrics: the URI of a PrivacyMetrics artifact, the output
        of `tfx-privacy evaluate` or `measure`, or a folder of the callback's.

    Raises:
      InputError: If it cannot be read, or is of another schema version.
    """
    content = read_metrics(directory)
    return LoadedMetrics(content.results, content.evidence)
