"""Shadow models of one architecture, trained in this process, and what they answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfx_privacy.benchmarks.real_pools import Pool
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.reference_models.membership import inside
from tfx_privacy.signals.batch import Signals
from tfx_privacy.signals.losses import losses

if TYPE_CHECKING:
    import keras

_BATCH = 64
# Steps in one call of TensorFlow: with models so small a call costs more than the step.
_STEPS_AT_ONCE = 20
# Added to seeds of initialisations and orders, so that no shadow starts as the target does.
_SHADOW_SEEDS = 1_000


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a target and its shadows are trained: by Adam at its default rate in batches of 64.

    Attributes:
      build: Makes a model, untrained, whose output is logits, for data and a seed.
      epochs: For how long.
    """

    build: Callable[[Pool, int], keras.Model]
    epochs: int


class Training:
    """Trains one model after the other in the variables of one that is compiled once.

    Tracing would take most of the time where training sets are so small.
    """

    def __init__(self, recipe: Recipe, pool: Pool) -> None:
        import keras

        self._recipe = recipe
        self._model = recipe.build(pool, 0)
        if pool.classes == 2:
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._model.compile("adam", loss, steps_per_execution=_STEPS_AT_ONCE)
        self._model.optimizer.build(self._model.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._model.optimizer.variables]

    def train(self, pool: Pool, members: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
        """Trains a model on some of a pool's rows; its logits of all, [n, outputs].

        Args:
          pool: The records; of the shape and classes that the training was made for.
          members: The rows to train on.
          seed: Of initialisation and order.
        """
        self._model.set_weights(self._recipe.build(pool, seed).get_weights())
        for variable, value in zip(self._model.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        rng = np.random.default_rng((seed, 1))
        order = np.concatenate([rng.permutation(members) for _ in range(self._recipe.epochs)])
        inputs, label = pool.inputs[order], pool.label[order]
        self._model.fit(inputs, label, batch_size=_BATCH, shuffle=False, verbose=0)
        return _logits(self._model, pool.inputs)

    def target(self, pool: Pool) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """The model of several classes trained last: flat inputs [m, width] to probabilities."""
        frozen = self._recipe.build(pool, 0)
        frozen.set_weights(self._model.get_weights())

        def answer(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            inputs = rows.reshape((len(rows), *pool.inputs.shape[1:])).astype(np.float32)
            return np.asarray(special.softmax(_logits(frozen, inputs).astype(np.float64), axis=1))

        return answer


def observed(pool: Pool, logits: NDArray[np.float32], member: NDArray[np.bool_]) -> Signals:
    """What a model answers for a pool's rows, and whether it was trained on each."""
    task = config_pb2.BINARY if logits.shape[1] == 1 else config_pb2.MULTICLASS
    return Signals(
        task=task,
        ids=_ids(pool),
        member=member,
        label=pool.label,
        logits=logits,
        loss=losses(task, logits, pool.label),
    )


def shadow_rows(training: Training, pool: Pool, shadows: int, seed: int) -> Signals:
    """Trains shadows on complementary halves of a pool; what each answers for all of it.

    Args:
      training: As the target's.
      pool: The records.
      shadows: How many, even.
      seed: Of halves, initialisations and orders.

    Returns:
      [shadows * n] rows; `member` is whether that shadow was trained on the record.
    """
    halves = inside(_ids(pool), seed, shadows)
    parts = []
    for number, member in enumerate(halves.T):
        shadow_seed = _SHADOW_SEEDS * (seed + 1) + number
        logits = training.train(pool, np.flatnonzero(member), shadow_seed)
        parts.append(observed(pool, logits, member))
    return Signals.concatenate(parts)


def _logits(model: keras.Model, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(model(inputs, training=False))


def _ids(pool: Pool) -> NDArray[np.uint64]:
    return np.stack([np.zeros_like(pool.ids), pool.ids], axis=1).astype(np.uint64)
