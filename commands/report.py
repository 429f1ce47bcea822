"""`tfx-privacy report`: the page of metrics, written again."""

from __future__ import annotations

import os

import click

from tfx_privacy.commands.importing import importing, stage_progress
from tfx_privacy.commands.paths import DIRECTORY


@click.command("report")
@click.option(
    "--metrics",
    required=True,
    type=DIRECTORY,
    help="A directory that `evaluate` or `measure` wrote.",
)
@click.option("--output", required=True, type=click.Path(), help="Where report.html goes.")
def report_command(metrics: str, output: str) -> None:
    """Writes the report of metrics again."""
    with stage_progress() as progress:
        with importing(progress) as clock:
            from tfx_privacy.evaluation.metrics_directory import REPORT_FILE, read_metrics
            from tfx_privacy.reports.page import metrics_page
            from tfx_privacy.signals.files import write_text_whole
        path = os.path.join(output, REPORT_FILE)
        with clock.stage("report"):
            content = read_metrics(metrics)
            write_text_whole(path, metrics_page(content.results, content.evidence))
    click.echo(f"report: {path}")
