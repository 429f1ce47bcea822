"""How often each control fires: on healthy runs, on drift, on a broken suite.

    python benchmarks/controls.py --runs 5000 --real-runs 30

Counts are drawn from populations whose shares are known, and the package's own tests of the
controls judge them by the default limits. Numbers of non-members are rows of the split; a
third of them is FIT. The blind baseline has twice as many members beside them; negative and
positive control halve the non-members, 20,000 of them at most.

A smaller number of runs is in earnest: rows are drawn, and the package's own code fits boosted
trees on features that drift, halves non-members, plants leaks and runs the set "fast".
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.threshold import ThresholdAttack
from tfx_privacy.benchmarks.measurements import draw_control_run
from tfx_privacy.benchmarks.populations import (
    Population,
    binormal,
    markdown_table,
    seeded,
    shift_of,
    some_known,
)
from tfx_privacy.benchmarks.synthetic_signals import signals, with_drifting_inputs
from tfx_privacy.evaluation.controls import fit_blind_baseline, run_on_halved_nonmembers
from tfx_privacy.evaluation.select import Selection
from tfx_privacy.metrics import controls
from tfx_privacy.metrics.controls import ControlFinding, ControlOutcome
from tfx_privacy.metrics.counts import ControlRun, Evidence
from tfx_privacy.metrics.edges import count_scores
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.signals.batch import Signals
from tfx_privacy.verdict.limits import DEFAULT_LIMITS

NONMEMBERS = (500, 5_000, 20_000)
MOST_HALVED = 20_000
ATTACKS = tuple(attack.name for attack in resolve_attacks(["standard"]))
AUC_LIMIT = DEFAULT_LIMITS[0][1]

Run = Callable[[np.random.Generator, int], ControlFinding]


def judge_drift(run: ControlRun) -> ControlFinding:
    """The blind baseline's finding."""
    return controls.judge_blind_baseline(
        results_pb2.BlindBaseline(features_seen=10),
        Evidence({}, {}, controls={controls.BLIND_BASELINE: run}),
        DEFAULT_LIMITS,
    )


def judge_halves(run: ControlRun) -> ControlFinding:
    """The negative control's finding."""
    return controls.judge_negative(
        results_pb2.NegativeControl(attacks=_named(run)),
        Evidence({}, {}, controls={controls.NEGATIVE: run}),
        DEFAULT_LIMITS,
    )


def judge_planted(runs: Mapping[float, ControlRun]) -> ControlFinding:
    """The positive control's finding."""
    return controls.judge_positive(
        results_pb2.PositiveControl(
            runs=[
                results_pb2.PlantedLeak(share=share, attacks=_named(run))
                for share, run in runs.items()
            ]
        ),
        Evidence(
            {}, {}, controls={controls.positive_run(share): run for share, run in runs.items()}
        ),
        AUC_LIMIT,
    )


def _named(run: ControlRun) -> list[results_pb2.AttackResult]:
    return [results_pb2.AttackResult(name=name) for name in run.counts]


def drawn_drift(auc: float) -> Run:
    """The blind baseline by counts; the AUC is its own."""
    population = binormal(shift_of(auc), "smooth", "")
    return lambda rng, n: judge_drift(
        draw_control_run(rng, {controls.BLIND_BASELINE: population}, (2 * n, n))
    )


def drawn_halves(found: float) -> Run:
    """The negative control by counts; one attack has the AUC given, the others .5."""
    suite = dict.fromkeys(ATTACKS, binormal(0.0, "ten values", ""))
    suite[ATTACKS[0]] = binormal(shift_of(found), "ten values", "")
    return lambda rng, n: judge_halves(draw_control_run(rng, suite, _halves(n)))


def drawn_planted(noise: frozenset[str]) -> Run:
    """The positive control by counts; some attacks return noise."""
    null = binormal(0.0, "ten values", "")

    def run(rng: np.random.Generator, n: int) -> ControlFinding:
        return judge_planted(
            {
                share: draw_control_run(
                    rng,
                    {name: null if name in noise else _known(share) for name in ATTACKS},
                    _halves(n),
                )
                for share in controls.POSITIVE_SHARES
            }
        )

    return run


def _known(share: float) -> Population:
    return _KNOWN[share]


_KNOWN = {share: some_known("ten values", share) for share in controls.POSITIVE_SHARES}


def _halves(n: int) -> tuple[int, int]:
    half = min(n, MOST_HALVED) // 2
    return half, half


def real_drift(auc: float) -> Run:
    """Boosted trees on ten features, one of which drifts."""

    def run(rng: np.random.Generator, n: int) -> ControlFinding:
        rows = with_drifting_inputs(rng, signals(rng, 2 * n, n), shift_of(auc))
        selection, judge = _selected(rows, rng)
        fitted = fit_blind_baseline(selection, _config(rng))
        counts = {
            name: count_scores(scores, judge.member, fitted.edges[name])
            for name, scores in fitted.suite.score(judge).items()
        }
        return judge_drift(ControlRun(fitted.edges, counts))

    return run


def real_halves(rng: np.random.Generator, n: int) -> ControlFinding:
    """The negative control with the set "fast"."""
    config = _config(rng, config_pb2.POSITIVE_CONTROL)
    selection, _ = _selected(signals(rng, n, n), rng)
    halved = run_on_halved_nonmembers(resolve_attacks(["fast"]), selection, config)
    return judge_halves(halved.runs[controls.NEGATIVE])


