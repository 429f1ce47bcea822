"""PrivacyEvaluator against the stock Evaluator: wall-clock time on the same work.

    python benchmarks/against_tfma.py --rows 200000 --repeats 3

Both are the TFX executors themselves on the same artifacts: the same SavedModel,
the same examples, both splits, DirectRunner. Each run is a process of its own,
and the two take turns. What is timed is `Do`, imports apart. The Evaluator
computes accuracy and AUC; PrivacyEvaluator does all that it does by default.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generated_target import LABEL, generate

_SIDES = ("tfma", "privacy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="rows in all, half a split")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--classes", type=int, nargs="*", default=[2, 10])
    parser.add_argument("--one-run", choices=_SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_run:
        print(json.dumps(_one_run(options.one_run, options.folder)))
        return
    for classes in options.classes:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            generate(folder, options.rows // 2, classes)
            runs: dict[str, list[dict]] = {side: [] for side in _SIDES}
            for _ in range(options.repeats):
                for side in _SIDES:
                    runs[side].append(_in_own_process(side, folder))
            _report(classes, options.rows, runs)


def _in_own_process(side: str, folder: Path) -> dict:
    command = [sys.executable, __file__, "--one-run", side, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _report(classes: int, rows: int, runs: dict[str, list[dict]]) -> None:
    medians = {side: statistics.median(run["seconds"] for run in runs[side]) for side in _SIDES}
    print(f"\n{classes} classes, {rows:,} rows; seconds, median of {len(runs['tfma'])}")
    for side in _SIDES:
        all_seconds = ", ".join(f"{run['seconds']:.1f}" for run in runs[side])
        peak = max(run["peak_mb"] for run in runs[side])
        print(f"  {side:8s} {medians[side]:7.1f}   ({all_seconds})   peak {peak:,.0f} MB")
    stages = runs["privacy"][0]["stages"]
    for stage in stages:
        seconds = statistics.median(run["stages"][stage] for run in runs["privacy"])
        print(f"    {stage:10s} {seconds:6.1f}   {seconds / medians['tfma']:.3f} of tfma")
    print(f"  whole: {medians['privacy'] / medians['tfma']:.2f} of tfma", flush=True)


def _one_run(side: str, folder: Path) -> dict:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as output:
        run = _tfma_run if side == "tfma" else _privacy_run
        do, stages_of = run(folder, Path(output))
        start = time.perf_counter()
        do()
        seconds = time.perf_counter() - start
        stages = stages_of()
        if stages:
            stages["report"] = seconds - sum(stages.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "stages": stages, "peak_mb": peak}


def _artifacts(folder: Path) -> dict[str, list]:
    from tfx.types import standard_artifacts

    model = standard_artifacts.Model()
    model.uri = str(folder / "model")
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    examples.split_names = json.dumps(["train", "eval"])
    return {"model": [model], "examples": [examples]}


def _outputs(output: Path, **types: type) -> dict[str, list]:
    artifacts = {}
    for name, artifact_type in types.items():
        artifact = artifact_type()
        artifact.uri = str(output / name)
        (output / name).mkdir()
        artifacts[name] = [artifact]
    return artifacts


def _tfma_run(folder: Path, output: Path):
    import tensorflow_model_analysis as tfma
    from google.protobuf import json_format
    from tfx.components.evaluator import executor
    from tfx.types import standard_artifacts

    binary = json.loads((folder / "classes.json").read_text()) == 2
    accuracy = "BinaryAccuracy" if binary else "SparseCategoricalAccuracy"
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key=LABEL)],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name=accuracy),
                    tfma.MetricConfig(class_name="AUC"),
                ]
            )
        ],
    )
    properties = {
        "eval_config": json_format.MessageToJson(config),
        "example_splits": json.dumps(["train", "eval"]),
        "fairness_indicator_thresholds": "null",
    }
    outputs = _outputs(
        output,
        evaluation=standard_artifacts.ModelEvaluation,
        blessing=standard_artifacts.ModelBlessing,
    )
    inputs = _artifacts(folder)
    evaluator = executor.Executor(_context(executor.Executor, output))
    return lambda: evaluator.Do(inputs, outputs, properties), dict


def _privacy_run(folder: Path, output: Path):
    from tfx_privacy import PrivacyConfig
    from tfx_privacy.components import artifacts
    from tfx_privacy.components.privacy_evaluator import executor
    from tfx_privacy.evaluation.config import resolve_config
    from tfx_privacy.evaluation.message_files import message_to_json

    config = resolve_config(PrivacyConfig(model_spec={"label_key": LABEL}))
    outputs = _outputs(
        output,
        metrics=artifacts.PrivacyMetrics,
        signals=artifacts.PrivacySignals,
        record_risk=artifacts.RecordRisk,
    )
    inputs = _artifacts(folder)
    evaluator = executor.Executor(_context(executor.Executor, output))
    properties = {"config": message_to_json(config), "code_version": "benchmark"}
    results = output / "metrics" / "metrics.json"
    return lambda: evaluator.Do(inputs, outputs, properties), lambda: _stages(results)


def _stages(results: Path) -> dict[str, float]:
    return {stage["stage"]: stage["seconds"] for stage in json.loads(results.read_text())["stages"]}


def _context(executor_class, output: Path):
    return executor_class.Context(
        beam_pipeline_args=["--direct_running_mode=in_memory"],
        tmp_dir=str(output / "tmp"),
        unique_id="1",
    )


if __name__ == "__main__":
    main()
