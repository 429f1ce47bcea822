"""The demo: the taxi pipeline twice, with a model that leaks and with one that does not.

Run it as `python -m tfx_privacy.pipelines.taxi_demo --output DIR`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfx_privacy.pipelines.taxi_log import logs_in

if TYPE_CHECKING:
    from tfx_privacy.pipelines.taxi_summary import RunSummary

LOG_FILE = "log.txt"
METADATA_FILE = "metadata.db"
SERVING = Path("serving", "taxi")


@dataclasses.dataclass(frozen=True)
class DemoRun:
    """One run of the pipeline: a name for it, and all that it differs in."""

    name: str
    description: str
    hyperparameters: Mapping[str, object]


RUNS = (
    DemoRun(
        "leaky",
        "a wide network, trained until it knows its trips by heart",
        {"hidden_units": [512], "epochs": 40, "dropout": 0.0},
    ),
    DemoRun(
        "tame",
        "a narrow network, trained briefly and with dropout",
        {"hidden_units": [16], "epochs": 3, "dropout": 0.2},
    ),
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the artifacts, the metadata store, the pushed model and the log.",
)
@click.option(
    "--white-box",
    "is_white_box",
    is_flag=True,
    help="Also measure an attacker that holds the model: gradients and activations.",
)
@click.option(
    "--references",
    type=click.IntRange(min=2),
    metavar="K",
    help="Also measure an attacker that has trained K models of its own, an even number.",
)
def main(output: Path, is_white_box: bool, references: int | None) -> None:
    """Runs the Chicago taxi pipeline with two models, one of which is not pushed.

    Run a second time with the same folder, everything comes from the cache.
    """
    output.mkdir(parents=True, exist_ok=True)
    with logs_in(output / LOG_FILE) as terminal:
        # In a file nothing is gained by folding lines at 80 columns.
        width = None if terminal.isatty() else 120
        console = Console(file=terminal, width=width)
        run_demo(output, console, is_white_box=is_white_box, references=references)


def run_demo(
    output: Path, console: Console, *, is_white_box: bool = False, references: int | None = None
) -> dict[str, RunSummary]:
    """Runs the pipeline with each model and shows what came of it.

    Args:
      output: Where everything goes.
      console: Where it is shown.
      is_white_box: Whether an attacker that holds the model is measured too.
      references: How many reference models each model is compared with, if any.

    Returns:
      The summary of each run, by the run's name.
    """
    # A cached artifact is found by its path: the same one wherever the demo is started.
    output = output.absolute()
    _say(console, f"TFX's own log is in {_shown(output / LOG_FILE)}.")
    _say(console, "Importing TFX, which takes half a minute ...")
    import tfx_privacy.pipelines.taxi  # noqa: F401, to have it done before a node is timed

    summaries = {}
    for run in RUNS:
        values = ", ".join(f"{name}={value}" for name, value in run.hyperparameters.items())
        _say(console, f"\n{run.name}: {run.description}\n  ({values})")
        summaries[run.name] = _run_pipeline(
            output,
            run.hyperparameters,
            console,
            is_white_box=is_white_box,
            references=references,
        )
    _show_summaries(summaries, console)
    _show_pushed(output / SERVING, summaries, console)
    return summaries


def taxi_data() -> Path:
    """The folder of the trips that come with TFX: 15,002 rows of CSV, no two the same."""
    package = importlib.util.find_spec("tfx")
    if package is None or package.origin is None:
        raise FileNotFoundError("the taxi data come with TFX, which is not installed")
    examples = Path(package.origin).parent / "examples"
    return examples / "chicago_taxi_pipeline" / "data" / "simple"


def _run_pipeline(
    output: Path,
    hyperparameters: Mapping[str, object],
    console: Console,
    *,
    is_white_box: bool,
    references: int | None,
) -> RunSummary:
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from tfx_privacy.pipelines import taxi, taxi_examples, taxi_summary
    from tfx_privacy.pipelines.taxi_progress import NodeProgress

    measured = taxi.measured_by_default()
    if is_white_box:
        measured.white_box.SetInParent()
    pipeline = taxi.create_pipeline(
        example_gen=taxi_examples.split_by_hash(taxi_data()),
        pipeline_root=output / "artifacts",
        metadata_path=output / METADATA_FILE,
        serving_dir=output / SERVING,
        hyperparameters=hyperparameters,
        privacy_config=measured,
        references=references,
    )
    with NodeProgress(console):
        LocalDagRunner().run(pipeline)
    store = taxi_summary.open_store(output / METADATA_FILE)
    return taxi_summary.summarise(taxi_summary.latest_run(store))


def _show_summaries(summaries: Mapping[str, RunSummary], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("Model", "Accuracy", "Attack AUC", "Verdict", "Pushed"):
        table.add_column(heading)
    table.add_column("The gate's report", overflow="fold")
    for name, run in summaries.items():
        auc = run.auc
        table.add_row(
            name,
            f"{run.accuracy:.3f}",
            f"{auc.estimate:.3f}\n{auc.lower:.3f} to {auc.upper:.3f}",
            run.outcome,
            _pushed(run),
            Text(_shown(run.report), style=f"link {run.report.as_uri()}"),
        )
    console.print()
    console.print(table)
    _say(console, "Attack AUC: of the best attack, with its 95% interval; 0.5 is guessing.")
    for name, run in summaries.items():
        if run.pushed_to is None:
            reason = run.reason if run.quality_blessed else "the Evaluator did not bless it."
            _say(console, f"{name} was not pushed: {reason}")
    if all(run.cached_nodes == run.nodes for run in summaries.values()):
        _say(console, "Everything came from the cache: nothing was trained or pushed again.")


def _pushed(run: RunSummary) -> str:
    if run.pushed_to is None:
        return "no"
    return "yes, by an\nearlier run" if run.pushed_before else "yes"


def _show_pushed(serving: Path, summaries: Mapping[str, RunSummary], console: Console) -> None:
    names = {run.pushed_to: name for name, run in summaries.items() if run.pushed_to}
    versions = sorted(serving.iterdir()) if serving.is_dir() else []
    if not versions:
        _say(console, f"\nNothing was pushed to {_shown(serving)}.")
    for version in versions:
        _say(console, f"\n{_shown(version)} holds the model {names.get(version, '(unknown)')}:")
        for path in sorted(version.rglob("*")):
            if path.is_file():
                _say(console, f"  {path.relative_to(version)} ({path.stat().st_size:,} bytes)")


def _shown(path: Path) -> str:
    """The path as a person would write it from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
