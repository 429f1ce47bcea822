"""Seconds and memory of the evidence: a million scored rows, 50 slices, eight attacks.

    python benchmarks/evidence_cost.py --rows 1000000 --repeats 3

Rows come in batches as they do in the pipeline, with scores at hand: what attacks cost is
measured elsewhere (against_tfma.py). Timed are counting, measuring every metric of every
attack on the whole and on every slice, writing and reading the counts, and judging. Each
repeat is a process of its own; the medians are shown.
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
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_ATTACKS = tuple(f"attack_{i}" for i in range(8))
_BATCH = 50_000
_FIT_ROWS = 66_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="judged, two thirds members")
    parser.add_argument("--slices", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one-run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_run:
        print(json.dumps(_one_run(options.rows, options.slices)))
        return

    from tfx_privacy.benchmarks.populations import markdown_table

    runs = [_in_own_process(options.rows, options.slices) for _ in range(options.repeats)]
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    print(
        f"{options.rows:,} rows, {options.slices} slices, {len(_ATTACKS)} attacks, medians of "
        f"{options.repeats}:\n"
    )
    print(markdown_table(("", "median"), [(n, f"{value:,.2f}") for n, value in medians.items()]))


def _in_own_process(rows: int, slices: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one-run", "--rows", str(rows), "--slices", str(slices)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed:\n{done.stderr[-4000:]}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _one_run(rows: int, slices: int) -> dict[str, float]:
    from tfx_privacy.benchmarks.measurements import results_of
    from tfx_privacy.evaluation.config import resolve_config
    from tfx_privacy.evaluation.controls import FittedBlindBaseline, HalvedNonmembers
    from tfx_privacy.evaluation.evidence_files import (
        read_counts,
        read_edges,
        write_counts,
        write_edges,
    )
    from tfx_privacy.evaluation.results import assemble_results
    from tfx_privacy.metrics.counts import (
        WHOLE,
        CountsTable,
        Evidence,
        ScoreCounts,
        SparseCounts,
    )
    from tfx_privacy.metrics.edges import bin_scores, choose_edges, count_bins
    from tfx_privacy.metrics.slice_totals import (
        SliceTotals,
        count_rows_in_slices,
        count_scores_in_slices,
    )
    from tfx_privacy.metrics.slicing import FeatureValues, slice_rows
    from tfx_privacy.proto import privacy_config_pb2 as config_pb2
    from tfx_privacy.proto import privacy_results_pb2 as results_pb2
    from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
    from tfx_privacy.verdict.judge import judge

    rng = np.random.default_rng(0)
    spec = config_pb2.SlicingSpec(feature_keys=["feature"])
    vocabulary = [f"{i:04d}" for i in range(slices)]
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[f"{step}, s"] = seconds.get(f"{step}, s", 0.0) + time.perf_counter() - start

    fit_member = rng.random(_FIT_ROWS) < 2 / 3
    with timed("choosing edges and thresholds"):
        edges = {name: choose_edges(rng.normal(size=_FIT_ROWS), fit_member) for name in _ATTACKS}
    before = _peak_mb()
    whole_counts: dict[str, ScoreCounts] = {}
    totals: SliceTotals | None = None
    for start in range(0, rows, _BATCH):
        size = min(_BATCH, rows - start)
        member = rng.random(size) < 2 / 3
        scores = {name: rng.normal(size=size) for name in _ATTACKS}
        values = FeatureValues(np.arange(size + 1), rng.integers(0, slices, size), vocabulary)
        with timed("counting"):
            in_slices = slice_rows([spec], {"feature": values})
            numbers = np.array([int(key[0][1]) for key in in_slices.keys], np.uint64)
            bins = {name: (bin_scores(scores[name], cut), cut.bins) for name, cut in edges.items()}
            for name, (of_row, n_bins) in bins.items():
                part = count_bins(of_row, member, n_bins)
                known = whole_counts.get(name)
                whole_counts[name] = part if known is None else known + part
            counted = count_rows_in_slices(
                in_slices, numbers, member, slices
            ) + count_scores_in_slices(in_slices, numbers, member, bins, slices)
            totals = counted if totals is None else totals + counted
    assert totals is not None, "there is at least one batch"
    sparse = {(name, WHOLE): SparseCounts.of(whole) for name, whole in whole_counts.items()}
    counts = CountsTable(sparse | totals.counts())
    # Of the splits a third is FIT.
    of_splits = {key: (3 * m // 2, 3 * n // 2) for key, (m, n) in totals.slice_rows().items()}
    evidence = Evidence(edges, counts, of_splits)
    whole = whole_counts[_ATTACKS[0]]
    listed = results_of(
        evidence, _ATTACKS[0], (3 * whole.n_members // 2, 3 * whole.n_nonmembers // 2)
    )
    config = resolve_config(
        config_pb2.PrivacyConfig(model_spec=config_pb2.ModelSpec(label_key="label"))
    )
    del config.attacks[:]
    config.attacks.extend(_ATTACKS)
    left_out = "these are scores, not rows"
    with timed("measuring"):
        results = assemble_results(
            model=results_pb2.TargetModel(uri="drawn"),
            config=config,
            records=listed.records,
            evidence=evidence,
            best_attack=_ATTACKS[0],
            skipped={},
            blind=FittedBlindBaseline(not_run=left_out),
            halved=HalvedNonmembers({}, left_out, left_out),
            exact={},
        )
    with tempfile.TemporaryDirectory() as folder:
        with timed("writing the counts"):
            write_edges(edges, f"{folder}/edges")
            write_counts(counts, f"{folder}/counts")
        with timed("reading the counts"):
            read = Evidence(
                read_edges(f"{folder}/edges"), read_counts(f"{folder}/counts"), of_splits
            )
    with timed("judging, counts checked against results"):
        judge(results, read, thresholds_pb2.PrivacyThresholds())
    return {
        **seconds,
        "all, s": sum(seconds.values()),
        "peak memory, MB": _peak_mb(),
        "of it before the first row (imports), MB": before,
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
