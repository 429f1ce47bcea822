"""What white-box signals add to the pass over the examples, in Beam: time and memory.

    python benchmarks/white_box_pass.py --rows 100000 --repeats 3

The target is an MLP 64-64 on 11 features, the runner DirectRunner. Each way is measured in
processes of its own, one after the other in turn, and medians are shown of the time of
`observe` (wall clock and CPU, planning and loading the model apart) and of the processes'
peak memory. Ways: the black-box pass; with the gradient norms of all layers; with norms of
all layers, sketches of the last two and activations of the two hidden layers, the defaults.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from generated_target import LABEL, generate

if TYPE_CHECKING:
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2

_WAYS = ("black-box", "norms", "white-box")
_MEASURED = ("seconds", "cpu_seconds", "plan_seconds", "peak_mb", "table_mb")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(_measure(options.folder, options.way)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        generate(folder, options.rows // 2, classes=10)
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in _WAYS}
        for _ in range(options.repeats):
            for way, found in runs.items():
                found.append(_in_own_process(folder, way))
    _show(options.rows, runs)


def _show(rows: int, runs: dict[str, list[dict[str, float]]]) -> None:
    from tfx_privacy.benchmarks.populations import markdown_table

    medians = {
        way: {name: statistics.median(run[name] for run in found) for name in _MEASURED}
        for way, found in runs.items()
    }
    plain = medians["black-box"]
    print(
        markdown_table(
            ("way", "s", "CPU s", "added CPU µs a row", "plan s", "peak MB", "table MB"),
            [
                (
                    way,
                    f"{each['seconds']:.1f}",
                    f"{each['cpu_seconds']:.1f}",
                    f"{1e6 * (each['cpu_seconds'] - plain['cpu_seconds']) / rows:.0f}",
                    f"{each['plan_seconds']:.1f}",
                    f"{each['peak_mb']:,.0f}",
                    f"{each['table_mb']:,.1f}",
                )
                for way, each in medians.items()
            ],
        )
    )


def _in_own_process(folder: Path, way: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--folder", str(folder), "--way", way]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed:\n{done.stderr[-4000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(folder: Path, way: str) -> dict[str, float]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import apache_beam as beam

    from tfx_privacy.signals.examples import ExampleSplit, peek
    from tfx_privacy.signals.observe import ObserveOptions, observe
    from tfx_privacy.signals.target_plan import plan_target

    logging.disable(logging.WARNING)
    splits = [
        ExampleSplit(name, name == "train", (str(folder / "examples" / f"Split-{name}" / "*"),))
        for name in ("train", "eval")
    ]
    config = _config(way)
    start = time.perf_counter()
    plan = plan_target(
        str(folder / "model" / "Format-Serving"),
        config.model_spec,
        config.sample_sizes.batch_size,
        [record for split in splits for record in peek(split, 64)],
        None,
        config.white_box if config.HasField("white_box") else None,
        config.seed,
    )
    planned = time.perf_counter()
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as table:
        observe(beam.Pipeline, plan, splits, ObserveOptions(config.identity), table)
        size = sum(file.stat().st_size for file in Path(table).rglob("*") if file.is_file())
    return {
        "seconds": time.perf_counter() - planned,
        "cpu_seconds": time.process_time() - cpu,
        "plan_seconds": planned - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "table_mb": size / 2**20,
    }


def _config(way: str) -> config_pb2.PrivacyConfig:
    from tfx_privacy.evaluation.config import resolve_config
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2

    config = config_pb2.PrivacyConfig(model_spec={"label_key": LABEL})
    if way != "black-box":
        config.white_box.SetInParent()
    if way == "norms":
        config.white_box.skip.extend([config_pb2.GRADIENT_SKETCHES, config_pb2.ACTIVATIONS])
    return resolve_config(config)


if __name__ == "__main__":
    main()
