"""What an attacker gains that holds the model: real data, several seeds, model A to model B.

    python benchmarks/white_box_attacks.py --seeds 5 --data ../shared/data --work /tmp/white_box

For every seed (another split, initialisation, order, FIT and JUDGE) a model of Location-30 with one
hidden layer, a deeper one, and a convolutional one of a part of CIFAR-10. Attacks are fitted on FIT
and judged on JUDGE; of each group of signals the attack that was best on FIT stands in the table,
and the difference of the best white-box and the best black-box attack is paired row by row.

Then two models B for each seed, trained on records that A has not seen, from A's initialisation
and from another: attacks are fitted on all that is known of A and judged on all of B. A's table and
B's have no record in common.

What is in WORK (signals of each model, scores of each attack) is not done again: give another
folder after a change of the code. Prints tables in Markdown.

The data are not part of the project. DATA holds location30.npz and cifar10_webp/.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfx_privacy.attacks.attack import Attack
from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.attacks.white_box_names import GROUPS, OUTPUTS
from tfx_privacy.benchmarks.populations import markdown_table
from tfx_privacy.benchmarks.real_pools import Pool, add_data_argument
from tfx_privacy.benchmarks.white_box_judge import (
    Judged,
    best_of_groups,
    best_white_box,
    difference,
    judge_attack,
    norm_thresholds,
    over_seeds,
)
from tfx_privacy.benchmarks.white_box_targets import (
    MODELS,
    TARGETS,
    Parts,
    Target,
    accuracies,
    observed,
)
from tfx_privacy.evaluation.suite import KnownRows, runnable_attacks
from tfx_privacy.metrics.auc import Auc
from tfx_privacy.metrics.balanced_accuracy import BalancedAccuracy
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.metrics.metric import Metric
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.partition import Role, assign_roles

# Boosted trees beside the standard attacks, so that no kind of learner is white-box alone.
ATTACKS = ("standard", "boosted_trees", "white_box")
# Trees and the network take the longest, and what passes from model to model shows without them.
TRANSFERRED = (
    "standard",
    "gradient_norm",
    "logistic_regression_norms",
    "logistic_regression_sketches",
    "logistic_regression_activations",
    "logistic_regression_white_box",
)
_METRICS: Mapping[str, Metric] = {"AUC": Auc(), "balanced accuracy": BalancedAccuracy()}
_STARTS = {"b_same_start": "the same as A's", "b_other_start": "another"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument("--work", type=Path, required=True, help="signals and scores go here")
    parser.add_argument("--seeds", type=int, default=5, help="0 to this minus 1")
    parser.add_argument(
        "--transfer-seeds", type=int, help="how many of them have models B too; all by default"
    )
    parser.add_argument("--attacks", nargs="+", default=ATTACKS, help="names of attacks or sets")
    parser.add_argument(
        "--transfer-attacks", nargs="+", default=TRANSFERRED, help="those from A to B"
    )
    names = [target.name for target in TARGETS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="TARGET")
    options = parser.parse_args()
    if not (options.data / "location30.npz").is_file():
        parser.error(f"no real data in {options.data}: expected location30.npz and others there")
    logging.disable(logging.WARNING)
    attacks = resolve_attacks(options.attacks)
    from_a_to_b = resolve_attacks(options.transfer_attacks)
    _print_versions()
    print(f"Attacks: {_names(attacks)}.\nFrom A to B: {_names(from_a_to_b)}.")
    seeds = range(options.seeds)
    transferred = seeds if options.transfer_seeds is None else seeds[: options.transfer_seeds]
    for target in TARGETS:
        if target.name in options.only:
            pool = target.pool(options.data)
            print(f"\n## {target.title}: {target.members:,} members, {target.epochs} epochs")
            own = _print_target(target, pool, attacks, seeds, options.work)
            if transferred:
                _print_transfer(target, pool, from_a_to_b, transferred, own, options.work)


def _print_versions() -> None:
    packages = ("numpy", "tensorflow", "keras", "scikit-learn")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    print(f"Python {platform.python_version()}, {', '.join(versions)}; {os.cpu_count()} cores.")


def _names(attacks: Sequence[Attack]) -> str:
    return ", ".join(attack.name for attack in attacks)


def _print_target(
    target: Target, pool: Pool, attacks: Sequence[Attack], seeds: Sequence[int], work: Path
) -> list[list[Judged]]:
    seen = [observed(target, pool, seed, "a", work) for seed in seeds]
    right = np.mean([accuracies(one) for one in seen], axis=0)
    print(f"\nAccuracy train {_short(right[0])}, test {_short(right[1])} (means).")
    parts = [_fit_and_judge(one, seed) for seed, one in zip(seeds, seen, strict=True)]
    print(f"Seed {seeds[0]}: fitted on {_sides(parts[0][0])}, judged on {_sides(parts[0][1])}.")
    own = [
        _judge_all(attacks, *part, seed, work / target.name / f"seed_{seed}" / "a")
        for seed, part in zip(seeds, parts, strict=True)
    ]
    for name, metric in _METRICS.items():
        print(f"\n{name}:\n\n{_groups_table(seeds, own, metric)}")
    print(f"\nAttack by attack, means over seeds:\n\n{_attacks_table(own)}")
    layers = [norm_thresholds(*part) for part in parts]
    print(f"\nLayer by layer, AUC of minus the gradient norm:\n\n{_layers_table(layers)}")
    return own


def _print_transfer(
    target: Target,
    pool: Pool,
    attacks: Sequence[Attack],
    seeds: Sequence[int],
    own: Sequence[Sequence[Judged]],
    work: Path,
) -> None:
    transferred = {
        model: [_on_another(target, pool, attacks, seed, model, work) for seed in seeds]
        for model in MODELS[1:]
    }
    names = {attack.name for attack in attacks}
    same = [[one for one in found if one.name in names] for found in own[: len(seeds)]]
    table = _transfer_table(transferred, same)
    print(f"\nFitted on A, judged on B, AUC, {len(seeds)} seeds:\n\n{table}")


def _sides(signals: Signals) -> str:
    members = int(signals.member.sum())
    return f"{members:,} members and {len(signals) - members:,} others"


def _fit_and_judge(seen: Signals, seed: int) -> tuple[Signals, Signals]:
    roles = assign_roles(seen.ids, None, seed, check_duplicates=False)
    return seen.take(roles == Role.FIT).sorted_by_id(), seen.take(roles == Role.JUDGE)


def _on_another(
    target: Target, pool: Pool, attacks: Sequence[Attack], seed: int, model: str, work: Path
) -> list[Judged]:
    """Fitted on all of A's rows, judged on all of B's; none is in both."""
    parts = Parts.of(len(pool), target.members, seed)
    a_rows = np.concatenate([parts.a_members, parts.a_others])
    b_rows = np.concatenate([parts.b_members, parts.b_others])
    known = observed(target, pool, seed, "a", work).take(a_rows).sorted_by_id()
    judged = observed(target, pool, seed, model, work).take(b_rows)
    kept = work / target.name / f"seed_{seed}" / f"a_to_{model}"
    return _judge_all(attacks, known, judged, seed, kept)


def _judge_all(
    attacks: Sequence[Attack], known: Signals, judged: Signals, seed: int, kept: Path
) -> list[Judged]:
    rows = KnownRows(known, known)
    able, skipped = runnable_attacks(attacks, rows, rows, seed)
    for name, reason in skipped.items():
        print(f"{name}: {reason}", file=sys.stderr)
    found = []
    for attack in able:
        start = time.perf_counter()
        found.append(judge_attack(attack, known, judged, seed, kept / f"{attack.name}.npz"))
        seconds = time.perf_counter() - start
        print(f"{kept.parent}/{kept.name}/{attack.name}: {seconds:.1f} s", file=sys.stderr)
    return found


def _groups_table(seeds: Sequence[int], own: Sequence[Sequence[Judged]], metric: Metric) -> str:
    """The best on FIT of each group, seed by seed, and the difference."""
    groups = [group for group in GROUPS if any(one.group == group for one in own[0])]
    header = ("seed", *groups, "best black-box", "best white-box", "white-box minus black-box")
    lines: list[tuple[object, ...]] = []
    values: dict[str, list[float]] = {column: [] for column in (*groups, "difference")}
    for seed, attacks in zip(seeds, own, strict=True):
        best = best_of_groups(attacks)
        white, black = best_white_box(attacks), best[OUTPUTS]
        measured = {group: best[group].measure(metric) for group in groups}
        measured["difference"] = difference(metric, white, black)
        for column, interval in measured.items():
            values[column].append(interval.estimate)
        lines.append(
            (
                seed,
                *(_interval(measured[group]) for group in groups),
                black.name,
                white.name,
                _signed(measured["difference"]),
            )
        )
    means = {column: over_seeds(found) for column, found in values.items()}
    lines.append(
        (
            "mean",
            *(_interval(means[group]) for group in groups),
            "",
            "",
            _signed(means["difference"]),
        )
    )
    return markdown_table(header, lines)


def _attacks_table(own: Sequence[Sequence[Judged]]) -> str:
    header = ("attack", "sees", *_METRICS, "AUC minus the best black-box")
    lines = []
    for place, first in enumerate(own[0]):
        each = [attacks[place] for attacks in own]
        more = [
            difference(Auc(), one, best_of_groups(attacks)[OUTPUTS]).estimate
            for one, attacks in zip(each, own, strict=True)
        ]
        means = [_mean(each, metric) for metric in _METRICS.values()]
        lines.append((first.name, first.group, *map(_interval, means), _signed(over_seeds(more))))
    return markdown_table(header, lines)


def _layers_table(layers: Sequence[Sequence[Judged]]) -> str:
    header = ("layer", *(f"seed {seed}" for seed in range(len(layers))), "mean")
    lines = []
    for place, first in enumerate(layers[0]):
        each = [found[place] for found in layers]
        of_seeds = [_interval(one.measure(Auc())) for one in each]
        lines.append((first.name, *of_seeds, _interval(_mean(each, Auc()))))
    return markdown_table(header, lines)


def _transfer_table(
    transferred: Mapping[str, Sequence[Sequence[Judged]]], own: Sequence[Sequence[Judged]]
) -> str:
    """Of each group the best on A's rows, judged on B; beside it the best on A itself."""
    header = ("sees", "B's initialisation", "AUC on B, mean", "lowest", "highest", "AUC on A, mean")
    lines = []
    for group in GROUPS:
        if all(one.group != group for one in own[0]):
            continue
        on_itself = _mean([best_of_groups(attacks)[group] for attacks in own], Auc())
        for model, found in transferred.items():
            each = [best_of_groups(attacks)[group] for attacks in found]
            areas = [one.measure(Auc()).estimate for one in each]
            lines.append(
                (
                    group,
                    _STARTS[model],
                    _interval(_mean(each, Auc())),
                    _short(min(areas)),
                    _short(max(areas)),
                    _interval(on_itself),
                )
            )
    return markdown_table(header, lines)


def _mean(judged: Sequence[Judged], metric: Metric) -> Interval:
    return over_seeds([one.measure(metric).estimate for one in judged])


def _interval(value: Interval) -> str:
    return _written(value, _short)


def _signed(value: Interval) -> str:
    return _written(value, lambda number: f"{number:+.3f}".replace("0.", ".", 1))


def _written(value: Interval, number: Callable[[float], str]) -> str:
    return f"{number(value.estimate)} ({number(value.lower)} to {number(value.upper)})"


def _short(number: float) -> str:
    return f"{number:.3f}".removeprefix("0")


if __name__ == "__main__":
    main()
