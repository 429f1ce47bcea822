"""`tfx-privacy canaries`: records for the audit by canaries."""

from __future__ import annotations

import os

import click


@click.command("canaries")
@click.option(
    "--examples",
    "examples",
    required=True,
    multiple=True,
    metavar="GLOB",
    help="TFRecord files of tf.Examples, gzip or not; repeatable.",
)
@click.option("--count", required=True, type=int, help="How many canaries; some hundreds tell.")
@click.option(
    "--seed", required=True, type=click.IntRange(min=0), help="Of choice and coins; any number."
)
@click.option(
    "--label-key",
    help="Exchange this feature among the canaries, so that they have wrong labels, which "
    "are memorised rather than learnt. Default: labels stay as they are.",
)
@click.option("--output", required=True, type=click.Path(), help="A new folder for the canaries.")
def canaries_command(
    examples: tuple[str, ...], count: int, seed: int, label_key: str | None, output: str
) -> None:
    """Makes canaries for the metric canary_epsilon.

    A fair coin for each canary decides whether it goes to OUTPUT/included, which is to
    be added to the training data, or to OUTPUT/held_out, which the model must never
    see. Canaries that come from the training data have to be taken OUT of the rest of
    it, all of them, or every one is trained on. OUTPUT/canaries.json says how to go on.
    """
    from tfx_privacy.signals.canaries import DESCRIPTION_FILE, make_canaries

    made = make_canaries(examples, count, seed, output, label_key)
    relabelled = f", {made.relabelled} with a wrong label" if label_key else ""
    click.echo(f"canaries: {made.included} included, {made.held_out} held out{relabelled}")
    click.echo(f"how to go on: {os.path.join(output, DESCRIPTION_FILE)}")
