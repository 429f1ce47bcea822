"""Misses of every interval, on each side, beside the nominal 2.5%.

    python benchmarks/calibration.py --runs 10000 --refit-runs 1000

Counts are drawn from populations whose shares in every bin are known, so that the truth
is known exactly; in every run the thresholds are chosen on counts of half the size, as
FIT is to JUDGE. What is called is the package's own `Metric.measure`. With refitting, rows
are drawn, logistic regression is fitted on a third of them in every run, and the truth is
that of the fitted attack, from a sample a hundred times the size where something leaks.

A cell fails on a one-sided exact binomial test at .001 divided by the number of cells and
sides. Cells that stand in --cells already, with the same seed and runs, are not run again.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import functools
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from tfx_privacy.benchmarks.populations import (
    Population,
    calibration_populations,
    eight_attacks,
    markdown_table,
    seeded,
)
from tfx_privacy.metrics.best_attack import best_of_attacks, select_best_attack
from tfx_privacy.metrics.choose_thresholds import choose_thresholds
from tfx_privacy.metrics.counts import ScoreCounts, ScoreEdges, Thresholds
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.registry import metric_from_spec, metric_key
from tfx_privacy.proto import privacy_config_pb2 as config_pb2

ALPHA = 0.025
# The level at which all cells together are tested.
LEVEL = 0.001
TOLERANCE = 1e-9
SIZES = ((100, 100), (100, 50), (2_000, 2_000), (2_000, 1_000), (20_000, 20_000), (20_000, 10_000))
REFIT_SIZES = ((100, 100), (100, 50), (2_000, 2_000), (2_000, 1_000))
BEST_OF_METRICS = ("auc", "advantage", "tpr_at_fpr_0.01")
METRICS: Mapping[str, Metric] = {
    metric_key(metric): metric
    for metric in (
        metric_from_spec(config_pb2.MetricSpec(**spec))
        for spec in (
            {"name": "auc"},
            {"name": "advantage"},
            {"name": "balanced_accuracy"},
            {"name": "tpr_at_fpr", "fpr": 0.1},
            {"name": "tpr_at_fpr", "fpr": 0.01},
            {"name": "tpr_at_fpr", "fpr": 0.001},
            {"name": "precision", "prior": 0.5},
            {"name": "precision", "prior": 0.1},
            {"name": "epsilon", "delta": 0.0},
            {"name": "epsilon", "delta": 0.01},
            {"name": "canary_epsilon", "delta": 0.0},
        )
    )
}
# Attacks that a run measures together.
Judged = tuple[ScoreCounts, Thresholds]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One metric on one population, at one size.

    Attributes:
      method: "drawn", "best of 8" or "refitted".
      metric: Its key.
      scores: Kind of scores.
      leak: What leaks.
      members: Judged, a run.
      nonmembers: Judged, a run.
      runs: How many.
      seed: Of all randomness.
      truth: The quantity; the mean over runs where it hangs on the FIT threshold.
      below: Runs in which the truth lay below the lower bound.
      above: Runs in which the truth lay above the upper bound.
      width: Mean width of the interval.
      spread: 2 * 1.96 standard deviations of the estimate's error, what an interval
        needs at least where estimates are normal.
    """

    method: str
    metric: str
    scores: str
    leak: str
    members: int
    nonmembers: int
    runs: int
    seed: int
    truth: float
    below: int
    above: int
    width: float
    spread: float

    @property
    def key(self) -> tuple[object, ...]:
        return dataclasses.astuple(self)[:8]

    @property
    def p_value(self) -> float:
        """Of as many misses as on the worse side, were they as rare as stated."""
        worse = max(self.below, self.above)
        return float(stats.binom.sf(worse - 1, self.runs, ALPHA))

    @property
    def relative_width(self) -> float:
        """Mean width over the spread; no number for bounds from below alone."""
        if self.spread == 0.0 or not math.isfinite(self.width):
            return math.nan
        return self.width / self.spread


@dataclasses.dataclass
class Tally:
    """Runs of one cell, one after the other."""

    below: int = 0
    above: int = 0
    truths: list[float] = dataclasses.field(default_factory=list)
    intervals: list[Interval] = dataclasses.field(default_factory=list)

    def add(self, interval: Interval, truth: float) -> None:
        self.below += truth < interval.lower - TOLERANCE
        self.above += truth > interval.upper + TOLERANCE
        self.truths.append(truth)
        self.intervals.append(interval)

    def cell(self, task: Task, metric: str) -> Cell:
        errors = [i.estimate - t for i, t in zip(self.intervals, self.truths, strict=True)]
        return Cell(
            **task.names(metric),
            truth=statistics.fmean(self.truths),
            below=self.below,
            above=self.above,
            width=statistics.fmean(i.upper - i.lower for i in self.intervals),
            spread=2 * 1.96 * float(np.std(errors)),
        )


