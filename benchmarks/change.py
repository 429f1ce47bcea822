"""How often the interval of a change misses the truth, paired and unpaired.

    python benchmarks/change.py --runs 1000

Two measurements of the same attack on two models. A row's score is normal in each,
with a mean that gives the AUC wanted where the row is a member, and correlated
between the two (1: the same score). In some cells the current measurement has a share
of members raised above all others. Scores are cut at fixed edges, so that the truth of
the quantised score is known exactly; thresholds come from half as many other rows, in
each measurement its own.

Prints a Markdown table. A line is a metric, a way of sharing rows and a correlation
of scores; it shows the worst cell over all pairs of AUC and sizes (judged members and
non-members), misses of the truth below and above in percent, nominal 2.5 each, and
the mean width of the paired interval as a share of the unpaired one's by size. A line
is marked where a cell fails a one-sided exact binomial test at .001 divided by the
number of cells, metrics, kinds of interval and sides.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import sys
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from tfx_privacy.metrics.advantage import Advantage
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.change import SharedRows, correlation, difference
from tfx_privacy.metrics.counts import ScoreCounts, Thresholds
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.metrics.precision import Precision
from tfx_privacy.metrics.registry import metric_key
from tfx_privacy.metrics.roc import Roc
from tfx_privacy.metrics.tpr_at_fpr import TprAtFpr

ALPHA = 0.025
METRICS: tuple[Metric, ...] = (
    Auc(), Advantage(), TprAtFpr(0.01), TprAtFpr(0.1), Precision(0.5)
)  # fmt: skip
# Current and baseline AUC, and the share of members raised above all in the current.
LEAKS = (
    (0.5, 0.5, 0.0),
    (0.55, 0.5, 0.0),
    (0.6, 0.55, 0.0),
    (0.8, 0.8, 0.0),
    (0.8, 0.6, 0.0),
    (0.5, 0.5, 0.01),
    (0.5, 0.5, 0.03),
)
CORRELATIONS = (0.0, 0.5, 0.9, 0.99, 1.0)
SIZES = ((300, 150), (2_000, 1_000), (10_000, 5_000))
# All rows the same; the same half of each side; all the same and split anew, so that a
# row may be a member in one measurement and a non-member in the other.
SHARINGS = ("all rows", "half of the rows", "split anew")

_LOWEST, _STEP, _BINS = -4.0, 0.025, 400
_RUNS_AT_ONCE = 50


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting of the simulation."""

    leaks: tuple[float, float, float]
    scores_correlate: float
    size: tuple[int, int]
    sharing: str

    @property
    def populations(self) -> tuple[Population, Population]:
        current, baseline, raised = self.leaks
        return Population(current, raised), Population(baseline, 0.0)


@dataclasses.dataclass(frozen=True)
class Population:
    """What the scores of one measurement are drawn from.

    Attributes:
      auc: Of members that are not raised.
      raised: The share of members in the top bin.
    """

    auc: float
    raised: float

    @property
    def shift(self) -> float:
        """By how much members' scores are higher."""
        return float(np.sqrt(2) * special.ndtri(self.auc))

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of members and non-members, the share in each bin."""
        edges = _LOWEST + _STEP * np.arange(_BINS - 1)
        members, nonmembers = (
            np.diff(np.concatenate(([0.0], special.ndtr(edges - mean), [1.0])))
            for mean in (self.shift, 0.0)
        )
        members *= 1 - self.raised
        members[-1] += self.raised
        return members, nonmembers


@dataclasses.dataclass(frozen=True)
class Draw:
    """One run: two measurements and the rows that they share."""

    counts: tuple[ScoreCounts, ScoreCounts]
    thresholds: tuple[Thresholds, Thresholds]
    shared: SharedRows


@dataclasses.dataclass
class Misses:
    """What became of one kind of interval of one metric in one cell."""

    below: int = 0
    above: int = 0
    width: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="runs a cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="the first so many sizes")
    options = parser.parse_args()
    cells = [
        Cell(*setting)
        for setting in itertools.product(LEAKS, CORRELATIONS, SIZES[: options.sizes], SHARINGS)
    ]
    found = {}
    for number, cell in enumerate(cells):
        print(f"{number + 1}/{len(cells)} {cell}", file=sys.stderr)
        found[cell] = simulate(cell, options.runs, options.seed)
    print(f"`python benchmarks/change.py {' '.join(sys.argv[1:])}`, seed {options.seed}, ", end="")
    print(f"{options.runs} runs a cell.\n")
    _print_table(found, options.runs)


def simulate(cell: Cell, runs: int, seed: int) -> dict[tuple[str, bool], Misses]:
    """Misses by metric and whether the interval is paired."""
    truths = [functools.cache(_truth_of(population)) for population in cell.populations]
    misses = {(metric_key(m), paired): Misses() for m in METRICS for paired in (True, False)}
    for draw in draws(cell, runs, seed):
        (current, baseline), (ours, theirs) = draw.counts, draw.thresholds
        for metric in METRICS:
            truth = truths[0](metric, ours.member) - truths[1](metric, theirs.member)
            measured = (
                metric.measure(current, ours, ALPHA),
                metric.measure(baseline, theirs, ALPHA),
            )
            together = correlation(metric, current, ours, baseline, theirs, draw.shared)
            for paired, r in ((True, together), (False, 0.0)):
                interval = difference(*measured, r)
                cell_misses = misses[metric_key(metric), paired]
                cell_misses.below += truth < interval.lower - 1e-9
                cell_misses.above += truth > interval.upper + 1e-9
                cell_misses.width += (interval.upper - interval.lower) / runs
    return misses


def draws(cell: Cell, runs: int, seed: int) -> Iterator[Draw]:
    """The runs of a cell; the same for the same seed."""
    rng = np.random.default_rng((seed, zlib.crc32(repr(cell).encode())))
    for start in range(0, runs, _RUNS_AT_ONCE):
        number = min(_RUNS_AT_ONCE, runs - start)
        shared, member = _which_rows(cell, rng, number)
        common = rng.standard_normal((number, sum(cell.size)), dtype=np.float32)
        bins = []
        for population, is_member in zip(cell.populations, member, strict=True):
            own = rng.standard_normal(common.shape, dtype=np.float32)
            # Rows that are not shared have nothing in common.
            r = np.where(shared, np.float32(cell.scores_correlate), np.float32(0.0))
            scores = (
                np.sqrt(r) * common
                + np.sqrt(1 - r) * own
                + np.float32(population.shift) * is_member
            )
            scores[is_member & (rng.random(scores.shape, np.float32) < population.raised)] = 99.0
            bins.append(_bin(scores))
        thresholds = [
            _thresholds(cell.size, population, rng, number) for population in cell.populations
        ]
        counts = [_count(b, m) for b, m in zip(bins, member, strict=True)]
        for i in range(number):
            yield Draw(
                counts=(counts[0][i], counts[1][i]),
                thresholds=(thresholds[0][i], thresholds[1][i]),
                shared=SharedRows(
                    current_bins=bins[0][i, shared],
                    current_member=member[0][i, shared],
                    baseline_bins=bins[1][i, shared],
                    baseline_member=member[1][i, shared],
                    weight=1.0,
                ),
            )


def _which_rows(
    cell: Cell, rng: np.random.Generator, number: int
) -> tuple[NDArray[np.bool_], tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which of the rows are shared, [k], and where they are members, [number, k] each."""
    members, nonmembers = cell.size
    side = np.arange(members + nonmembers) < members
    member = np.tile(side, (number, 1))
    shared = np.ones(len(side), np.bool_)
    if cell.sharing == "half of the rows":
        shared = np.arange(len(side)) % 2 == 0
    anew = rng.permuted(member, axis=1) if cell.sharing == "split anew" else member
    return shared, (member, anew)