def real_planted(*extra: Attack) -> Run:
    """The positive control with the set "fast", and perhaps others."""

    def run(rng: np.random.Generator, n: int) -> ControlFinding:
        config = _config(rng, config_pb2.NEGATIVE_CONTROL)
        selection, _ = _selected(signals(rng, n, n), rng)
        attacks = (*resolve_attacks(["fast"]), *extra)
        runs = run_on_halved_nonmembers(attacks, selection, config).runs
        return judge_planted(
            {share: runs[controls.positive_run(share)] for share in controls.POSITIVE_SHARES}
        )

    return run


@dataclasses.dataclass(frozen=True)
class Noise(ThresholdAttack):
    """A broken attack: its score has nothing to do with the row's signals."""

    name: ClassVar[str] = "noise"
    description: ClassVar[str] = "Returns noise."
    needs: ClassVar[frozenset[str]] = frozenset({"loss"})
    tasks = resolve_attacks(["loss_threshold"])[0].tasks

    def formula(self, signals: Signals) -> NDArray[np.float64]:
        """See ThresholdAttack."""
        return np.asarray(signals.ids[:, 0], dtype=np.float64)


def _config(
    rng: np.random.Generator, *skipped: config_pb2.Control.ValueType
) -> config_pb2.PrivacyConfig:
    return config_pb2.PrivacyConfig(seed=int(rng.integers(2**31)), skip_controls=skipped)


def _selected(rows: Signals, rng: np.random.Generator) -> tuple[Selection, Signals]:
    """A third of the rows as FIT, as a measurement selects them, and all JUDGE rows."""
    in_fit = rng.random(len(rows)) < 1 / 3
    fit, judge = rows.take(in_fit).sorted_by_id(), rows.take(~in_fit).sorted_by_id()
    members = int(judge.member.sum())
    judged = results_pb2.SideCounts(members=members, nonmembers=len(judge) - members)
    for_controls = judge.take(np.flatnonzero(~judge.member)[: 2 * MOST_HALVED // 3])
    selection = Selection(
        records=results_pb2.Records(judge=judged),
        fit=fit,
        judge_sample=judge,
        fit_inputs=fit,
        fit_wide=fit,
        judge_wide=judge.take(np.arange(0)),
        control_nonmembers=for_controls,
    )
    return selection, judge


@dataclasses.dataclass(frozen=True)
class Case:
    """A line of the table."""

    control: str
    case: str
    real: bool

    def run(self, nonmembers: int, runs: int, seed: int) -> Counter[str]:
        """Counts what comes of the control."""
        rng = seeded(seed, self, nonmembers)
        once = _CASES[self]
        return Counter(once(rng, nonmembers).outcome.name for _ in range(runs))


_CASES: Mapping[Case, Run] = {
    Case("blind baseline", "healthy", real=False): drawn_drift(0.5),
    Case("blind baseline", "drift AUC .51", real=False): drawn_drift(0.51),
    Case("blind baseline", "drift AUC .55", real=False): drawn_drift(0.55),
    Case("blind baseline", "drift AUC .6", real=False): drawn_drift(0.6),
    Case("negative", "healthy, 7 attacks", real=False): drawn_halves(0.5),
    Case("negative", "one attack at AUC .6", real=False): drawn_halves(0.6),
    Case("positive", "healthy, 7 attacks", real=False): drawn_planted(frozenset()),
    Case("positive", "one attack is noise", real=False): drawn_planted(frozenset(ATTACKS[:1])),
    Case("positive", "all attacks are noise", real=False): drawn_planted(frozenset(ATTACKS)),
    Case("blind baseline", "healthy", real=True): real_drift(0.5),
    Case("blind baseline", "drift AUC .51", real=True): real_drift(0.51),
    Case("blind baseline", "drift AUC .55", real=True): real_drift(0.55),
    Case("blind baseline", "drift AUC .6", real=True): real_drift(0.6),
    Case("negative", "healthy", real=True): real_halves,
    Case("positive", "healthy", real=True): real_planted(),
    Case("positive", "an attack that returns noise beside them", real=True): real_planted(Noise()),
}


def _run(work: tuple[Case, int, int, int]) -> Counter[str]:
    case, *sizes = work
    return case.run(*sizes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5_000, help="by counts, a cell")
    parser.add_argument("--real-runs", type=int, default=30, help="with real attacks, a cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--only", nargs="*", default=[], help="controls, by name")
    options = parser.parse_args()
    runs = {False: options.runs, True: options.real_runs}
    cases = [
        case
        for case in _CASES
        if runs[case.real] and (not options.only or case.control in options.only)
    ]
    work = [
        (case, n, runs[case.real], options.seed) for case, n in itertools.product(cases, NONMEMBERS)
    ]
    found: dict[tuple[Case, int], Counter[str]] = {}
    with multiprocessing.Pool(options.processes) as pool:
        for (case, n, *_), counted in zip(work, pool.imap(_run, work), strict=True):
            found[case, n] = counted
            print(f"{len(found)}/{len(work)}", file=sys.stderr, flush=True)
    rows = [
        (
            case.control,
            case.case,
            "real attacks" if case.real else "counts",
            f"{runs[case.real]:,}",
            *(_shares(found[case, n], runs[case.real]) for n in NONMEMBERS),
        )
        for case in cases
    ]
    header = ("control", "case", "by", "runs", *(f"{n:,} non-members" for n in NONMEMBERS))
    print("Percent of runs in which the control FAILED / PASSED / did NOT_RUN:\n")
    print(markdown_table(header, rows))


def _shares(counted: Counter[str], runs: int) -> str:
    outcomes = (ControlOutcome.FAILED, ControlOutcome.PASSED, ControlOutcome.NOT_RUN)
    return " / ".join(f"{100 * counted[one.name] / runs:.4g}" for one in outcomes)


if __name__ == "__main__":
    main()
