"""`tfx-privacy evaluate`: a SavedModel on TFRecords."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from tfx_privacy.commands.attack_help import HelpWithAttacks
from tfx_privacy.commands.fit_on import fit_on_option, signals_to_fit_on
from tfx_privacy.commands.importing import importing, stage_progress
from tfx_privacy.commands.paths import DIRECTORY, FILE
from tfx_privacy.commands.pipelines import pipelines
from tfx_privacy.commands.reading import read_file
from tfx_privacy.commands.results import tell_results

if TYPE_CHECKING:
    from tfx_privacy.evaluation.reference_models_input import ReferenceModelsInput
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.signals.examples import ExampleSplit


@click.command("evaluate", cls=HelpWithAttacks)
@click.option("--model", required=True, type=DIRECTORY, help="The SavedModel's directory.")
@click.option(
    "--examples",
    "examples",
    required=True,
    multiple=True,
    metavar="SPLIT=GLOB",
    help="TFRecord files of tf.Examples of a split, gzip or not; once for each split or glob.",
)
@click.option("--transform-graph", type=DIRECTORY, help="Transform's output directory.")
@click.option(
    "--config", "config_file", required=True, type=FILE, help="PrivacyConfig: proto text or JSON."
)
@fit_on_option
@click.option(
    "--reference-models",
    type=DIRECTORY,
    help="ReferenceTrainer's models: also measure an attacker that has models of its own.",
)
@click.option("--output", required=True, type=click.Path(), help="Where the results go.")
@click.option(
    "--beam",
    "beam_args",
    multiple=True,
    metavar="--NAME=VALUE",
    help="An argument for Beam; repeatable.",
)
def evaluate_command(
    model: str,
    examples: tuple[str, ...],
    transform_graph: str | None,
    config_file: str,
    fit_on: str | None,
    reference_models: str | None,
    output: str,
    beam_args: tuple[str, ...],
) -> None:
    """Measures a SavedModel on TFRecords of tf.Examples.

    Writes metrics.json, report.html, evidence/, signals/ and record_risk/ to OUTPUT.
    """
    with stage_progress() as progress:
        with importing(progress):
            from tfx_privacy.evaluation.config import resolve_config
            from tfx_privacy.evaluation.evaluate import TargetInputs, evaluate
            from tfx_privacy.evaluation.output_directory import whole_output
            from tfx_privacy.evaluation.reference_pool import (
                reference_models_input,
                with_references,
            )
            from tfx_privacy.proto import privacy_config_pb2 as config_pb2
        config = read_file(config_file, config_pb2.PrivacyConfig)
        given = _patterns(examples)
        references = None
        if reference_models is not None:
            references = reference_models_input(
                reference_models, os.path.abspath(reference_models), lambda name: _pool(name, given)
            )
            config = with_references(config)
        config = resolve_config(config)
        splits = _splits(given, config.splits, references)
        target = TargetInputs(os.path.abspath(model), model, transform_graph)
        new_pipeline = pipelines(beam_args)
        known = signals_to_fit_on(fit_on, output)
        with whole_output(output) as outputs:
            content = evaluate(
                target, splits, config, outputs, new_pipeline, progress, known, references
            )
    tell_results(content, output)


def _patterns(examples: Sequence[str]) -> dict[str, list[str]]:
    """The files given for each split."""
    patterns: dict[str, list[str]] = {}
    for argument in examples:
        name, separator, pattern = argument.partition("=")
        if not (name and separator and pattern):
            raise click.BadParameter(
                f"{argument!r} is not of the form SPLIT=GLOB, 'train=data/train*.gz' for example",
                param_hint="--examples",
            )
        patterns.setdefault(name, []).append(pattern)
    return patterns


def _splits(
    given: Mapping[str, Sequence[str]],
    spec: config_pb2.SplitSpec,
    references: ReferenceModelsInput | None,
) -> list[ExampleSplit]:
    """The splits that the configuration names, with the files given for them."""
    from tfx_privacy.signals.errors import InputError
    from tfx_privacy.signals.examples import ExampleSplit

    named = (*spec.members, *spec.nonmembers)
    for name in named:
        if name not in given:
            raise InputError(
                f"the configuration's `splits` name {name!r}; --examples gives {sorted(given)}"
            )
    pool = [split.name for split in references.pool] if references else []
    for name in given:
        if name not in (*named, *pool):
            raise InputError(
                f"--examples gives the split {name!r}, which is neither in splits.members, "
                f"{list(spec.members)}, nor in splits.nonmembers, {list(spec.nonmembers)}"
            )
    return [
        ExampleSplit(name, is_member, tuple(given[name]))
        for names, is_member in ((spec.members, True), (spec.nonmembers, False))
        for name in names
    ]


def _pool(name: str, given: Mapping[str, Sequence[str]]) -> ExampleSplit:
    """A split that reference models were trained on, with the files given for it."""
    from tfx_privacy.signals.errors import InputError
    from tfx_privacy.signals.examples import ExampleSplit

    if name not in given:
        raise InputError(
            f"the reference models were trained on the split {name!r}; --examples gives "
            f"{sorted(given)}"
        )
    return ExampleSplit(name, False, tuple(given[name]))
