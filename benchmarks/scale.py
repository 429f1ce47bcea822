"""Time by stage and peak memory of `tfx-privacy measure` on many synthetic predictions.

    python benchmarks/scale.py --rows-per-side 100000 1000000

Logits of 10 classes, drawn by chance; those of members are a little surer of the true class.
Beside them an id and four input features, which the blind baseline sees. Each size is measured
in a process of its own, on Linux: its peak is the largest sum over itself and its children of the
memory in use (RSS), looked at ten times a second, or what the kernel says of the process itself
where that is more. Writing the predictions is not counted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CLASSES = 10
FEATURES = 4
# By how much a member's logit of its true class is raised.
LEAK = 0.2
_CHUNK = 50_000
_LOOK_EVERY_S = 0.1
_SIDES = ("members", "nonmembers")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows-per-side", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--attacks", nargs="+", default=["standard"], help="names or sets")
    parser.add_argument("--scratch", type=Path, help="where the files go; default the system's")
    parser.add_argument("--cores", type=int, default=2, help="cores to run on at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        print(json.dumps(_measure(options.folder, options.attacks, options.seed)))
        return
    # Children inherit it.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    peaks = []
    for rows in options.rows_per_side:
        with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
            folder = Path(scratch)
            _generate(folder, rows, options.seed)
            measured, tree_mb = _in_own_process(folder, options.attacks, options.seed)
        peaks.append(max(tree_mb, measured["own_peak_mb"]))
        _report(rows, measured, peaks[-1])
    if len(peaks) > 1:
        print(f"\nratio of the peaks: {peaks[-1] / peaks[0]:.2f}")


def _generate(folder: Path, rows: int, seed: int) -> None:
    for is_member, name in zip((True, False), _SIDES, strict=True):
        rng = np.random.default_rng((seed, is_member))
        writer = None
        for start in range(0, rows, _CHUNK):
            chunk = _predictions(rng, start, min(_CHUNK, rows - start), is_member)
            writer = writer or pq.ParquetWriter(folder / f"{name}.parquet", chunk.schema)
            writer.write_table(chunk)
        if writer:
            writer.close()


def _predictions(rng: np.random.Generator, start: int, rows: int, is_member: bool) -> pa.Table:
    label = rng.integers(0, CLASSES, rows)
    logits = rng.normal(0, 2, (rows, CLASSES)).astype(np.float32)
    logits[np.arange(rows), label] += 1.0 + LEAK * is_member
    features = {f"x{i}": rng.normal(size=rows).astype(np.float32) for i in range(FEATURES)}
    return pa.table(
        {
            "id": 2 * np.arange(start, start + rows) + is_member,
            "label": label,
            "logits": pa.FixedSizeListArray.from_arrays(logits.ravel(), CLASSES),
            **features,
        }
    )


def _in_own_process(folder: Path, attacks: list[str], seed: int) -> tuple[dict, float]:
    """What `_measure` found, and the largest sum of memory of the process and its children."""
    command = [sys.executable, __file__, "--folder", str(folder), "--seed", str(seed)]
    answer, log = folder / "answer.json", folder / "log.txt"
    with answer.open("w") as out, log.open("w") as err:
        process = subprocess.Popen([*command, "--attacks", *attacks], stdout=out, stderr=err)
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(_memory(one) for one in _tree(process.pid)))
            time.sleep(_LOOK_EVERY_S)
    if process.returncode:
        sys.exit(f"failed:\n{log.read_text()[-4_000:]}")
    return json.loads(answer.read_text().splitlines()[-1]), peak / 2**20


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        # It has just ended.
        return
    for child in children:
        yield from _tree(int(child))


def _memory(pid: int) -> int:
    """Bytes in use, pages shared with others included; 0 if the process has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _measure(folder: Path, attacks: list[str], seed: int) -> dict:
    import apache_beam as beam

    from tfx_privacy.evaluation.measure import measure
    from tfx_privacy.evaluation.output_directory import whole_output
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2

    logging.disable(logging.WARNING)
    stages: dict[str, float] = {}

    def listen(stage: str, seconds: float | None) -> None:
        if seconds is not None:
            stages[stage] = seconds

    members, nonmembers = (str(folder / f"{side}.parquet") for side in _SIDES)
    config = config_pb2.PrivacyConfig(attacks=attacks, seed=seed)
    start = time.perf_counter()
    with whole_output(str(folder / "metrics")) as outputs:
        results = measure(members, nonmembers, config, outputs, beam.Pipeline, listen).results
    auc = next(one for one in results.best_of_attacks if one.metric.name == "auc").value
    return {
        "seconds": time.perf_counter() - start,
        "stages": stages,
        "own_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "judged": [results.records.judge.members, results.records.judge.nonmembers],
        "attacks": len(results.attacks),
        "auc": [auc.estimate, auc.lower, auc.upper],
    }


def _report(rows: int, measured: dict, peak_mb: float) -> None:
    auc, lower, upper = measured["auc"]
    judged = " and ".join(f"{side:,}" for side in measured["judged"])
    print(f"\n{rows:,} + {rows:,} rows, {measured['attacks']} attacks; {judged} judged")
    print(f"  {measured['seconds']:.0f} s, peak {peak_mb:,.0f} MB", end=" ")
    print(f"(process alone {measured['own_peak_mb']:,.0f} MB)")
    print("  " + ", ".join(f"{name} {took:.1f} s" for name, took in measured["stages"].items()))
    print(f"  best of the attacks: AUC {auc:.4f} ({lower:.4f} to {upper:.4f})", flush=True)


if __name__ == "__main__":
    main()
