"""`tfx-privacy gate`: metrics judged by thresholds."""

from __future__ import annotations

import os
import sys

import click

from tfx_privacy.commands.exit_codes import EXIT_BLOCK, EXIT_CANNOT_TELL
from tfx_privacy.commands.importing import importing, stage_progress
from tfx_privacy.commands.paths import DIRECTORY, FILE
from tfx_privacy.commands.reading import read_file


@click.command("gate")
@click.option(
    "--metrics",
    required=True,
    type=DIRECTORY,
    help="A directory that `evaluate` or `measure` wrote.",
)
@click.option(
    "--thresholds", "thresholds_file", type=FILE, help="PrivacyThresholds: proto text or JSON."
)
@click.option(
    "--model",
    type=DIRECTORY,
    help="The SavedModel's directory; metrics of another model are refused.",
)
@click.option(
    "--baseline",
    type=DIRECTORY,
    help="The metrics of another model, which changes are counted from.",
)
@click.option(
    "--record-risk",
    type=DIRECTORY,
    help="The record risk of the metrics, for a narrower, paired interval of the change. "
    "Default: what lies beside them.",
)
@click.option(
    "--baseline-record-risk",
    type=DIRECTORY,
    help="The record risk of the baseline. Default: what lies beside its metrics.",
)
@click.option(
    "--output", required=True, type=click.Path(), help="Where verdict.json and report.html go."
)
def gate_command(
    metrics: str,
    thresholds_file: str | None,
    model: str | None,
    baseline: str | None,
    record_risk: str | None,
    baseline_record_risk: str | None,
    output: str,
) -> None:
    """Judges metrics by thresholds: exit code 0 blessed, 10 BLOCK, 11 CANNOT_TELL."""
    if baseline is None and (record_risk or baseline_record_risk):
        raise click.UsageError("record risk is for a change, and there is no --baseline")
    with stage_progress() as progress:
        with importing(progress) as clock:
            from tfx_privacy.evaluation.baseline import BaselinePaths
            from tfx_privacy.evaluation.gate import forget_verdict, judge_metrics, write_verdict
            from tfx_privacy.evaluation.metrics_directory import REPORT_FILE
            from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
            from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
            from tfx_privacy.reports.terminal import verdict_table
        # An earlier verdict that is still there after an error would be taken for this one.
        forget_verdict(output)
        thresholds = thresholds_pb2.PrivacyThresholds()
        if thresholds_file:
            thresholds = read_file(thresholds_file, thresholds_pb2.PrivacyThresholds)
        with clock.stage("judge"):
            before = None
            if baseline is not None:
                pair = _record_risk_of_both(metrics, record_risk, baseline, baseline_record_risk)
                record_risk, baseline_record_risk = pair
                before = BaselinePaths(baseline, baseline_record_risk)
            judged = judge_metrics(
                metrics,
                thresholds,
                model_uri=os.path.abspath(model) if model else None,
                baseline=before,
                record_risk_dir=record_risk,
            )
        with clock.stage("report"):
            write_verdict(judged, output)
    click.echo(verdict_table(judged.verdict))
    click.echo(f"report: {os.path.join(output, REPORT_FILE)}")
    if judged.verdict.blessed:
        return
    blocked = judged.verdict.outcome == verdict_pb2.BLOCK
    sys.exit(EXIT_BLOCK if blocked else EXIT_CANNOT_TELL)


def _record_risk_of_both(
    metrics: str, record_risk: str | None, baseline: str, baseline_record_risk: str | None
) -> tuple[str | None, str | None]:
    """The tables to pair: those asked for, or those at hand if they can be paired."""
    from tfx_privacy.evaluation.baseline import why_unpaired
    from tfx_privacy.evaluation.output_directory import record_risk_beside
    from tfx_privacy.signals.errors import InputError

    asked = record_risk is not None or baseline_record_risk is not None
    ours = record_risk or record_risk_beside(metrics)
    theirs = baseline_record_risk or record_risk_beside(baseline)
    if asked:
        for option, directory, found in (
            ("--record-risk", metrics, ours),
            ("--baseline-record-risk", baseline, theirs),
        ):
            if found is None:
                raise InputError(
                    f"there is no record risk beside the metrics at {directory}, and a paired "
                    f"interval needs that of both; expected {option}"
                )
        return ours, theirs
    if ours is None or theirs is None:
        return None, None
    why = why_unpaired(metrics, baseline)
    if why is not None:
        click.echo(f"intervals of the change are unpaired: {why}", err=True)
        return None, None
    return ours, theirs
