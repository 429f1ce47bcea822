"""Runs one of TF Privacy's attacks, in its own environment: a part of against_tf_privacy.py.

    python tf_privacy_attacks.py ROWS.npz ATTACK SEED SCORES.npz

ROWS.npz holds logits [n, w], label [n] and member [n]; the scores of the rows, in their order, go
into SCORES.npz, and one line of JSON to the standard output. TF Privacy computes losses and
entropies itself; where labels are known, as here, its entropy is the modified one.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from tensorflow_privacy.privacy.privacy_tests import epsilon_lower_bound as elb
from tensorflow_privacy.privacy.privacy_tests.membership_inference_attack import (
    data_structures,
    membership_inference_attack,
)

_ATTACKS = data_structures.AttackType


def main() -> None:
    rows_path, attack, seed, scores_path = sys.argv[1:]
    logging.disable(logging.WARNING)
    # The forest's grid asks for what scikit-learn is about to give up.
    warnings.filterwarnings("ignore")
    with np.load(rows_path) as arrays:
        rows = dict(arrays)
    member = rows["member"]
    sides = {"train": member, "test": ~member}
    logits = rows["logits"]
    if attack in ("THRESHOLD_ATTACK", "THRESHOLD_ENTROPY_ATTACK"):
        # In double precision its scores are the true ones, but for the clip.
        logits = logits.astype(np.float64)
    columns = {"logits": logits, "labels": rows["label"]}
    attack_input = data_structures.AttackInputData(
        **{
            f"{name}_{side}": column[where]
            for name, column in columns.items()
            for side, where in sides.items()
        }
    )
    epsilon_seconds = _time_of_epsilon()
    imports_mb = _peak_mb()
    # It draws from NumPy's global generator and has no seed of its own.
    np.random.seed(int(seed))  # noqa: NPY002
    wall, processor = time.perf_counter(), time.process_time()
    (result,) = membership_inference_attack.run_attacks(
        attack_input, attack_types=(_ATTACKS[attack],)
    ).single_attack_results
    values = (result.get_auc(), result.get_attacker_advantage(), result.get_ppv())
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    epsilon_wall, epsilon_processor = np.sum(epsilon_seconds, axis=0)
    scores = np.empty(len(member))
    scores[member], scores[~member] = result.membership_scores_train, result.membership_scores_test
    np.savez(scores_path, scores=scores)
    found = {
        "seconds": wall - epsilon_wall,
        "processor_seconds": processor - epsilon_processor,
        "epsilon_seconds": epsilon_wall,
        "peak_mb": _peak_mb(),
        "imports_mb": imports_mb,
        "auc": float(values[0]),
        "max_advantage": float(values[1]),
        "ppv": float(values[2]),
        "scikit_learn": sklearn.__version__,
    }
    print(json.dumps(found))


def _time_of_epsilon() -> list[tuple[float, float]]:
    """Seconds by the wall and of the processor of each epsilon bound from now on.

    It cannot be switched off, and is not compared.
    """
    seconds: list[tuple[float, float]] = []
    running: list[object] = []

    def timed(function):
        def wrapper(*args, **kwargs):
            wall, processor = time.perf_counter(), time.process_time()
            running.append(function)
            try:
                return function(*args, **kwargs)
            finally:
                running.pop()
                # A subclass's __init__ calls its base's: counted once.
                if not running:
                    seconds.append((time.perf_counter() - wall, time.process_time() - processor))

        return wrapper

    for name in ("__init__", "compute_epsilon_lower_bounds"):
        setattr(elb.EpsilonLowerBound, name, timed(getattr(elb.EpsilonLowerBound, name)))
    return seconds


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
