"""Targets of white-box attacks on real data: for each seed a model A and two of model B."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.benchmarks.real_models import cnn, logits_over_epochs, mlp
from tfx_privacy.benchmarks.real_pools import Pool, cifar10, location30
from tfx_privacy.benchmarks.white_box_signals import signals_of, white_box_columns
from tfx_privacy.signals.batch import Signals

if TYPE_CHECKING:
    import keras

# Added to a seed for another initialisation and order.
_OTHER = 1_000
MODELS = ("a", "b_same_start", "b_other_start")


def deep_mlp(pool: Pool, seed: int) -> keras.Model:
    """Hidden layers of 512, 256 and 128."""
    import keras

    seeds = itertools.count(1_000 * seed)
    layers = [
        keras.layers.Dense(
            units,
            activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        )
        for units, activation in ((512, "relu"), (256, "relu"), (128, "relu"), (pool.classes, None))
    ]
    return keras.Sequential([keras.Input(pool.inputs.shape[1:]), *layers])


@dataclasses.dataclass(frozen=True)
class Target:
    """A kind of model, trained for every seed.

    Attributes:
      name: A word, for files and the command line.
      title: What people read.
      pool: Reads the data set.
      build: Makes a model, untrained.
      members: How many records each model is trained on.
      epochs: For how long.
    """

    name: str
    title: str
    pool: Callable[[Path], Pool]
    build: Callable[[Pool, int], keras.Model]
    members: int
    epochs: int


TARGETS = (
    Target("location30", "Location-30, 128", location30, mlp, 1_200, 40),
    Target("location30_deep", "Location-30, 512-256-128", location30, deep_mlp, 1_200, 40),
    Target("cifar10", "CIFAR-10, a part", cifar10, cnn, 5_000, 15),
)


@dataclasses.dataclass(frozen=True)
class Parts:
    """Rows of a pool, by what they are to models A and B; no row is in two of these.

    Attributes:
      a_members: What A is trained on.
      b_members: What B is trained on, as many.
      a_others: A half of what is left.
      b_others: The other half.
    """

    a_members: NDArray[np.int64]
    b_members: NDArray[np.int64]
    a_others: NDArray[np.int64]
    b_others: NDArray[np.int64]

    @staticmethod
    def of(rows: int, members: int, seed: int) -> Parts:
        """Draws the parts by chance; A's members are those that `real_pools.split` draws.

        Raises:
          ValueError: If the pool is too small for two models and others beside them.
        """
        if rows < 2 * members + 2:
            raise ValueError(
                f"two models of {members} members: found {rows} records, expected at least "
                f"{2 * members + 2}"
            )
        order = np.random.default_rng((seed, 0)).permutation(rows)
        middle = 2 * members + (rows - 2 * members) // 2
        a_members, b_members, a_others, b_others = np.split(order, [members, 2 * members, middle])
        return Parts(a_members, b_members, a_others, b_others)


def observed(target: Target, pool: Pool, seed: int, model: str, work: Path) -> Signals:
    """What is seen of the whole pool under a model; trained unless WORK has it already.

    Args:
      target: Which kind of model.
      pool: Its data.
      seed: Of parts, initialisation and order.
      model: Of MODELS: A, B from A's initialisation, B from another.
      work: Where signals are kept.
    """
    parts = Parts.of(len(pool), target.members, seed)
    members = parts.a_members if model == "a" else parts.b_members
    stored = work / target.name / f"seed_{seed}" / f"{model}.npz"
    if not stored.is_file():
        start = seed + _OTHER if model == "b_other_start" else seed
        _train(target, pool, members, start, seed, stored)
    with np.load(stored) as columns:
        found = dict(columns)
    member = np.zeros(len(pool), np.bool_)
    member[members] = True
    return signals_of(pool, member, found.pop("logits"), found)


def accuracies(seen: Signals) -> tuple[float, float]:
    """Shares of members and of all others whose class the model gets right."""
    assert seen.logits is not None
    right = seen.logits.argmax(axis=1) == seen.label
    return float(right[seen.member].mean()), float(right[~seen.member].mean())


def _train(
    target: Target, pool: Pool, members: NDArray[np.int64], start: int, seed: int, stored: Path
) -> None:
    import keras

    # Names of layers count on from model to model else, and A's and B's are to be the same.
    keras.utils.clear_session()
    model = target.build(pool, start)
    ((_, logits),) = logits_over_epochs(model, pool, members, (target.epochs,), start)
    columns = white_box_columns(model, pool, seed)
    stored.parent.mkdir(parents=True, exist_ok=True)
    partial = stored.with_suffix(".partial.npz")
    np.savez(partial, logits=logits, **columns)
    partial.rename(stored)
