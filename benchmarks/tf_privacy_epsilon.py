"""How often a "95%" lower bound of epsilon is above zero where nothing leaks.

TensorFlow Privacy's and ours, on the same scores of the same runs. Its packages want other
versions than ours, so it lives in an environment of its own:

    python -m venv /tmp/tf_privacy
    /tmp/tf_privacy/bin/pip install "numpy<2" scipy scikit-learn statsmodels==0.14.0 immutabledict
    /tmp/tf_privacy/bin/pip install --no-deps tensorflow-empirical-privacy==0.1.0
    python benchmarks/tf_privacy_epsilon.py --python /tmp/tf_privacy/bin/python

Theirs sees all rows and takes the largest bound over all thresholds, as its class returns
it first. Ours chooses edges and threshold on a third of the rows, by the package's own
functions, and judges the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# The environment of TF Privacy does not have our package.
_CHILD = """
import json, sys
import numpy as np
from tensorflow_privacy.privacy.privacy_tests import epsilon_lower_bound as elb
scores, alpha = np.load(sys.argv[1]), float(sys.argv[2])
found = {method.value: [] for method in elb.BoundMethod}
for members, nonmembers in zip(scores["members"], scores["nonmembers"]):
    bounds = elb.EpsilonLowerBound(members, nonmembers, alpha=alpha)
    for method in elb.BoundMethod:
        with np.errstate(all="ignore"):
            top = bounds.compute_epsilon_lower_bound(method, k=1)
        found[method.value].append(float(top[0]) if len(top) else 0.0)
print(json.dumps(found))
"""
_SIZES = ((500, 500), (1_000, 500), (5_000, 5_000))
_KINDS = ("smooth", "ten values")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=Path, required=True, help="that has TF Privacy")
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    from tfx_privacy.benchmarks.populations import markdown_table, seeded

    rows: list[list[str]] = []
    header: list[str] = []
    for kind in _KINDS:
        for members, nonmembers in _SIZES:
            rng = seeded(options.seed, kind, members, nonmembers)
            scores = {
                "members": rng.normal(size=(options.runs, members)),
                "nonmembers": rng.normal(size=(options.runs, nonmembers)),
            }
            if kind == "ten values":
                scores = {side: np.clip(2 * s, -5, 4).round() for side, s in scores.items()}
            found = {
                **_theirs(options.python, scores, 0.05),
                "ours (97.5%)": _ours(scores, 0.025),
                "ours (95%)": _ours(scores, 0.05),
            }
            header = ["scores", "members/non-members", *found]
            shares = [f"{100 * np.mean(np.array(bounds) > 0):.1f}" for bounds in found.values()]
            largest = [f"{np.quantile(bounds, 0.95):.2f}" for bounds in found.values()]
            cells = [f"{s}% ({q})" for s, q in zip(shares, largest, strict=True)]
            rows.append([kind, f"{members:,}/{nonmembers:,}", *cells])
    print(
        f"Share of {options.runs:,} runs without a leak whose bound is above zero "
        "(and the bound's 95% quantile):\n"
    )
    print(markdown_table(header, rows))


def _theirs(
    python: Path, scores: Mapping[str, NDArray[np.float64]], alpha: float
) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "scores.npz"
        np.savez(path, **scores)
        command = [str(python), "-c", _CHILD, str(path), str(alpha)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr[-4000:]}")
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return {f"TF Privacy, {method}": bounds for method, bounds in found.items()}


def _ours(scores: Mapping[str, NDArray[np.float64]], alpha: float) -> list[float]:
    from tfx_privacy.metrics.edges import choose_edges, count_scores
    from tfx_privacy.metrics.epsilon import Epsilon

    bounds = []
    for members, nonmembers in zip(scores["members"], scores["nonmembers"], strict=True):
        row = np.concatenate((members, nonmembers))
        member = np.arange(len(row)) < len(members)
        # Scores are drawn independently: every third row is as good as any third.
        fit = np.arange(len(row)) % 3 == 0
        edges = choose_edges(row[fit], member[fit])
        counts = count_scores(row[~fit], member[~fit], edges)
        bounds.append(Epsilon(0.0).measure(counts, edges.thresholds, alpha).lower)
    return bounds


if __name__ == "__main__":
    main()
