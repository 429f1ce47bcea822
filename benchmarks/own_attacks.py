"""Runs one of our attacks on given rows: a part of against_tf_privacy.py.

    python own_attacks.py ROWS.npz ATTACK SEED SCORES.npz

Input and output are those of tf_privacy_attacks.py. Every row is scored by a fit that did
not see it, as there.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np

from tfx_privacy.attacks.out_of_fold import out_of_fold_scores
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.benchmarks.attack_rows import predictions
from tfx_privacy.metrics.exact import exact_values


def main() -> None:
    rows_path, name, seed, scores_path = sys.argv[1:]
    signals = predictions(Path(rows_path))
    (attack,) = resolve_attacks([name])
    # What is imported at the first fit; TF Privacy's environment has it imported, too.
    few = np.concatenate([np.flatnonzero(side)[:8] for side in (signals.member, ~signals.member)])
    out_of_fold_scores(attack, signals.take(few), int(seed))
    imports_mb = _peak_mb()
    wall, processor = time.perf_counter(), time.process_time()
    scores = out_of_fold_scores(attack, signals, int(seed))
    values = exact_values(scores, signals.member)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    np.savez(scores_path, scores=scores)
    found = {
        "seconds": wall,
        "processor_seconds": processor,
        "peak_mb": _peak_mb(),
        "imports_mb": imports_mb,
        **dataclasses.asdict(values),
    }
    print(json.dumps(found))


def _peak_mb() -> float:
    """Of this program alone: Linux's ru_maxrss begins with that of the one that started it."""
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
