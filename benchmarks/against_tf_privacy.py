r"""TF Privacy's membership-inference test and ours: seconds, AUC and memory on the same rows.

TF Privacy wants other versions than ours, so it lives in an environment of its own; of
scikit-learn, 1.2 is the last version on which the whole of its forest's grid runs:

    python -m venv /tmp/tf_privacy
    /tmp/tf_privacy/bin/pip install "scikit-learn==1.2.2" "numpy<2" "scipy<1.13" \
        "pandas<2.3" statsmodels==0.14.0 immutabledict
    /tmp/tf_privacy/bin/pip install --no-deps tensorflow-empirical-privacy==0.1.0
    python benchmarks/against_tf_privacy.py --tf-privacy-python /tmp/tf_privacy/bin/python \
        --data ../shared/data --work /tmp/against_tf_privacy

Every attack runs in a process of its own with one thread; TF Privacy's grids, features and
folds are as it has them. Both score every row by a fit that did not see it, and both times
begin with the rows in memory and end with AUC, advantage and PPV. TF Privacy's epsilon
bounds, which it computes beside, are taken out of its time.

What TF Privacy found is kept in WORK and not measured again (its forest alone takes some
twenty minutes), unless --again is given; ours is measured anew every time. DATA is as in
real_data.py. Ends with exit code 1 where a bar is not met.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.benchmarks.attack_rows import predictions, synthetic
from tfx_privacy.benchmarks.populations import markdown_table
from tfx_privacy.metrics.auc import auc
from tfx_privacy.metrics.edges import choose_edges, count_scores
from tfx_privacy.metrics.exact import exact_values
from tfx_privacy.metrics.resolution import resolution
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.signals.batch import Signals

TIMES_FASTER = 40
AUC_TOLERANCE = 0.005
PARITY = 1e-6
BEYOND_THE_LOSS = 0.01
_VALUES = ("auc", "max_advantage", "ppv")

# TF Privacy takes the logarithm of probabilities of at least 1e-8.
_LARGEST_LOSS = -math.log(1e-8)

_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)
_HERE = Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Pair:
    """An attack that both have.

    Attributes:
      ours: The name in our registry.
      theirs: TF Privacy's name.
      runs: How often TF Privacy's is run, each time with another seed.
      done: What makes ours faster or stronger.
    """

    ours: str
    theirs: str
    runs: int
    done: str


PAIRS = (
    Pair("loss_threshold", "THRESHOLD_ATTACK", 3, "the same; ours does not clip the loss"),
    Pair("modified_entropy", "THRESHOLD_ENTROPY_ATTACK", 3, "the same; in logarithms"),
    Pair(
        "logistic_regression",
        "LOGISTIC_REGRESSION",
        3,
        "log-odds, bends and the label as features; Newton steps from one penalty to the next",
    ),
    Pair(
        "network",
        "MULTI_LAYERED_PERCEPTRON",
        1,
        "one shape, stopped by rows held back, instead of a grid; NumPy, several at once",
    ),
    Pair(
        "random_forest",
        "RANDOM_FOREST",
        1,
        "size chosen out of the bag on some rows; trees of bounded depth on a part of the rows",
    ),
    Pair(
        "nearest_neighbours",
        "K_NEAREST_NEIGHBORS",
        3,
        "few features; one search for all k; up to 300 weighted neighbours",
    ),
)


@dataclasses.dataclass(frozen=True)
class Rows:
    """An input: rows, and where they lie for the other processes.

    Attributes:
      name: For people and files.
      path: The .npz file.
      signals: The rows.
      is_real: Whether a model made the predictions.
    """

    name: str
    path: Path
    signals: Signals
    is_real: bool


@dataclasses.dataclass(frozen=True)
class Runs:
    """Several runs of one attack on one input, each with a seed of its own.

    Attributes:
      measured: What each process printed.
      scores: [n] of each.
    """

    measured: Sequence[dict[str, float]]
    scores: Sequence[NDArray[np.float64]]

    def median(self, name: str) -> float:
        return float(np.median([one[name] for one in self.measured]))

    def mean(self, name: str) -> float:
        return float(np.mean([one[name] for one in self.measured]))

    @property
    def peak_mb(self) -> float:
        return max(one["peak_mb"] for one in self.measured)


Compared = dict[str, tuple[Runs, Runs]]


def main() -> None:
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    for name in options.inputs:
        rows = _rows(name, options)
        found: Compared = {
            pair.ours: (_ours(rows, pair, options), _theirs(rows, pair, options)) for pair in PAIRS
        }
        failed += _report(rows, found)
    print("\n".join(["", *(f"NOT MET: {one}" for one in failed)]) if failed else "\nAll bars met.")
    sys.exit(1 if failed else 0)


_SYNTHETIC = {"synthetic_5000": 5_000, "synthetic_25000": 25_000}
_REAL = ("location30", "cifar10")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tf-privacy-python", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="rows, scores and raw numbers")
    beside = _HERE.parent.parent / "shared" / "data"
    default = os.environ.get("TFX_PRIVACY_DATA", beside)
    parser.add_argument("--data", type=Path, default=default, help="the folder of real data")
    inputs = [*_SYNTHETIC, *_REAL]
    parser.add_argument("--inputs", nargs="+", choices=inputs, default=inputs)
    parser.add_argument("--runs", type=int, default=3, help="of ours")
    parser.add_argument("--seed", type=int, default=1, help="of rows and targets")
    parser.add_argument("--again", action="store_true", help="measure TF Privacy again")
    return parser.parse_args()


def _rows(name: str, options: argparse.Namespace) -> Rows:
    stored = options.work / f"{name}_{options.seed}.npz"
    is_real = name in _REAL
    if is_real and not stored.exists():
        script = str(_HERE / "target_predictions.py")
        _run([sys.executable, script, str(options.data), name, str(options.seed), str(stored)])
    signals = predictions(stored) if is_real else synthetic(_SYNTHETIC[name], seed=options.seed)
    path = options.work / f"{name}_{options.seed}_rows.npz"
    np.savez(
        path,
        logits=signals.logits,
        label=signals.label,
        member=signals.member,
    )
    return Rows(name, path, signals, is_real)


def _ours(rows: Rows, pair: Pair, options: argparse.Namespace) -> Runs:
    script = str(_HERE / "own_attacks.py")
    measured, scores = [], []
    for seed in range(1, options.runs + 1):
        file = options.work / f"{rows.name}_{pair.ours}_{seed}.npz"
        command = [sys.executable, script, str(rows.path), pair.ours, str(seed), str(file)]
        measured.append(json.loads(_run(command)))
        file.with_suffix(".json").write_text(json.dumps(measured[-1]))
        scores.append(_scores(file))
    return Runs(measured, scores)


def _theirs(rows: Rows, pair: Pair, options: argparse.Namespace) -> Runs:
    script = str(_HERE / "tf_privacy_attacks.py")
    measured, scores = [], []
    for seed in range(1, pair.runs + 1):
        file = options.work / f"{rows.name}_{pair.theirs}_{seed}_{_digest(rows.signals)}.npz"
        kept = file.with_suffix(".json")
        if options.again or not kept.exists():
            python = str(options.tf_privacy_python)
            line = _run([python, script, str(rows.path), pair.theirs, str(seed), str(file)])
            kept.write_text(line)
        measured.append(json.loads(kept.read_text()))
        scores.append(_scores(file))
    return Runs(measured, scores)


def _run(command: Sequence[str]) -> str:
    """The last line that a process prints; it has one thread and no GPU."""
    print(" ".join(Path(part).name for part in command), file=sys.stderr, flush=True)
    environment = {**os.environ, **_ONE_THREAD, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    return done.stdout.splitlines()[-1] if done.stdout else ""


def _scores(file: Path) -> NDArray[np.float64]:
    with np.load(file) as arrays:
        scores: NDArray[np.float64] = arrays["scores"]
    return scores


def _digest(signals: Signals) -> str:
    digest = hashlib.blake2b(digest_size=4)
    for column in (signals.logits, signals.label, signals.member):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _report(rows: Rows, found: Compared) -> list[str]:
    """Prints what was found on one input; says which bars are not met."""
    members = int(rows.signals.member.sum())
    print(f"\n## {rows.name}: {members:,} members, {len(rows.signals) - members:,} others\n")
    print(_attacks_table(rows, found), "\n")
    failed = [*_strength(rows, found), *_memory(rows, found), *_speed(rows, found)]
    print(f"\nParity, the largest difference of {', '.join(_VALUES)} (binned: AUC, advantage):\n")
    return failed + _parity(rows, found)


def _attacks_table(rows: Rows, found: Compared) -> str:
    header = (
        "attack",
        "seconds ours",
        "theirs",
        "times",
        "AUC ours",
        "theirs",
        "difference (95%)",
        "peak MB ours",
        "theirs",
        "what was done",
    )
    lines: list[tuple[object, ...]] = []
    for pair in PAIRS:
        ours, theirs = found[pair.ours]
        seconds = [side.median("processor_seconds") for side in (ours, theirs)]
        difference, margin = _difference(rows.signals.member, ours, theirs)
        lines.append(
            (
                pair.ours,
                *(f"{one:.3f}" for one in seconds),
                f"{seconds[1] / seconds[0]:.1f}",
                f"{ours.mean('auc'):.4f}",
                f"{theirs.mean('auc'):.4f}",
                f"{difference:+.4f} (+-{margin:.4f})",
                f"{ours.peak_mb:.0f}",
                f"{theirs.peak_mb:.0f}",
                pair.done,
            )
        )
    return markdown_table(header, lines)


def _difference(member: NDArray[np.bool_], ours: Runs, theirs: Runs) -> tuple[float, float]:
    """The mean difference of the AUCs, and the half of its 95% interval.

    Paired by rows (DeLong, DeLong and Clarke-Pearson 1988), on ranks averaged over seeds.
    """
    placed = [
        np.mean([_placements(one, member) for one in side.scores], axis=0)
        for side in (ours, theirs)
    ]
    apart = placed[0] - placed[1]
    variance = sum(float(np.var(apart[side], ddof=1)) / side.sum() for side in (member, ~member))
    return float(apart[member].mean()), 1.96 * math.sqrt(variance)


def _placements(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each row, the share of the other side that it ranks rightly against; ties by half."""
    placed = np.empty(len(scores))
    for side, sign in ((member, 1.0), (~member, -1.0)):
        other = np.sort(sign * scores[~side])
        mine = sign * scores[side]
        below = np.searchsorted(other, mine, "left") + np.searchsorted(other, mine, "right")
        placed[side] = below / (2 * len(other))
    return placed


