"""The command line: `tfx-privacy`, or `python -m tfx_privacy`."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from tfx_privacy.version import __version__

if TYPE_CHECKING:
    import apache_beam as beam
    from google.protobuf.message import Message

    from tfx_privacy.evaluation.metrics_directory import PrivacyMetricsContent
    from tfx_privacy.evaluation.stages import StageClock
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.reports.progress import StageProgress
    from tfx_privacy.signals.examples import ExampleSplit

    _M = TypeVar("_M", bound=Message)

EXIT_ERROR = 1
EXIT_BLOCK = 10
EXIT_CANNOT_TELL = 11

_file = click.Path(exists=True, dir_okay=False)
_directory = click.Path(exists=True, file_okay=False)


class _ClearErrors(click.Group):
    """Shows an InputError as one message, without a traceback."""

    def invoke(self, context: click.Context) -> object:
        from tfx_privacy.signals.errors import InputError

        try:
            return super().invoke(context)
        except InputError as error:
            click.echo(f"tfx-privacy: error: {error}", err=True)
            raise SystemExit(EXIT_ERROR) from error


@click.group(cls=_ClearErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfx-privacy")
def main() -> None:
    """Measures whether a model gives away whom it was trained on, and judges it.

    Exit codes: 0 done, and for `gate` blessed; 10 BLOCK; 11 CANNOT_TELL and not
    blessed; 2 wrong usage; 1 any other error.
    """
    # TensorFlow and Beam greet every start with notes about the machine. TensorFlow's are
    # partly errors to it ("Unable to register cuFFT factory"); one that matters is raised too.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\..*")


def _attack_help() -> str:
    from tfx_privacy.attacks.registry import describe_attacks

    lines = ["Attacks and sets of attacks that `attacks` in the configuration can name:", "\b"]
    return "\n".join(lines + [f"  {name:22s} {text}" for name, text in describe_attacks()])


class _HelpWithAttacks(click.Command):
    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write(_attack_help() + "\n")


@main.command("evaluate", cls=_HelpWithAttacks)
@click.option("--model", required=True, type=_directory, help="The SavedModel's directory.")
@click.option(
    "--examples",
    "examples",
    required=True,
    multiple=True,
    metavar="SPLIT=GLOB",
    help="TFRecord files of tf.Examples of a split, gzip or not; once for each split or glob.",
)
@click.option("--transform-graph", type=_directory, help="Transform's output directory.")
@click.option(
    "--config", "config_file", required=True, type=_file, help="PrivacyConfig: proto text or JSON."
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
    output: str,
    beam_args: tuple[str, ...],
) -> None:
    """Measures a SavedModel on TFRecords of tf.Examples.

    Writes metrics.json, report.html, evidence/, signals/ and record_risk/ to OUTPUT.
    """
    with _progress() as progress:
        with _importing(progress):
            from tfx_privacy.evaluation.config import resolve_config
            from tfx_privacy.evaluation.evaluate import TargetInputs, evaluate
            from tfx_privacy.evaluation.output_directory import whole_output
            from tfx_privacy.proto import privacy_config_pb2 as config_pb2
        config = resolve_config(_read(config_file, config_pb2.PrivacyConfig))
        splits = _splits(examples, config.splits)
        target = TargetInputs(os.path.abspath(model), model, transform_graph)
        new_pipeline = _pipelines(beam_args)
        with whole_output(output) as outputs:
            content = evaluate(target, splits, config, outputs, new_pipeline, progress)
    _tell(content, output)


@main.command("measure", cls=_HelpWithAttacks)
@click.option(
    "--members", required=True, type=_file, help="Predictions for records of the training set."
)
@click.option(
    "--non-members", "nonmembers", required=True, type=_file, help="Predictions for other records."
)
@click.option("--config", "config_file", type=_file, help="PrivacyConfig: proto text or JSON.")
@click.option("--output", required=True, type=click.Path(), help="Where the results go.")
def measure_command(members: str, nonmembers: str, config_file: str | None, output: str) -> None:
    """Measures saved predictions: Parquet or .npz files.

    Each has `label` and one of `logits`, `probabilities`, `loss`; an `id` column is
    used where there is one. Further columns are input features, for slices and the
    blind baseline.
    """
    with _progress() as progress:
        with _importing(progress):
            from tfx_privacy.evaluation.measure import measure
            from tfx_privacy.evaluation.output_directory import whole_output
            from tfx_privacy.proto import privacy_config_pb2 as config_pb2
        config = config_pb2.PrivacyConfig()
        if config_file:
            config = _read(config_file, config_pb2.PrivacyConfig)
        with whole_output(output) as outputs:
            content = measure(members, nonmembers, config, outputs, _pipelines(()), progress)
    _tell(content, output)


@main.command("gate")
@click.option(
    "--metrics",
    required=True,
    type=_directory,
    help="A directory that `evaluate` or `measure` wrote.",
)
@click.option(
    "--thresholds", "thresholds_file", type=_file, help="PrivacyThresholds: proto text or JSON."
)
@click.option(
    "--model",
    type=_directory,
    help="The SavedModel's directory; metrics of another model are refused.",
)
@click.option(
    "--baseline",
    type=_directory,
    help="The metrics of another model, which changes are counted from.",
)
@click.option(
    "--record-risk",
    type=_directory,
    help="The record risk of the metrics, for a narrower, paired interval of the change. "
    "Default: what lies beside them.",
)
@click.option(
    "--baseline-record-risk",
    type=_directory,
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
    with _progress() as progress:
        with _importing(progress) as clock:
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
            thresholds = _read(thresholds_file, thresholds_pb2.PrivacyThresholds)
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


@main.command("report")
@click.option(
    "--metrics",
    required=True,
    type=_directory,
    help="A directory that `evaluate` or `measure` wrote.",
)
@click.option("--output", required=True, type=click.Path(), help="Where report.html goes.")
def report_command(metrics: str, output: str) -> None:
    """Writes the report of metrics again."""
    with _progress() as progress:
        with _importing(progress) as clock:
            from tfx_privacy.evaluation.metrics_directory import REPORT_FILE, read_metrics
            from tfx_privacy.reports.page import metrics_page
            from tfx_privacy.signals.files import write_text_whole
        path = os.path.join(output, REPORT_FILE)
        with clock.stage("report"):
            content = read_metrics(metrics)
            write_text_whole(path, metrics_page(content.results, content.evidence))
    click.echo(f"report: {path}")


@main.command("canaries")
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


def _read(path: str, message_type: type[_M]) -> _M:
    from tfx_privacy.evaluation.message_files import read_message

    return read_message(path, message_type)


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


def _splits(examples: Sequence[str], spec: config_pb2.SplitSpec) -> list[ExampleSplit]:
    """The splits that the configuration names, with the files given for them."""
    from tfx_privacy.signals.errors import InputError
    from tfx_privacy.signals.examples import ExampleSplit

    patterns: dict[str, list[str]] = {}
    for argument in examples:
        name, separator, pattern = argument.partition("=")
        if not (name and separator and pattern):
            raise click.BadParameter(
                f"{argument!r} is not of the form SPLIT=GLOB, 'train=data/train*.gz' for example",
                param_hint="--examples",
            )
        patterns.setdefault(name, []).append(pattern)
    named = (*spec.members, *spec.nonmembers)
    for name in named:
        if name not in patterns:
            raise InputError(
                f"the configuration's `splits` name {name!r}; --examples gives {sorted(patterns)}"
            )
    for name in patterns:
        if name not in named:
            raise InputError(
                f"--examples gives the split {name!r}, which is neither in splits.members, "
                f"{list(spec.members)}, nor in splits.nonmembers, {list(spec.nonmembers)}"
            )
    return [
        ExampleSplit(name, is_member, tuple(patterns[name]))
        for names, is_member in ((spec.members, True), (spec.nonmembers, False))
        for name in names
    ]


def _pipelines(arguments: Sequence[str]) -> Callable[[], beam.Pipeline]:
    import apache_beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from tfx_privacy.signals.errors import InputError

    def new_pipeline() -> beam.Pipeline:
        return apache_beam.Pipeline(options=PipelineOptions(list(arguments)))

    try:
        # Finds the runner and checks the options; nothing runs.
        new_pipeline()
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        raise InputError(f"Beam does not know the options {list(arguments)}: {error}") from error
    return new_pipeline


def _progress() -> StageProgress:
    from tfx_privacy.reports.progress import StageProgress

    return StageProgress()


@contextmanager
def _importing(progress: StageProgress) -> Iterator[StageClock]:
    """The stage that loads a command's libraries, and the clock for its other stages."""
    from tfx_privacy.evaluation.stages import StageClock

    clock = StageClock(progress)
    with clock.stage("import"):
        yield clock


def _tell(content: PrivacyMetricsContent, output: str) -> None:
    from tfx_privacy.evaluation.metrics_directory import REPORT_FILE
    from tfx_privacy.reports.terminal import results_table

    click.echo(results_table(content.results, content.evidence))
    click.echo(f"report: {os.path.join(output, REPORT_FILE)}")


if __name__ == "__main__":
    main()
