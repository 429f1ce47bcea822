"""What reference models cost beside the stock Trainer, and what they find, on a part of CIFAR-10.

    python benchmarks/references.py --work /tmp/references --models 16

The first 10,000 training images are the pool, half of them by chance the target's training set;
each reference model is trained on another half, by benchmarks/cifar_references_model.py.

Cost: the nodes ReferenceTrainer and PrivacyEvaluator of a pipeline, all that they do, over as many
runs of the stock Trainer's executor on the same subsets, each in a process of its own from its
start to its end, one after the other. Asked: at most 1.1. Beside it stands the ratio of the
pipeline's whole process, which imports TFX once more, as every pipeline does. Subsets of the stock
runs are written before; the target's training counts on neither side. Where measured repeatedly,
both take turns and medians are taken.

Attacks: what PrivacyEvaluator found, with intervals. Asked of RMIA and of LiRA with fixed
variance: an AUC at least .02 above the loss threshold's, and three times its TPR at 1% FPR.

`--only-attacks` trains only models that WORK does not have yet; `--only-cost` leaves the figures
of attacks out. Ends with exit code 1 where something asked for is not met.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tfx_privacy.benchmarks.cifar_references_data import write_examples, write_subset
from tfx_privacy.benchmarks.populations import markdown_table
from tfx_privacy.benchmarks.real_pools import add_data_argument
from tfx_privacy.benchmarks.references_runs import EvaluateSettings
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2

COST_LIMIT = 1.1
AUC_ABOVE_THRESHOLD = 0.02
TIMES_TPR_OF_THRESHOLD = 3.0
THRESHOLD = "loss_threshold"
# What is asked for is asked of these.
_JUDGED = ("lira_online_fixed_variance", "rmia_online", "rmia_offline")
_BATCH = 32
_SEED = 7
_RUNS = Path(__file__).with_name("references_runs.py")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is measured.

    Attributes:
      data: The folder of real data.
      work: Where everything goes.
      models: Reference models.
      images: In the pool.
      epochs: Of every training.
    """

    data: Path
    work: Path
    models: int
    images: int
    epochs: int

    @property
    def folder(self) -> Path:
        """Of what depends on images and epochs."""
        return self.work / f"images_{self.images}-epochs_{self.epochs}"

    @property
    def examples(self) -> Path:
        """The pool, in the target's splits."""
        return self.folder / "examples"

    @property
    def target(self) -> Path:
        """The target, a Model artifact."""
        return self.folder / "target"

    @property
    def target_steps(self) -> int:
        """Of the target's training."""
        return round(self.epochs * (self.images // 2) / _BATCH)

    def steps(self, records: int) -> int:
        """Of training on so many records: as many epochs."""
        return round(self.target_steps * records / (self.images // 2))


@dataclasses.dataclass(frozen=True)
class StockRun:
    """A run of the stock Trainer's executor.

    Attributes:
      seconds: From its process's start to its end.
      records: Digest of the ids of what it trained on.
      steps: Of training.
    """

    seconds: float
    records: str
    steps: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of one measurement of the cost.

    Attributes:
      max_parallel: Reference models trained at a time by the pipeline.
      stock: Of all runs of the stock Trainer's executor.
      nodes: Of ReferenceTrainer and PrivacyEvaluator.
      pipeline: Of the process that ran these.
      training: Of the processes that ReferenceTrainer started, as it wrote down.
    """

    max_parallel: int
    stock: float
    nodes: dict[str, float]
    pipeline: float
    training: list[float]

    @property
    def ratio(self) -> float:
        """Of the nodes over all stock runs."""
        return sum(self.nodes.values()) / self.stock

    @property
    def whole_ratio(self) -> float:
        """The same of the pipeline's process."""
        return self.pipeline / self.stock


def main() -> None:
    options = _options()
    setting = Setting(options.data, options.work, options.models, options.images, options.epochs)
    _prepare(setting)
    met = True
    if not options.only_attacks:
        costs = _costs(setting, options.max_parallel, options.repeats)
        met &= _report_costs(setting, costs)
    if not options.only_cost:
        run = _settings(setting, options.max_parallel[0])
        if options.only_attacks:
            _evaluate(run)
        met &= _report_attacks(run)
    sys.exit(0 if met else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument("--work", type=Path, required=True, help="everything goes here")
    parser.add_argument("--models", type=int, default=16, help="reference models, an even number")
    parser.add_argument("--images", type=int, default=10_000, help="of the pool, 10,000 at most")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=1, help="of the measurement of the cost")
    parser.add_argument("--max-parallel", type=int, nargs="+", default=[1], metavar="N")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--only-attacks", action="store_true")
    only.add_argument("--only-cost", action="store_true")
    options = parser.parse_args()
    if not (options.data / "cifar10_webp").is_dir():
        parser.error(f"no real data in {options.data}: expected cifar10_webp/ there")
    # Processes that are started get paths from elsewhere.
    options.work = options.work.absolute()
    return options


def _prepare(setting: Setting) -> None:
    """The pool and the target, unless they are there."""
    write_examples(setting.data, setting.images, setting.examples)
    if not (setting.target / "Format-Serving" / "saved_model.pb").is_file():
        shutil.rmtree(setting.target, ignore_errors=True)
        seconds = _train(setting.examples, setting.target_steps, setting.target)
        _tell(f"target: {seconds:.0f} s")


def _costs(setting: Setting, max_parallel: Sequence[int], repeats: int) -> list[Cost]:
    costs = []
    for _ in range(repeats):
        stock = [_stock_run(setting, index) for index in range(setting.models)]
        for at_a_time in max_parallel:
            run = _settings(setting, at_a_time)
            # Nothing may be taken over from an earlier run.
            for folder in (run.output, run.work_directory):
                shutil.rmtree(folder, ignore_errors=True)
            costs.append(_cost(run, stock, _evaluate(run)))
            _tell(f"{at_a_time} at a time: ratio {costs[-1].ratio:.3f}")
    (setting.folder / "costs.json").write_text(
        json.dumps([dataclasses.asdict(cost) for cost in costs], indent=1) + "\n"
    )
    return costs


def _stock_run(setting: Setting, index: int) -> StockRun:
    """Trains on a model's subset as the stock Trainer does."""
    folder = setting.folder / "subset"
    shutil.rmtree(folder, ignore_errors=True)
    records = write_subset(setting.examples, _SEED, setting.models, index, folder)
    steps = setting.steps(records.records)
    seconds = _train(folder, steps, folder / "model")
    _tell(f"stock Trainer, subset {index} of {records.records:,} images: {seconds:.1f} s")
    shutil.rmtree(folder)
    return StockRun(seconds, records.digest, steps)


def _train(examples: Path, steps: int, model: Path) -> float:
    log = model.with_name(f"{model.name}.log")
    return _process(["train", str(examples), str(steps), str(model)], log)


def _settings(setting: Setting, max_parallel: int) -> EvaluateSettings:
    name = f"models_{setting.models}-parallel_{max_parallel}"
    return EvaluateSettings(
        examples=str(setting.examples),
        target=str(setting.target),
        models=setting.models,
        max_parallel=max_parallel,
        train_steps=setting.target_steps,
        seed=_SEED,
        work_directory=str(setting.folder / f"{name}-work"),
        output=str(setting.folder / name),
    )


def _evaluate(run: EvaluateSettings) -> float:
    """Seconds of the pipeline."""
    output = Path(run.output)
    output.mkdir(parents=True, exist_ok=True)
    file = output / "settings.json"
    file.write_text(json.dumps(dataclasses.asdict(run)))
    return _process(["evaluate", str(file)], output / "log.txt")


def _process(arguments: Sequence[str], log: Path) -> float:
    """Seconds from a process's start to its end."""
    with log.open("w") as stream:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(_RUNS), *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed, see {log}:\n{log.read_text()[-3_000:]}")
    return seconds


def _cost(run: EvaluateSettings, stock: Sequence[StockRun], pipeline: float) -> Cost:
    from tfx_privacy.reference_models.artifact import read_description

    description = read_description(str(run.references))
    for index, (one, model) in enumerate(zip(stock, description.models, strict=True)):
        ours = (model.trained_on.digest, model.train_steps)
        if ours != (one.records, one.steps):
            sys.exit(f"model {index} had {ours}, the stock run {one}: these are no equals")
    return Cost(
        max_parallel=run.max_parallel,
        stock=sum(one.seconds for one in stock),
        nodes=json.loads(run.timings.read_text()),
        pipeline=pipeline,
        training=[model.seconds for model in description.models],
    )


def _report_costs(setting: Setting, costs: Sequence[Cost]) -> bool:
    _conditions(setting)
    print(
        markdown_table(
            (
                "at a time",
                "stock runs, s",
                "ReferenceTrainer, s",
                "its processes, s",
                "PrivacyEvaluator, s",
                "ratio",
                "whole process, s",
                "ratio",
            ),
            [
                (
                    cost.max_parallel,
                    f"{cost.stock:.0f}",
                    f"{cost.nodes['ReferenceTrainer']:.0f}",
                    f"{sum(cost.training):.0f}",
                    f"{cost.nodes['PrivacyEvaluator']:.0f}",
                    f"{cost.ratio:.3f}",
                    f"{cost.pipeline:.0f}",
                    f"{cost.whole_ratio:.3f}",
                )
                for cost in costs
            ],
        )
    )
    met = True
    for at_a_time in sorted({cost.max_parallel for cost in costs}):
        ratio = statistics.median(c.ratio for c in costs if c.max_parallel == at_a_time)
        # More at a time than the stock Trainer's one is no comparison; it is shown.
        is_asked = at_a_time == 1
        asked = f", asked at most {COST_LIMIT}: {_met(ratio <= COST_LIMIT)}" if is_asked else ""
        print(f"\nratio with {at_a_time} at a time: {ratio:.3f}{asked}")
        met &= ratio <= COST_LIMIT or not is_asked
    return met


def _conditions(setting: Setting) -> None:
    packages = ("tensorflow", "keras", "numpy", "apache-beam", "tfx")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    print(f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores.")
    print(
        f"Pool of {setting.images:,} images, {setting.epochs} epochs, {setting.models} reference "
        "models.\n"
    )


def _report_attacks(run: EvaluateSettings) -> bool:
    from tfx_privacy.evaluation.metrics_directory import read_metrics

    results = read_metrics(str(run.metrics)).results
    judged, fit = results.records.judge, results.records.fit
    print(
        f"\nFitted on {fit.members:,} members and {fit.nonmembers:,} non-members, judged on "
        f"{judged.members:,} and {judged.nonmembers:,}; {len(results.references.losses)} models.\n"
    )
    rows = [(attack.name, *_cells(attack.metrics)) for attack in results.attacks]
    print(markdown_table(("attack", "AUC", "TPR at 1% FPR", "TPR at 0.1% FPR"), rows))
    for skipped in results.skipped_attacks:
        print(f"\n{skipped.name} did not run: {skipped.reason}")
    curves = [
        (curve.attack, point.models, *_cells(point.metrics))
        for curve in results.references.curves
        for point in curve.points
    ]
    header = ("attack", "models", "AUC", "TPR at 1% FPR", "TPR at 0.1% FPR")
    print(f"\n{markdown_table(header, curves)}\n")
    difference = results.references.difference
    print(
        "Mean loss on what a model was trained on minus that on the rest: "
        f"{difference.mean:.4f} +- {difference.standard_error:.4f}.\n"
    )
    print(markdown_table(("stage", "s"), [(s.stage, f"{s.seconds:.1f}") for s in results.stages]))
    print(f"\nReport: {run.metrics / 'report.html'}\n")
    return _is_above_threshold(results)


def _is_above_threshold(results: results_pb2.PrivacyResults) -> bool:
    """Whether attacks with references find what is asked of them, said of each."""
    found = {attack.name: attack.metrics for attack in results.attacks}
    auc, tpr = _estimates(found[THRESHOLD])
    met = True
    for name in _JUDGED:
        its_auc, its_tpr = _estimates(found[name])
        is_met = its_auc >= auc + AUC_ABOVE_THRESHOLD and its_tpr >= TIMES_TPR_OF_THRESHOLD * tpr
        print(f"{name}: AUC {its_auc - auc:+.3f}, TPR times {its_tpr / tpr:.1f}: {_met(is_met)}")
        met &= is_met
    return met


def _estimates(metrics: Sequence[results_pb2.MetricValue]) -> tuple[float, float]:
    """The AUC, and the TPR at 1% FPR."""
    return _value(metrics, "auc", 0.0).estimate, _value(metrics, "tpr_at_fpr", 0.01).estimate


def _cells(metrics: Sequence[results_pb2.MetricValue]) -> tuple[str, str, str]:
    return (
        _interval(_value(metrics, "auc", 0.0), digits=3),
        _interval(_value(metrics, "tpr_at_fpr", 0.01), digits=3),
        _interval(_value(metrics, "tpr_at_fpr", 0.001), digits=4),
    )


def _value(
    metrics: Sequence[results_pb2.MetricValue], name: str, fpr: float
) -> results_pb2.MeasuredValue:
    def is_wanted(metric: config_pb2.MetricSpec) -> bool:
        return metric.name == name and metric.fpr == fpr

    return next(one.value for one in metrics if is_wanted(one.metric))


def _interval(value: results_pb2.MeasuredValue, digits: int) -> str:
    numbers = (value.estimate, value.lower, value.upper)
    estimate, lower, upper = (f"{number:.{digits}f}" for number in numbers)
    return f"{estimate} ({lower} to {upper})"


def _met(is_met: bool) -> str:
    return "met" if is_met else "NOT MET"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
