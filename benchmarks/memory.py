"""Peak memory of PrivacyEvaluator's whole run at two sizes of data.

    python benchmarks/memory.py --rows 200000 2000000

Each size is measured in a process of its own, duplicates counted, DirectRunner.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generated_target import LABEL, generate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[200_000, 2_000_000])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        print(json.dumps(_measure(options.folder)))
        return
    peaks = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            generate(folder, rows // 2, classes=10)
            measured = _in_own_process(folder)
        peaks.append(measured["peak_mb"])
        print(
            f"{rows:>12,} rows: peak {measured['peak_mb']:,.0f} MB, {measured['seconds']:.0f} s",
            flush=True,
        )
    print(f"ratio of the peaks: {peaks[-1] / peaks[0]:.2f}")


def _in_own_process(folder: Path) -> dict:
    command = [sys.executable, __file__, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(folder: Path) -> dict:
    import apache_beam as beam

    from tfx_privacy import PrivacyConfig
    from tfx_privacy.evaluation.evaluate import TargetInputs, evaluate
    from tfx_privacy.evaluation.output_directory import whole_output
    from tfx_privacy.signals.examples import ExampleSplit

    logging.disable(logging.WARNING)
    start = time.perf_counter()
    model_dir = str(folder / "model" / "Format-Serving")
    splits = [
        ExampleSplit(name, name == "train", (str(folder / "examples" / f"Split-{name}" / "*"),))
        for name in ("train", "eval")
    ]
    with tempfile.TemporaryDirectory() as output, whole_output(output) as outputs:
        evaluate(
            TargetInputs(model_dir, model_dir),
            splits,
            PrivacyConfig(model_spec={"label_key": LABEL}),
            outputs,
            beam.Pipeline,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak_mb": peak, "seconds": time.perf_counter() - start}


if __name__ == "__main__":
    main()
