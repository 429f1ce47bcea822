"""The demo: the taxi pipeline twice, with a model that leaks and with one that does not."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table

from tfx_privacy.pipelines.taxi_log import logs_in

if TYPE_CHECKING:
    from tfx_privacy.pipelines.taxi_summary import RunSummary

METADATA_FILE = "metadata.db"
LOG_FILE = "log.txt"
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
        {"hidden_units": [512], "epochs": 60, "dropout": 0.0},
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
    help="Folder for artifacts, the metadata store, the pushed model and the log.",
)
def main(output: Path) -> None:
    """Runs the Chicago taxi pipeline with two models, one of which is not pushed.

    A second time into the same folder everything comes from the cache.
    """
    output.mkdir(parents=True, exist_ok=True)
    with logs_in(output / LOG_FILE) as terminal:
        run_demo(output, Console(file=terminal))


def run_demo(output: Path, console: Console) -> dict[str, RunSummary]:
    """Runs the pipeline with each model and shows what came of it.

    Returns:
      The summary of each run, by the run's name.
    """
    console.print(f"All that TFX has to say goes to {output / LOG_FILE}.", highlight=False)
    with console.status("importing TFX"):
        console.print("Importing TFX, which takes half a minute ...")
        import tfx_privacy.pipelines.taxi  # noqa: F401
    summaries = {}
    for run in RUNS:
        console.print(f"\n[bold]{run.name}[/]: {run.description} {dict(run.hyperparameters)}")
        summaries[run.name] = _run_pipeline(output, run.hyperparameters, console)
    console.print(_table(summaries))
    _show_pushed(output / SERVING, summaries, console)
    return summaries


def taxi_data() -> Path:
    """The folder of the taxi trips that come with TFX: 15,002 rows of CSV."""
    package = importlib.util.find_spec("tfx")
    if package is None or package.origin is None:
        raise FileNotFoundError("the taxi data come with TFX, which is not installed")
    examples = Path(package.origin).parent / "examples"
    return examples / "chicago_taxi_pipeline" / "data" / "simple"


def _run_pipeline(
    output: Path, hyperparameters: Mapping[str, object], console: Console
) -> RunSummary:
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from tfx_privacy.pipelines import taxi, taxi_summary
    from tfx_privacy.pipelines.taxi_progress import NodeProgress

    pipeline = taxi.create_pipeline(
        data_root=taxi_data(),
        pipeline_root=output / "artifacts",
        metadata_path=output / METADATA_FILE,
        serving_dir=output / SERVING,
        hyperparameters=hyperparameters,
    )
    with NodeProgress(console):
        LocalDagRunner().run(pipeline)
    store = taxi_summary.open_store(output / METADATA_FILE)
    return taxi_summary.summarise(taxi_summary.latest_run(store))


def _table(summaries: Mapping[str, RunSummary]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Two models of one pipeline", title_justify="left")
    for heading in ("Model", "Accuracy", "AUC of the best attack", "Verdict", "Pushed"):
        table.add_column(heading)
    table.add_column("The gate's report", overflow="fold")
    for name, run in summaries.items():
        auc = run.auc
        table.add_row(
            name,
            f"{run.accuracy:.3f}",
            f"{auc.estimate:.3f} ({auc.lower:.3f} to {auc.upper:.3f})\n{run.best_attack}",
            run.outcome,
            _pushed(run),
            str(run.report),
        )
    return table


def _pushed(run: RunSummary) -> str:
    if run.pushed_to is None:
        return "no"
    return "by an earlier run" if run.pushed_before else "yes"


def _show_pushed(serving: Path, summaries: Mapping[str, RunSummary], console: Console) -> None:
    names = {run.pushed_to: name for name, run in summaries.items() if run.pushed_to}
    versions = sorted(serving.iterdir()) if serving.is_dir() else []
    if not versions:
        console.print(f"Nothing was pushed to {serving}.")
    for version in versions:
        console.print(f"{version} holds the model {names.get(version, 'of another run')}:")
        for path in sorted(version.rglob("*")):
            if path.is_file():
                size = path.stat().st_size
                console.print(f"  {path.relative_to(version)} ({size:,} bytes)", highlight=False)