def _thresholds(
    size: tuple[int, int], population: Population, rng: np.random.Generator, number: int
) -> list[Thresholds]:
    members, nonmembers = population.shares()
    fit = (
        rng.multinomial(size[0] // 2, members, number),
        rng.multinomial(size[1] // 2, nonmembers, number),
    )
    thresholds = []
    for sides in zip(*fit, strict=True):
        roc = Roc.from_counts(ScoreCounts(*sides))
        chosen = 1 + int(np.argmax((roc.tpr - roc.fpr)[::-1][1:-1]))
        thresholds.append(Thresholds.all_at(chosen))
    return thresholds


def _bin(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.clip((scores - _LOWEST) / _STEP + 1, 0, _BINS - 1).astype(np.int64)


def _count(bins: NDArray[np.int64], member: NDArray[np.bool_]) -> list[ScoreCounts]:
    runs = len(bins)
    flat = bins + _BINS * np.arange(runs)[:, None]
    sides = (
        np.bincount(flat[side], minlength=runs * _BINS).reshape(runs, _BINS)
        for side in (member, ~member)
    )
    return [ScoreCounts(*counts) for counts in zip(*sides, strict=True)]


def _truth_of(population: Population) -> Callable[[Metric, int], float]:
    """A metric's true value; that of precision at the threshold that was chosen."""
    members, nonmembers = population.shares()
    tpr, fpr = (np.concatenate(([0.0], np.cumsum(side[::-1]))) for side in (members, nonmembers))
    roc = Roc(fpr=fpr, tpr=tpr)

    def truth(metric: Metric, threshold_bin: int) -> float:
        match metric:
            case Auc():
                return float(members @ (np.cumsum(nonmembers) - 0.5 * nonmembers))
            case Advantage():
                return float((tpr - fpr).max())
            case TprAtFpr(fpr=rate):
                return float(roc.tpr_at(rate))
            case Precision(prior=prior):
                point = roc.point(threshold_bin)
                true_alarms = prior * tpr[point]
                return float(true_alarms / (true_alarms + (1 - prior) * fpr[point]))
        raise AssertionError(metric)

    return truth


def _print_table(found: dict[Cell, dict[tuple[str, bool], Misses]], runs: int) -> None:
    sizes = list(dict.fromkeys(cell.size for cell in found))
    level = 0.001 / (len(found) * len(METRICS) * 4)
    widths = " | ".join(f"width at {m:,}/{n:,}" for m, n in sizes)
    print(f"| metric | shared | correlation | paired | unpaired | {widths} | |")
    print("|---|---|---|---|---|" + "---|" * (len(sizes) + 1))
    for metric, sharing, r in itertools.product(METRICS, SHARINGS, CORRELATIONS):
        cells = [c for c in found if (c.sharing, c.scores_correlate) == (sharing, r)]
        key = metric_key(metric)
        columns, failed = [], False
        for paired in (True, False):
            below = max(found[cell][key, paired].below for cell in cells)
            above = max(found[cell][key, paired].above for cell in cells)
            columns.append(f"{100 * below / runs:.1f}/{100 * above / runs:.1f}")
            failed |= stats.binom.sf(max(below, above) - 1, runs, ALPHA) < level
        for size in sizes:
            ratios = [
                found[cell][key, True].width / found[cell][key, False].width
                for cell in cells
                if cell.size == size
            ]
            columns.append(f"{np.mean(ratios):.2f}")
        mark = "**fails**" if failed else ""
        print(f"| {key} | {sharing} | {r:g} | {' | '.join(columns)} | {mark} |")


if __name__ == "__main__":
    main()
