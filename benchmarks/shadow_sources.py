"""Shokri's attack with shadow models of real and of synthetic data.

    python benchmarks/shadow_sources.py --seeds 0 1 2 --data ../shared/data --work /tmp/shadows

Location-30: targets of 1,200 members, with and without an L2 penalty, shadows of records apart from
the target's and from the non-members that the attack is judged on. The shadows' records are real,
real with a tenth or a fifth of the bits flipped, drawn from marginals, or found by hill climbing
(Shokri, Stronati, Song, Shmatikov 2017, section V-C); all but the real ones are made by the
package's own `make_pool` and labelled by the target, and the noisy ones once more with the labels
that their originals have. Then Adult and MNIST with real shadows: targets that hardly overfit.

For every seed other records, initialisations and orders. What is in WORK is not done again: give
another folder after a change of the code. Prints tables in Markdown.

The data are not part of the project. DATA holds location30.npz, adult.npz and mnist.npz.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf import text_format
from scipy import stats
from tensorflow_metadata.proto.v0 import schema_pb2

from tfx_privacy.benchmarks.populations import markdown_table
from tfx_privacy.benchmarks.real_models import decayed_mlp, mlp
from tfx_privacy.benchmarks.real_pools import Pool, add_data_argument, adult, location30, mnist
from tfx_privacy.benchmarks.shadow_attack import (
    ALPHA,
    Found,
    Setting,
    Sides,
    Target,
    attack,
    share,
    shown,
)
from tfx_privacy.benchmarks.shadow_training import Recipe
from tfx_privacy.metrics.called_members import CalledMembers
from tfx_privacy.metrics.interval import Interval
from tfx_privacy.proto import reference_models_pb2 as references_pb2
from tfx_privacy.reference_models.synthesis.pool import POOL_FILE, make_pool
from tfx_privacy.reference_models.synthesis.records import RecordFormat
from tfx_privacy.signals.decode import decode
from tfx_privacy.signals.examples import ExampleSplit
from tfx_privacy.signals.tfrecord import read_records, write_records

if TYPE_CHECKING:
    import keras

_SHADOW_SPLIT = "shadow"
_SCHEMA = """
    feature { name: "places" type: INT bool_domain {} shape { dim { size: 446 } } }
    feature { name: "label" type: INT }
"""
# By source: its configuration, and what the paper has for it, precision and recall.
_SOURCES: Mapping[str, tuple[str, str]] = {
    "10% noise": ('noisy { share: 0.1 splits: "shadow" }', ".666"),
    "20% noise": ('noisy { share: 0.2 splits: "shadow" }', ".613"),
    "10% noise, own labels": ('noisy { share: 0.1 splits: "shadow" }', ".666"),
    "20% noise, own labels": ('noisy { share: 0.2 splits: "shadow" }', ".613"),
    "marginals": ('marginals { source: DATA splits: "shadow" }', ".795 (Purchase-100)"),
    "marginals per class": ('marginals { source: DATA_PER_CLASS splits: "shadow" }', ""),
    "model-based": ("model_based {}", ".895 (Purchase-100)"),
}
_REAL = "real"
_REAL_IN_PAPER = ".678, recall .98"
_OWN_LABELS = "own labels"


def _location30(name: str, title: str, build: Callable[[Pool, int], keras.Model]) -> Setting:
    return Setting(name, title, location30, Recipe(build, 40), 1_200, 2_400, 2_000, 10)


LOCATION30 = (
    _location30("location30", "Location-30, L2 .002", decayed_mlp),
    _location30("location30_plain", "Location-30", mlp),
)
OTHERS = (
    Setting("adult", "Adult", adult, Recipe(mlp, 10), 10_000, 20_000, 10_000, 4),
    Setting("mnist", "MNIST", mnist, Recipe(mlp, 6), 10_000, 20_000, 10_000, 4),
)


def made(sides: Sides, source: str, seed: int, work: Path) -> tuple[Pool, references_pb2.Synthesis]:
    """Synthetic records, as many as the shadows' real ones."""
    config = text_format.Parse(
        f'model_spec {{ label_key: "label" }} seed: {seed} '
        f"synthetic {{ records: {len(sides.shadow)} {_SOURCES[source][0]} }}",
        references_pb2.ReferenceModelsConfig(),
    )
    schema = text_format.Parse(_SCHEMA, schema_pb2.Schema())
    record_format = RecordFormat.of_schema(schema, config)
    real = work / "shadow.gz"
    inputs = sides.shadow.inputs.astype(np.float64)
    write_records(str(real), record_format.encode(inputs, sides.shadow.label))
    synthesis = make_pool(
        config,
        schema,
        None,
        sides.answer,
        {_SHADOW_SPLIT: ExampleSplit(_SHADOW_SPLIT, False, (str(real),))},
        len(sides.shadow),
        str(work),
    )
    columns = decode(list(read_records(str(work / POOL_FILE))), source)
    rows = record_format.rows_of(columns, source).astype(np.float32)
    label = columns.features["label"].values.to_numpy()
    if source.endswith(_OWN_LABELS):
        # Each real record is taken once, in the order of the file.
        label = sides.shadow.label
    return Pool(np.arange(len(label)), rows, label, sides.shadow.classes, {}), synthesis