@dataclasses.dataclass(frozen=True)
class Task:
    """The cells of one population at one size: the same draws for all metrics."""

    method: str
    scores: str
    leak: str
    members: int
    nonmembers: int
    runs: int
    seed: int
    metrics: tuple[str, ...]

    def names(self, metric: str) -> dict[str, object]:
        return {
            "method": self.method,
            "metric": metric,
            "scores": self.scores,
            "leak": self.leak,
            "members": self.members,
            "nonmembers": self.nonmembers,
            "runs": self.runs,
            "seed": self.seed,
        }

    def rng(self) -> np.random.Generator:
        where = (self.method, self.scores, self.leak, self.members, self.nonmembers)
        return seeded(self.seed, *where)

    def run(self) -> list[Cell]:
        """Runs all of its cells."""
        tallies = {metric: Tally() for metric in self.metrics}
        _METHODS[self.method](self, tallies)
        return [tally.cell(self, metric) for metric, tally in tallies.items()]


# How many runs are drawn at once: counts of 2,048 bins take room.
_AT_ONCE = 500


def _run_drawn(task: Task, tallies: Mapping[str, Tally]) -> None:
    """One attack, its counts drawn."""
    population = _population(task)
    rng = task.rng()
    canaries = [name for name in tallies if name.startswith("canary")]
    others = [name for name in tallies if name not in canaries]
    # Few different counts come up again and again where scores are binary.
    measure = functools.cache(
        lambda name, members, nonmembers, thresholds: METRICS[name].measure(
            ScoreCounts(np.array(members), np.array(nonmembers)), thresholds, ALPHA
        )
    )
    truth = functools.cache(lambda name, thresholds: population.truth(METRICS[name], thresholds))
    for start in range(0, task.runs, _AT_ONCE):
        runs = min(_AT_ONCE, task.runs - start)
        fits = population.draw(rng, task.members // 2, task.nonmembers // 2, runs)
        judged = population.draw(rng, task.members, task.nonmembers, runs)
        flipped = _coin_flips(population, rng, task.members + task.nonmembers, runs)
        for fit, counts, canary in zip(fits, judged, flipped, strict=True):
            thresholds = choose_thresholds(fit)
            for name, of_metric in [(n, counts) for n in others] + [(n, canary) for n in canaries]:
                if len(of_metric.members) == 2:
                    sides = tuple(of_metric.members.tolist()), tuple(of_metric.nonmembers.tolist())
                    interval = measure(name, *sides, thresholds)
                else:
                    interval = METRICS[name].measure(of_metric, thresholds, ALPHA)
                tallies[name].add(interval, truth(name, thresholds))


def _coin_flips(
    population: Population, rng: np.random.Generator, canaries: int, runs: int
) -> list[ScoreCounts]:
    """Counts of canaries of which a fair coin put each in or out."""
    # The metric refuses sides such as come up once in a million.
    most = int(4.5 * math.sqrt(canaries) / 2.0)
    members = np.clip(rng.binomial(canaries, 0.5, runs), canaries // 2 - most, canaries // 2 + most)
    return [
        ScoreCounts(
            rng.multinomial(m, population.members),
            rng.multinomial(canaries - m, population.nonmembers),
        )
        for m in members
    ]


def _run_best_of_eight(task: Task, tallies: Mapping[str, Tally]) -> None:
    """Eight attacks on the same rows: the largest of each metric over them."""
    together = eight_attacks(correlation=_CORRELATIONS[task.scores], leaking=task.leak != "no leak")
    rng = task.rng()
    truths = {
        name: max(
            together.of(attack).truth(METRICS[name], Thresholds.all_at(0))
            for attack in together.own
        )
        for name in tallies
    }
    bins = len(together.shared.members)
    cuts = np.arange(bins - 1, dtype=np.float64)
    for start in range(0, task.runs, _AT_ONCE):
        runs = min(_AT_ONCE, task.runs - start)
        fits = together.draw(rng, task.members // 2, task.nonmembers // 2, runs)
        judged = together.draw(rng, task.members, task.nonmembers, runs)
        for fit, counts in zip(fits, judged, strict=True):
            edges = {n: ScoreEdges(cuts, choose_thresholds(of)) for n, of in fit.items()}
            selected = select_best_attack(fit)
            for name, tally in tallies.items():
                interval = best_of_attacks(METRICS[name], counts, edges, selected, ALPHA)
                tally.add(interval, truths[name])


def _run_refitted(task: Task, tallies: Mapping[str, Tally]) -> None:
    """Logistic regression, fitted again in every run on a third of the rows."""
    from tfx_privacy.benchmarks.synthetic_signals import REFIT_LEAKS, fitted_and_judged

    rng = task.rng()
    for _ in range(task.runs):
        counts, thresholds, truth = fitted_and_judged(
            rng, task.members, task.nonmembers, REFIT_LEAKS[task.leak]
        )
        for name, tally in tallies.items():
            interval = METRICS[name].measure(counts, thresholds, ALPHA)
            tally.add(interval, truth.truth(METRICS[name], thresholds))


_METHODS: Mapping[str, Callable[[Task, Mapping[str, Tally]], None]] = {
    "drawn": _run_drawn,
    "best of 8": _run_best_of_eight,
    "refitted": _run_refitted,
}
_CORRELATIONS = {"independent": 0.0, "correlation .5": 0.5}


def _population(task: Task) -> Population:
    for population in calibration_populations():
        if (population.scores, population.leak) == (task.scores, task.leak):
            return population
    raise AssertionError(task)


def tasks(runs: int, refit_runs: int, seed: int, only: Sequence[str]) -> list[Task]:
    """All cells, the slowest first."""
    found = []
    if refit_runs:
        found += [
            Task("refitted", "logistic regression", leak, m, n, refit_runs, seed, _measurable(m, n))
            for m, n in reversed(REFIT_SIZES)
            for leak in ("no leak", "leak")
            if leak == "no leak" or m == n
        ]
    if runs:
        found += [
            Task("best of 8", scores, leak, m, n, runs, seed, BEST_OF_METRICS)
            for m, n in SIZES
            for scores in _CORRELATIONS
            for leak in ("no leak", "one at AUC .6")
        ]
        found += [
            Task("drawn", p.scores, p.leak, m, n, runs, seed, _measurable(m, n))
            for p in calibration_populations()
            for m, n in SIZES
        ]
    chosen = [
        dataclasses.replace(
            task, metrics=tuple(m for m in task.metrics if _is_wanted(task, m, only))
        )
        for task in found
    ]
    return [task for task in chosen if task.metrics]


def _measurable(members: int, nonmembers: int) -> tuple[str, ...]:
    """The metrics that make sense at this size."""
    return tuple(
        name
        for name, metric in METRICS.items()
        # One in a thousand of a hundred says nothing.
        if not (name == "tpr_at_fpr_0.001" and members == 100)
        # A fair coin decides which canaries are in, so sides are equal but for chance.
        and not (metric.spec().name == "canary_epsilon" and members != nonmembers)
    )


def _is_wanted(task: Task, metric: str, only: Sequence[str]) -> bool:
    if task.method == "refitted" and metric.startswith("canary"):
        return False
    words = f"{task.method} {metric} {task.scores} {task.leak} {task.members}/{task.nonmembers}"
    return not only or any(wanted in words for wanted in only)


def read_cells(path: Path) -> list[Cell]:
    """The cells of an earlier run."""
    if not path.exists():
        return []
    kinds = {field.name: field.type for field in dataclasses.fields(Cell)}
    convert = {"int": int, "float": float, "str": str}
    with path.open(newline="") as lines:
        return [
            Cell(**{name: convert[str(kinds[name])](text) for name, text in row.items()})
            for row in csv.DictReader(lines)
        ]


def write_cells(cells: Iterable[Cell], path: Path) -> None:
    """Writes cells, a line each."""
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow([field.name for field in dataclasses.fields(Cell)])
        for cell in cells:
            values = dataclasses.astuple(cell)
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])


def report(cells: Sequence[Cell]) -> Iterator[str]:
    """All cells that fail; the worst of each metric, kind of scores and size; the widths."""
    level = LEVEL / (2 * len(cells))
    failing = [cell for cell in cells if cell.p_value < level]
    yield (
        f"{len(cells)} cells, {2 * len(cells)} sides, each tested at {level:.1e}: "
        f"{len(failing) or 'none'} failed."
    )
    if failing:
        yield "\nCells that fail:\n"
        yield markdown_table(_HEADER, [_row(cell) for cell in sorted(failing, key=_order)])
    sizes = sorted({cell.members for cell in cells})
    yield "\nMisses below/above in percent, nominal 2.5/2.5, in the worst cell of each:\n"
    yield markdown_table(
        ("interval", "scores", *(f"{members:,} members" for members in sizes)),
        [
            (*names, *(_worst(group.get(members, [])) for members in sizes))
            for names, group in _groups(cells, lambda cell: (_title(cell), cell.scores)).items()
        ],
    )
    yield "\nMean width over 2 * 1.96 standard deviations of the estimate; median (range):\n"
    yield markdown_table(
        ("interval", *(f"{members:,} members" for members in sizes)),
        [
            (*names, *(_widths(group.get(members, [])) for members in sizes))
            for names, group in _groups(cells, lambda cell: (_title(cell),)).items()
            if any(np.isfinite(cell.width) for part in group.values() for cell in part)
        ],
    )


def _groups(
    cells: Sequence[Cell], names: Callable[[Cell], tuple[str, ...]]
) -> dict[tuple[str, ...], dict[int, list[Cell]]]:
    groups: dict[tuple[str, ...], dict[int, list[Cell]]] = {}
    for cell in sorted(cells, key=_order):
        groups.setdefault(names(cell), {}).setdefault(cell.members, []).append(cell)
    return groups


def _worst(cells: Sequence[Cell]) -> str:
    if not cells:
        return ""
    worst = max(cells, key=_worse_share)
    return f"{_misses(worst)} ({worst.leak}, {worst.members:,}/{worst.nonmembers:,})"


def _widths(cells: Sequence[Cell]) -> str:
    found = [one.relative_width for one in cells if np.isfinite(one.width) and one.spread > 0.0]
    if not found:
        return ""
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def _misses(cell: Cell) -> str:
    below = f"{100 * cell.below / cell.runs:.2f}"
    # Bounds from below alone have nothing above them.
    return f"{below}/{100 * cell.above / cell.runs:.2f}" if np.isfinite(cell.width) else below


def _worse_share(cell: Cell) -> float:
    return max(cell.below, cell.above) / cell.runs


def _title(cell: Cell) -> str:
    return cell.metric if cell.method == "drawn" else f"{cell.metric}, {cell.method}"


def _order(cell: Cell) -> tuple[int, int, str, str, int, int]:
    return (
        tuple(_METHODS).index(cell.method),
        tuple(METRICS).index(cell.metric),
        cell.scores,
        cell.leak,
        cell.members,
        -cell.nonmembers,
    )


_HEADER = (
    "interval",
    "scores",
    "leak",
    "members/non-members",
    "truth",
    "runs",
    "misses",
    "width",
    "width / spread",
)


def _row(cell: Cell) -> tuple[str, ...]:
    one_sided = not np.isfinite(cell.width)
    return (
        _title(cell),
        cell.scores,
        cell.leak,
        f"{cell.members:,}/{cell.nonmembers:,}",
        f"{cell.truth:.4g}",
        f"{cell.runs:,}",
        _misses(cell),
        "" if one_sided else f"{cell.width:.3g}",
        "" if one_sided or cell.spread == 0.0 else f"{cell.relative_width:.2f}",
    )


_PLACE = ("method", "scores", "leak", "members", "nonmembers", "runs")


def write_full(cells: Sequence[Cell], path: Path) -> None:
    """Writes a line for each population and size: misses and relative width by metric."""
    lines: dict[tuple[object, ...], dict[str, str]] = {}
    for cell in sorted(cells, key=_order):
        place = tuple(getattr(cell, name) for name in _PLACE)
        width = f" x{cell.relative_width:.2f}" if np.isfinite(cell.relative_width) else ""
        lines.setdefault(place, {})[cell.metric] = _misses(cell) + width
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_PLACE, *METRICS])
        for place, by_metric in lines.items():
            writer.writerow([*place, *(by_metric.get(metric, "") for metric in METRICS)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000, help="a cell, without refitting")
    parser.add_argument("--refit-runs", type=int, default=1_000, help="a cell, with refitting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument(
        "--only", nargs="*", default=[], help="cells whose names have one of these texts in them"
    )
    parser.add_argument("--cells", type=Path, help="CSV of all cells, read and written")
    parser.add_argument("--full", type=Path, help="CSV to write, a line a population and size")
    options = parser.parse_args()
    known = {cell.key: cell for cell in read_cells(options.cells)} if options.cells else {}
    wanted = tasks(options.runs, options.refit_runs, options.seed, options.only)
    keys = {
        tuple(task.names(metric).values()): (task, metric)
        for task in wanted
        for metric in task.metrics
    }
    missing = [
        dataclasses.replace(task, metrics=left)
        for task in wanted
        if (left := tuple(m for m in task.metrics if tuple(task.names(m).values()) not in known))
    ]
    start = time.perf_counter()
    with multiprocessing.Pool(options.processes) as pool:
        for number, cells in enumerate(pool.imap_unordered(Task.run, missing), 1):
            known.update({cell.key: cell for cell in cells})
            if options.cells:
                write_cells(sorted(known.values(), key=_order), options.cells)
            seconds = time.perf_counter() - start
            print(f"{number}/{len(missing)} tasks, {seconds:.0f} s", file=sys.stderr, flush=True)
    chosen = [known[key] for key in keys]
    if options.full:
        write_full(chosen, options.full)
    print("\n".join(report(chosen)))
    if any(cell.p_value < LEVEL / (2 * len(chosen)) for cell in chosen):
        sys.exit(1)


if __name__ == "__main__":
    main()
