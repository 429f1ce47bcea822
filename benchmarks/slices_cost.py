"""What slices cost: CPU of each stage and memory, with none, a hundred and a thousand.

    python benchmarks/slices_cost.py --rows 200000 --slices 0 100 1000 --repeats 3

`measure` on generated predictions of ten classes with the attacks named below and without
controls; slices are made of one column of so many values. Each run is a process of its
own; the medians are shown, and the ratio to the run without slices. CPU and not wall clock,
which other processes lengthen; all runs in one process here. Memory is the peak of the stages
above what the process had before them.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_ATTACKS = (
    "loss_threshold",
    "confidence",
    "entropy",
    "modified_entropy",
    "margin",
    "correctness",
    "logistic_regression",
)
_CLASSES = 10
_STAGES = ("select", "fit", "score", "evidence", "report")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000, help="members and non-members")
    parser.add_argument("--slices", type=int, nargs="+", default=[0, 100, 1000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one-run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_run:
        print(json.dumps(_one_run(options.rows, options.slices[0])))
        return

    from tfx_privacy.benchmarks.populations import markdown_table

    # Runs of different kinds take turns: a busy minute shall not hit one kind alone.
    runs: dict[int, list[dict[str, float]]] = {slices: [] for slices in options.slices}
    for _ in range(options.repeats):
        for slices, found in runs.items():
            found.append(_in_own_process(options.rows, slices))
    medians = {
        slices: {name: statistics.median(run[name] for run in found) for name in found[0]}
        for slices, found in runs.items()
    }
    first = medians[options.slices[0]]
    print(
        f"{options.rows:,} rows, {len(_ATTACKS)} attacks, medians of {options.repeats} "
        f"(times the first column's):\n"
    )
    print(
        markdown_table(
            ("", *(f"{slices:,} slices" for slices in medians)),
            [
                (
                    name,
                    *(f"{of[name]:,.2f} ({of[name] / first[name]:.2f})" for of in medians.values()),
                )
                for name in first
            ],
        )
    )


def _in_own_process(rows: int, slices: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one-run", "--rows", str(rows), "--slices", str(slices)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed:\n{done.stderr[-4000:]}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _one_run(rows: int, slices: int) -> dict[str, float]:
    import apache_beam as beam

    from tfx_privacy.evaluation.measure import measure
    from tfx_privacy.evaluation.metrics_directory import COUNTS_FILE, read_metrics
    from tfx_privacy.evaluation.output_directory import whole_output
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
    from tfx_privacy.verdict.judge import judge

    config = config_pb2.PrivacyConfig(
        attacks=_ATTACKS,
        slicing_specs=[config_pb2.SlicingSpec(feature_keys=["group"])] if slices else [],
        skip_controls=[
            config_pb2.BLIND_BASELINE,
            config_pb2.NEGATIVE_CONTROL,
            config_pb2.POSITIVE_CONTROL,
        ],
        keep_signals=False,
    )
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}

    def listen(stage: str, ended_after: float | None) -> None:
        seconds[stage] = time.process_time() - seconds.get(stage, 0.0)
        if ended_after is not None:
            peaks[stage] = _peak_mb()

    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder), rows, max(slices, 1))
        members, nonmembers = f"{folder}/members.npz", f"{folder}/nonmembers.npz"
        before = _peak_mb()
        with whole_output(f"{folder}/metrics") as outputs:
            content = measure(members, nonmembers, config, outputs, beam.Pipeline, listen)
        found = {f"{stage}, s": seconds[stage] for stage in _STAGES}
        start = time.process_time()
        content = read_metrics(f"{folder}/metrics")
        judge(content.results, content.evidence, thresholds_pb2.PrivacyThresholds())
        return {
            **found,
            "reading and judging, s": time.process_time() - start,
            "peak up to the fit, MB above the start": peaks["fit"] - before,
            "peak of all, MB above the start": _peak_mb() - before,
            "counts on disk, MB": Path(folder, "metrics", COUNTS_FILE).stat().st_size / 2**20,
            "report, MB": Path(folder, "metrics", "report.html").stat().st_size / 2**20,
        }


def _save(folder: Path, rows: int, groups: int) -> None:
    """Members are a little surer of the true class."""
    rng = np.random.default_rng(0)
    for name, leak, first in (("members", 0.3, 0), ("nonmembers", 0.0, rows // 2)):
        size = rows // 2
        label = rng.integers(0, _CLASSES, size)
        logits = rng.normal(size=(size, _CLASSES)).astype(np.float32)
        logits[np.arange(size), label] += 1 + leak
        group = np.array([f"{value:05d}" for value in rng.integers(0, groups, size)])
        columns = {"id": first + np.arange(size), "label": label, "logits": logits}
        np.savez(folder / f"{name}.npz", **columns, group=group)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