def _strength(rows: Rows, found: Compared) -> list[str]:
    failed = []
    for name, (ours, theirs) in found.items():
        behind = theirs.mean("auc") - ours.mean("auc")
        if behind > AUC_TOLERANCE:
            failed.append(f"{rows.name}: the AUC of {name} is {behind:.4f} below TF Privacy's")
    if rows.is_real:
        loss = found["loss_threshold"][0].mean("auc")
        beyond = max(ours.mean("auc") for ours, _ in found.values()) - loss
        print(f"The best trained attack is {beyond:+.4f} beyond the loss threshold.")
        if beyond < BEYOND_THE_LOSS:
            failed.append(f"{rows.name}: trained attacks are {beyond:.4f} beyond the loss")
    return failed


def _memory(rows: Rows, found: Compared) -> list[str]:
    ours, theirs = (max(runs[side].peak_mb for runs in found.values()) for side in (0, 1))
    print(f"Peak memory over all attacks: ours {ours:.0f} MB, TF Privacy's {theirs:.0f} MB.")
    if ours < theirs:
        return []
    return [f"{rows.name}: peak memory {ours:.0f} MB, TF Privacy's {theirs:.0f} MB"]


def _speed(rows: Rows, found: Compared) -> list[str]:
    texts = []
    for clock in ("processor_seconds", "seconds"):
        ours, theirs = (sum(runs[side].median(clock) for runs in found.values()) for side in (0, 1))
        texts.append(f"{ours:.1f} s against {theirs:.1f} s, {theirs / ours:.0f} times")
        if clock == "processor_seconds":
            times = theirs / ours
    print(f"All attacks in sum: {texts[0]} (by the clock on the wall: {texts[1]}).")
    if rows.name != "synthetic_25000" or times >= TIMES_FASTER:
        return []
    return [f"{rows.name}: {times:.1f} times as fast, expected {TIMES_FASTER}"]


