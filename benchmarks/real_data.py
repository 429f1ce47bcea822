"""Models of real data, trained in minutes, measured by the package and judged by its gate.

    python benchmarks/real_data.py --data ../shared/data --work /tmp/real_data

Trains every target (Keras on CPU) and saves what it predicts for members and for all other records
under WORK/seed_N; measures that as `tfx-privacy measure` does, judges it as `tfx-privacy gate`
does with an advantage of at most .05, and prints tables in Markdown. What a run of the same code
left in WORK is not done again. Ends with exit code 1 where a bar is not met.

The data are not part of the project. DATA holds location30.npz, adult.npz, mnist.npz and
cifar10_webp/.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.benchmarks.populations import markdown_table
from tfx_privacy.benchmarks.real_models import cnn, decayed_mlp, logits_over_epochs, mlp
from tfx_privacy.benchmarks.real_pools import (
    Pool,
    add_data_argument,
    adult,
    cifar10,
    location30,
    mnist,
    split,
)
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2

if TYPE_CHECKING:
    import keras

ADVANTAGE_LIMIT = 0.05
LOCATION_AUC = 0.85
METRICS = (
    config_pb2.MetricSpec(name="auc"),
    config_pb2.MetricSpec(name="advantage"),
    config_pb2.MetricSpec(name="balanced_accuracy"),
    config_pb2.MetricSpec(name="tpr_at_fpr", fpr=0.01),
    config_pb2.MetricSpec(name="precision", prior=0.5),
)
THRESHOLDS = thresholds_pb2.PrivacyThresholds(
    thresholds=[{"metric": {"name": "advantage"}, "upper_limit": ADVANTAGE_LIMIT}]
)
_MEMBERS, _NONMEMBERS, _METRICS = "members.npz", "nonmembers.npz", "metrics"


@dataclasses.dataclass(frozen=True)
class Target:
    """A model to train and to measure.

    Attributes:
      name: A word, for files and the command line.
      title: What people read.
      pool: Reads the data set.
      build: Makes the model, untrained, from the pool's shapes and a seed.
      members: How many records it is trained on.
      epochs: After which epochs it is measured, ascending; training ends at the last.
      attacks: The set of attacks that it is measured by.
      paper: What Shokri et al. 2017 report, in words.
    """

    name: str
    title: str
    pool: Callable[[Path], Pool]
    build: Callable[[Pool, int], keras.Model]
    members: int
    epochs: tuple[int, ...]
    attacks: str
    paper: str


_LOCATION = "precision .678 (1, .673)"
_ADULT = "precision .503 (.848, .842)"
_MNIST = "precision .517 (.984, .928)"
_EPOCHS = (1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 25, 30)
TARGETS = (
    Target("location30", "Location-30", location30, mlp, 1_200, (40,), "thorough", _LOCATION),
    Target(
        "location30_l2",
        "Location-30, L2 .002",
        location30,
        decayed_mlp,
        1_200,
        (40,),
        "thorough",
        _LOCATION,
    ),
    Target("adult_short", "Adult", adult, mlp, 20_000, (10,), "thorough", _ADULT),
    Target("mnist_short", "MNIST", mnist, mlp, 30_000, (6,), "thorough", _MNIST),
    Target("adult_long", "Adult, longer", adult, mlp, 10_000, (30,), "thorough", _ADULT),
    Target("mnist_long", "MNIST, longer", mnist, mlp, 10_000, (40,), "thorough", _MNIST),
    Target("cifar10", "CIFAR-10, a part", cifar10, cnn, 5_000, _EPOCHS, "standard", "see text"),
)


@dataclasses.dataclass(frozen=True)
class Measured:
    """A target after some epochs, measured and judged.

    Attributes:
      target: Which one.
      epoch: After how many epochs.
      train_accuracy: Share of members whose class the model gets right.
      test_accuracy: The same of non-members.
      results: What `measure` found.
      verdict: What the gate says of it.
    """

    target: Target
    epoch: int
    train_accuracy: float
    test_accuracy: float
    results: results_pb2.PrivacyResults
    verdict: verdict_pb2.PrivacyVerdict

    @property
    def bar(self) -> tuple[str, bool]:
        """What is asked of the target, and whether it is met."""
        if self.target.name.startswith("location30"):
            return f"lower bound of the AUC at least {LOCATION_AUC}", self.best(
                "auc"
            ).lower >= LOCATION_AUC
        if self.target.name.endswith("_short"):
            passed = self.verdict.outcome == verdict_pb2.PASS
            within = self.best("advantage").upper < ADVANTAGE_LIMIT
            return f"upper bound of the advantage below {ADVANTAGE_LIMIT}, PASS", passed and within
        return "lower bound of the AUC above .5", self.best("auc").lower > 0.5

    def best(self, metric: str) -> results_pb2.MeasuredValue:
        """Best of the attacks: bounds hold for the largest over all of them."""
        return _value(self.results.best_of_attacks, metric)


def _value(values: Sequence[results_pb2.MetricValue], metric: str) -> results_pb2.MeasuredValue:
    return next(value.value for value in values if value.metric.name == metric)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument("--work", type=Path, required=True, help="predictions and metrics go here")
    parser.add_argument("--seed", type=int, default=0, help="of split, weights and order")
    names = [target.name for target in TARGETS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="TARGET")
    options = parser.parse_args()
    if not (options.data / "location30.npz").is_file():
        parser.error(f"no real data in {options.data}: expected location30.npz and others there")
    logging.disable(logging.WARNING)
    folder = options.work / f"seed_{options.seed}"
    found: list[Measured] = []
    for target in TARGETS:
        if target.name in options.only:
            _save_predictions(target, options.data, options.seed, folder)
            for epoch in target.epochs:
                found.append(_measured(target, epoch, options.seed, folder))
    _report(found, options.seed)
    sys.exit(0 if all(one.bar[1] for one in _last_of_each(found)) else 1)


def _save_predictions(target: Target, data: Path, seed: int, folder: Path) -> None:
    """Trains, and leaves the predictions; does nothing where those of such a training are."""
    done = folder / target.name / "training.json"
    wanted = {
        "members": target.members,
        "epochs": list(target.epochs),
        "model": target.build.__name__,
    }
    if done.is_file() and json.loads(done.read_text()) == wanted:
        return
    shutil.rmtree(done.parent, ignore_errors=True)
    start = time.perf_counter()
    pool = target.pool(data)
    members, others = split(pool, target.members, seed)
    model = target.build(pool, seed)
    for epoch, logits in logits_over_epochs(model, pool, members, target.epochs, seed):
        place = _place(folder, target, epoch)
        place.mkdir(parents=True)
        for name, rows in ((_MEMBERS, members), (_NONMEMBERS, others)):
            _save(place / name, pool.take(rows), logits[rows])
    done.write_text(json.dumps(wanted))
    _tell(f"{target.name}: trained in {time.perf_counter() - start:.0f} s")


def _save(path: Path, records: Pool, logits: NDArray[np.float32]) -> None:
    np.savez(path, id=records.ids, label=records.label, logits=logits, **records.features)


def _place(folder: Path, target: Target, epoch: int) -> Path:
    return folder / target.name / f"epoch_{epoch:02d}"


def _measured(target: Target, epoch: int, seed: int, folder: Path) -> Measured:
    from tfx_privacy.evaluation.gate import judge_metrics, write_verdict

    place = _place(folder, target, epoch)
    results = _results(place, config_pb2.PrivacyConfig(attacks=[target.attacks], seed=seed))
    judged = judge_metrics(str(place / _METRICS), THRESHOLDS)
    write_verdict(judged, str(place / "verdict"))
    seconds = sum(stage.seconds for stage in results.stages)
    _tell(f"{target.name}, epoch {epoch}: {seconds:.0f} s to measure")
    return Measured(
        target=target,
        epoch=epoch,
        train_accuracy=_accuracy(place / _MEMBERS),
        test_accuracy=_accuracy(place / _NONMEMBERS),
        results=results,
        verdict=judged.verdict,
    )


def _results(place: Path, config: config_pb2.PrivacyConfig) -> results_pb2.PrivacyResults:
    """Measures, unless the same code has measured the same."""
    import apache_beam as beam

    from tfx_privacy.evaluation.code_version import code_digest
    from tfx_privacy.evaluation.config import resolve_config
    from tfx_privacy.evaluation.measure import measure
    from tfx_privacy.evaluation.metrics_directory import read_metrics
    from tfx_privacy.evaluation.output_directory import whole_output
    from tfx_privacy.signals.errors import InputError

    config.metrics.extend(METRICS)
    # There may be none, or none that this version reads.
    with contextlib.suppress(InputError):
        earlier = read_metrics(str(place / _METRICS)).results
        if earlier.code_digest == code_digest() and earlier.config == resolve_config(config):
            return earlier
    members, nonmembers = str(place / _MEMBERS), str(place / _NONMEMBERS)
    with whole_output(str(place / _METRICS)) as outputs:
        return measure(members, nonmembers, config, outputs, beam.Pipeline).results


def _accuracy(file: Path) -> float:
    saved = np.load(file)
    logits, label = saved["logits"], saved["label"]
    answer = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(axis=1)
    return float((answer == label).mean())


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _last_of_each(found: Sequence[Measured]) -> list[Measured]:
    last: Mapping[str, Measured] = {one.target.name: one for one in found}
    return list(last.values())


def _report(found: Sequence[Measured], seed: int) -> None:
    packages = ("numpy", "tensorflow", "keras", "scikit-learn", "apache-beam")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    results = found[0].results
    print(f"Seed {seed}.")
    print(f"Python {platform.python_version()}, {', '.join(versions)}; {os.cpu_count()} cores.")
    print(f"tfx-privacy {results.package_version}, code {results.code_digest[:12]}.\n")
    print(_targets_table(_last_of_each(found)))
    for one in _last_of_each(found):
        if one.target.name.startswith("location30"):
            print(f"\n{one.target.title}, attack by attack:\n\n{_attacks_table(one.results)}")
        if len(one.target.epochs) > 1:
            print(f"\n{one.target.title}, over epochs:\n")
            print(_epochs_table([other for other in found if other.target is one.target]))


def _targets_table(found: Sequence[Measured]) -> str:
    header = (
        "target",
        "members, epochs",
        "attacks",
        "judged members, non-members",
        "accuracy train, test",
        "best attack",
        "AUC",
        "advantage",
        "TPR at 1% FPR",
        "precision",
        f"advantage <= {ADVANTAGE_LIMIT}",
        "bar",
        "Shokri et al. 2017",
    )
    return markdown_table(header, [_target_line(one) for one in found])


def _target_line(one: Measured) -> tuple[object, ...]:
    bar, is_met = one.bar
    return (
        one.target.title,
        f"{one.target.members:,}, {one.epoch}",
        f"{one.target.attacks} ({len(one.results.attacks)})",
        _judged(one.results),
        _accuracies(one),
        one.results.best_attack,
        *(_interval(one.best(name)) for name in ("auc", "advantage", "tpr_at_fpr", "precision")),
        verdict_pb2.Outcome.Name(one.verdict.outcome),
        f"{bar}: {'met' if is_met else 'NOT MET'}",
        one.target.paper,
    )


def _attacks_table(results: results_pb2.PrivacyResults) -> str:
    names = ("auc", "advantage", "balanced_accuracy", "precision", "tpr_at_fpr")
    header = ("attack", "AUC", "advantage", "balanced accuracy", "precision", "TPR at 1% FPR")
    rows = [
        (attack.name, *(_interval(_value(attack.metrics, name)) for name in names))
        for attack in results.attacks
    ]
    return markdown_table(header, rows)


def _epochs_table(found: Sequence[Measured]) -> str:
    header = (
        "epoch",
        "train accuracy",
        "test accuracy",
        "AUC",
        "advantage",
        f"advantage <= {ADVANTAGE_LIMIT}",
        "best attack",
    )
    rows = [
        (
            one.epoch,
            f"{one.train_accuracy:.3f}",
            f"{one.test_accuracy:.3f}",
            _interval(one.best("auc")),
            _interval(one.best("advantage")),
            verdict_pb2.Outcome.Name(one.verdict.outcome),
            one.results.best_attack,
        )
        for one in found
    ]
    return markdown_table(header, rows)


def _judged(results: results_pb2.PrivacyResults) -> str:
    judged = results.records.judge
    return f"{judged.members:,}, {judged.nonmembers:,}"


def _accuracies(one: Measured) -> str:
    return f"{one.train_accuracy:.3f}, {one.test_accuracy:.3f}"


def _interval(value: results_pb2.MeasuredValue) -> str:
    return f"{value.estimate:.3f} ({value.lower:.3f} to {value.upper:.3f})"


if __name__ == "__main__":
    main()
