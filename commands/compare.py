"""`tfx-privacy compare`: the metrics of several models, or of one at several epochs."""

from __future__ import annotations

import os

import click

from tfx_privacy.commands.importing import importing, stage_progress
from tfx_privacy.commands.paths import DIRECTORY


@click.command("compare")
@click.argument("directories", nargs=-1, required=True, metavar="DIR...", type=DIRECTORY)
@click.option(
    "--name",
    "names",
    multiple=True,
    help="What DIR is called, once for each DIR in their order. Default: its path, as far as "
    "paths differ.",
)
@click.option(
    "--epoch",
    "epochs",
    multiple=True,
    type=click.FloatRange(min=0),
    help="The epoch of DIR, once for each DIR in their order. Default: the number that all "
    "names end with, as in epoch_10; without one, the order of the DIRs.",
)
@click.option(
    "--output", required=True, type=click.Path(), help="Where comparison.html and .csv go."
)
def compare_command(
    directories: tuple[str, ...], names: tuple[str, ...], epochs: tuple[float, ...], output: str
) -> None:
    """Compares metrics: vulnerability over epochs, and against test accuracy.

    Each DIR is a directory that `evaluate`, `measure` or the Keras callback wrote: two of
    them at least, of one task.
    """
    with stage_progress() as progress:
        with importing(progress) as clock:
            from tfx_privacy.evaluation.compare import PAGE_FILE, compare, write_comparison
            from tfx_privacy.reports.comparison_text import comparison_text
        with clock.stage("compare"):
            comparison = compare(directories, names, epochs)
        with clock.stage("report"):
            write_comparison(comparison, output)
    click.echo(comparison_text(comparison))
    click.echo(f"report: {os.path.join(output, PAGE_FILE)}")
