"""What a measurement found, on standard output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent


def tell_results(content: PrivacyMetricsContent, output: str) -> None:
    """Shows results, and where their report lies.

    Args:
      content: What was measured.
      output: The directory it was written to.
    """
    from tfx_privacy.evaluation.metrics_directory import REPORT_FILE
    from tfx_privacy.reports.terminal import results_table

    click.echo(results_table(content.results, content.evidence))
    click.echo(f"report: {os.path.join(output, REPORT_FILE)}")
