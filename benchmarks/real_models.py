"""Small models of real data, and how they are trained."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.benchmarks.real_pools import Pool

if TYPE_CHECKING:
    import keras

_BATCH = 64


def mlp(pool: Pool, seed: int) -> keras.Model:
    """One hidden layer of 128."""
    return _mlp(pool, seed, weight_decay=0.0)


def decayed_mlp(pool: Pool, seed: int) -> keras.Model:
    """One hidden layer of 128, an L2 penalty of .002 on the weights."""
    return _mlp(pool, seed, weight_decay=0.002)


def _mlp(pool: Pool, seed: int, weight_decay: float) -> keras.Model:
    import keras

    seeds = itertools.count(1_000 * seed)
    layers = [
        keras.layers.Dense(
            units,
            activation,
            kernel_initializer=_initial(seeds),
            kernel_regularizer=keras.regularizers.L2(weight_decay) if weight_decay else None,
        )
        for units, activation in ((128, "relu"), (_outputs(pool), None))
    ]
    return keras.Sequential([keras.Input(pool.inputs.shape[1:]), keras.layers.Flatten(), *layers])


def cnn(pool: Pool, seed: int) -> keras.Model:
    """Two convolutions, 32 and 64 wide, and a hidden layer of 128."""
    import keras

    seeds = itertools.count(1_000 * seed)
    return keras.Sequential(
        [
            keras.Input(pool.inputs.shape[1:]),
            keras.layers.Conv2D(32, 3, activation="relu", kernel_initializer=_initial(seeds)),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu", kernel_initializer=_initial(seeds)),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(128, "relu", kernel_initializer=_initial(seeds)),
            keras.layers.Dense(_outputs(pool), kernel_initializer=_initial(seeds)),
        ]
    )


def _initial(seeds: Iterator[int]) -> keras.initializers.Initializer:
    import keras

    return keras.initializers.GlorotUniform(seed=next(seeds))


def _outputs(pool: Pool) -> int:
    return 1 if pool.classes == 2 else pool.classes


def logits_over_epochs(
    model: keras.Model, pool: Pool, members: NDArray[np.int64], epochs: Collection[int], seed: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Trains by Adam at its default rate in batches of 64, shuffled anew in every epoch.

    Args:
      model: An untrained model whose output is logits.
      pool: The data.
      members: The rows to train on.
      epochs: After which epochs to predict; training ends at the last.
      seed: Of the order.

    Yields:
      (epoch, logits of the whole pool), ascending.
    """
    import keras

    if pool.classes == 2:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    rng = np.random.default_rng((seed, 1))
    for epoch in range(1, max(epochs) + 1):
        order = rng.permutation(members)
        inputs, label = pool.inputs[order], pool.label[order]
        model.fit(inputs, label, batch_size=_BATCH, shuffle=False, verbose=0)
        if epoch in epochs:
            yield epoch, model.predict(pool.inputs, batch_size=1_024, verbose=0)
