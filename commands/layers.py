"""`tfx-privacy layers`: what a model's layers are called in the configuration."""

from __future__ import annotations

import click

from tfx_privacy.commands.importing import importing, stage_progress
from tfx_privacy.commands.paths import DIRECTORY


@click.command("layers")
@click.option("--model", required=True, type=DIRECTORY, help="The SavedModel's directory.")
@click.option(
    "--signature",
    default="serving_default",
    show_default=True,
    help="The signature that is measured.",
)
@click.option("--output-name", default="", help="Its output, where it has several.")
def layers_command(model: str, signature: str, output_name: str) -> None:
    """Lists a model's layers, as `white_box` in a configuration selects them.

    Those with weights alone: a model's file does not show others. No examples are needed.
    """
    with stage_progress() as progress, importing(progress):
        from tfx_privacy.evaluation.white_box_config import resolve_white_box
        from tfx_privacy.proto import privacy_config_pb2 as config_pb2
        from tfx_privacy.reports.layers_text import layers_text
        from tfx_privacy.signals.layer_listing import list_model_layers
    config = config_pb2.PrivacyConfig(white_box=config_pb2.WhiteBoxSpec())
    resolve_white_box(config)
    spec = config.white_box
    layers = list_model_layers(model, signature, output_name, spec)
    click.echo(layers_text(layers, spec.sketch_rows, spec.sketch_columns))
