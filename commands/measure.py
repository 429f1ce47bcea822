"""`tfx-privacy measure`: saved predictions."""

from __future__ import annotations

import click

from tfx_privacy.commands.attack_help import HelpWithAttacks
from tfx_privacy.commands.fit_on import fit_on_option, signals_to_fit_on
from tfx_privacy.commands.importing import importing, stage_progress
from tfx_privacy.commands.paths import FILE
from tfx_privacy.commands.pipelines import pipelines
from tfx_privacy.commands.reading import read_file
from tfx_privacy.commands.results import tell_results


@click.command("measure", cls=HelpWithAttacks)
@click.option(
    "--members", required=True, type=FILE, help="Predictions for records of the training set."
)
@click.option(
    "--non-members", "nonmembers", required=True, type=FILE, help="Predictions for other records."
)
@click.option("--config", "config_file", type=FILE, help="PrivacyConfig: proto text or JSON.")
@fit_on_option
@click.option("--output", required=True, type=click.Path(), help="Where the results go.")
def measure_command(
    members: str, nonmembers: str, config_file: str | None, fit_on: str | None, output: str
) -> None:
    """Measures saved predictions: Parquet or .npz files, or .npy and .txt as Privacy Meter's.

    Columns are `logits` or `probabilities`, and `label`; without labels few attacks can
    run. Or they are `loss` alone or `entropy` alone. An `id` column is used where there
    is one; further columns are input features, for slices and the blind baseline.

    .npy and .txt files have no names for their columns: set `model_spec.output_kind` in
    the configuration. Labels of NAME.npy are taken from NAME_labels.npy beside it; a line
    of a .txt file is "answer,answer,...;label".
    """
    with stage_progress() as progress:
        with importing(progress):
            from tfx_privacy.evaluation.measure import measure
            from tfx_privacy.evaluation.output_directory import whole_output
            from tfx_privacy.proto import privacy_config_pb2 as config_pb2
        config = config_pb2.PrivacyConfig()
        if config_file:
            config = read_file(config_file, config_pb2.PrivacyConfig)
        known = signals_to_fit_on(fit_on, output)
        with whole_output(output) as outputs:
            content = measure(
                members,
                nonmembers,
                config,
                outputs,
                pipelines(()),
                progress,
                known,
            )
    tell_results(content, output)