def _parity(rows: Rows, found: Compared) -> list[str]:
    """Our numbers of the same scores against those that TF Privacy printed."""
    assert rows.signals.loss is not None
    member, failed = rows.signals.member, []
    clipped = -np.minimum(rows.signals.loss.astype(np.float64), _LARGEST_LOSS)
    lines: list[tuple[object, ...]] = []
    # Where there is nothing to learn, our own scores; elsewhere those of TF Privacy.
    scores_of = {name: theirs.scores[0] for name, (_, theirs) in found.items()} | {
        "loss_threshold": clipped,
        "modified_entropy": found["modified_entropy"][0].scores[0],
    }
    for name, scores in scores_of.items():
        printed = found[name][1].measured[0]
        exact = dataclasses.asdict(exact_values(scores, member))
        apart = max(abs(exact[value] - printed[value]) for value in _VALUES)
        counts = count_scores(scores, member, choose_edges(scores, member))
        allowed = resolution(counts)
        binned_auc = abs(auc(counts) - printed["auc"])
        # A threshold inside a bin moves TPR - FPR by at most what the bin holds.
        shares = counts.members / counts.n_members, counts.nonmembers / counts.n_nonmembers
        of_bin = float(np.maximum(*shares).max())
        roc = Roc.from_counts(counts)
        binned_advantage = abs(float(np.abs(roc.tpr - roc.fpr).max()) - printed["max_advantage"])
        agrees = apart <= PARITY and binned_auc <= allowed + 1e-12
        agrees &= binned_advantage <= of_bin + PARITY
        lines.append(
            (
                name,
                f"{apart:.1e}",
                f"{binned_auc:.1e} (resolution {allowed:.1e})",
                f"{binned_advantage:.1e} (largest bin {of_bin:.1e})",
                "yes" if agrees else "NO",
            )
        )
        if not agrees:
            failed.append(f"{rows.name}: {name} is not on a par with TF Privacy")
    header = ("attack", "exact path", "binned AUC", "binned advantage", "agrees")
    print(markdown_table(header, lines))
    return failed


if __name__ == "__main__":
    main()