def location(setting: Setting, data: Path, seed: int, work: Path) -> tuple[Target, list[Found]]:
    """Every source on Location-30."""
    sides = Sides.of(setting, setting.pool(data), seed)
    return Target.of(sides), [
        _kept(
            work / f"{setting.name}_{seed}_{source.replace(' ', '_')}.json",
            functools.partial(_location_source, setting, sides, source, seed),
        )
        for source in (_REAL, *_SOURCES)
    ]


def _location_source(setting: Setting, sides: Sides, source: str, seed: int) -> Found:
    began = time.monotonic()
    if source == _REAL:
        return attack(sides, setting, sides.shadow, source, seed, None, began)
    with tempfile.TemporaryDirectory() as work:
        records, synthesis = made(sides, source, seed, Path(work))
    return attack(sides, setting, records, source, seed, synthesis, began)


def _kept(path: Path, make: Callable[[], Found]) -> Found:
    """What is in a file, or else is made and put there."""
    if not path.is_file():
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(found)))
    kept = json.loads(path.read_text())
    called = {int(label): CalledMembers(**counts) for label, counts in kept.pop("called").items()}
    return Found(called=called, auc=Interval(**kept.pop("auc")), **kept)


def _over_seeds(values: Sequence[float]) -> str:
    """The mean, and from three on Student's interval of it."""
    mean = float(np.mean(values))
    if len(values) < 3:
        return share(mean)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{share(mean)} ({share(mean - half)} to {share(mean + half)})"


Runs = Mapping[int, tuple[Target, list[Found]]]


def _print_location(title: str, runs: Runs) -> None:
    print(f"### {title}\n")
    for seed, (target, _) in runs.items():
        print(
            f"- Seed {seed}: target's accuracy {share(target.accuracies[0])} on "
            f"{target.members:,} members, {share(target.accuracies[1])} on "
            f"{target.nonmembers:,} others; the loss threshold's AUC {shown(target.threshold)}."
        )
    for table in (_means, _each_seed, _deciles, _synthesis):
        print("\n" + table(runs))
    print()


def _by_source(runs: Runs) -> list[list[tuple[int, Found]]]:
    each = [[(seed, found) for found in of_seed] for seed, (_, of_seed) in runs.items()]
    return [list(of) for of in zip(*each, strict=True)]


def _means(runs: Runs) -> str:
    in_paper = {"real": _REAL_IN_PAPER, **{name: paper for name, (_, paper) in _SOURCES.items()}}
    rows = [
        (
            of[0][1].source,
            _over_seeds([found.precision.estimate for _, found in of]),
            _over_seeds([found.recall.estimate for _, found in of]),
            _over_seeds([found.auc.estimate for _, found in of]),
            in_paper[of[0][1].source],
        )
        for of in _by_source(runs)
    ]
    return markdown_table(
        ("shadows' records", "precision", "recall", "AUC", "the paper's precision"), rows
    )


def _each_seed(runs: Runs) -> str:
    rows = [
        (found.source, seed, shown(found.precision), shown(found.recall), shown(found.auc))
        for of in _by_source(runs)
        for seed, found in of
    ]
    return markdown_table(("shadows' records", "seed", "precision", "recall", "AUC"), rows)


def _deciles(runs: Runs) -> str:
    (_, first), *_ = runs.values()
    rows = [
        (
            found.source,
            found.deciles(lambda called: called.precision(ALPHA).estimate),
            found.deciles(lambda called: called.recall(ALPHA).estimate),
        )
        for found in first
    ]
    return markdown_table(
        ("shadows' records", "precision by class, deciles", "recall by class, deciles"), rows
    )


def _synthesis(runs: Runs) -> str:
    rows = []
    for of in _by_source(runs):
        for seed, found in of:
            if found.source != _REAL and not found.source.endswith(_OWN_LABELS):
                rows.append(
                    (
                        found.source,
                        seed,
                        f"{sum(map(bool, found.made_of))} of {len(found.made_of)}",
                        f"{min(found.made_of)} to {max(found.made_of)}",
                        f"{found.queries / sum(found.made_of):.1f}",
                    )
                )
    return markdown_table(
        ("source", "seed", "classes reached", "records a class", "queries a record"), rows
    )


def _other(setting: Setting, data: Path, seed: int, work: Path) -> tuple[str, ...]:
    """A row of a table: real shadows of another data set."""
    sides = Sides.of(setting, setting.pool(data), seed)
    found = _kept(
        work / f"{setting.name}_{seed}.json",
        lambda: attack(sides, setting, sides.shadow, _REAL, seed, None, time.monotonic()),
    )
    target = Target.of(sides)
    return (
        setting.title,
        f"{share(target.accuracies[0])}, {share(target.accuracies[1])}",
        f"{target.members:,}, {target.nonmembers:,}",
        *(shown(each) for each in (found.precision, found.recall, found.auc)),
        shown(target.threshold),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument("--work", type=Path, required=True, help="folder of what is found")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("absl").setLevel(logging.ERROR)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    for setting in LOCATION30:
        runs = {
            seed: location(setting, arguments.data, seed, arguments.work)
            for seed in arguments.seeds
        }
        _print_location(setting.title, runs)
    header = ("data", "accuracy in, out", "members, others", "precision", "recall", "AUC")
    rows = [_other(each, arguments.data, arguments.seeds[0], arguments.work) for each in OTHERS]
    print("### Adult and MNIST\n\n" + markdown_table((*header, "loss threshold's AUC"), rows))


if __name__ == "__main__":
    main()
