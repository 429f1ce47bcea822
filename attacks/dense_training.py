"""Training of small networks side by side, in NumPy.

A network of some thousand weights needs no framework: importing TensorFlow alone costs
several seconds and 450 MB, which is more than everything that is done here.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.attacks.dense_scorer import Layers

# Adam's (Kingma and Ba 2015), but for the learning rate; a small number as Keras has it.
_FIRST_MOMENT = 0.9
_SECOND_MOMENT = 0.999
_SMALL = 1e-7


@dataclasses.dataclass(frozen=True)
class Networks:
    """Several networks of one shape, with ReLU between layers and one output.

    Attributes:
      flat: [p] float32: all numbers below, which are views of it.
      weights: [k, inputs, outputs] of each layer, of k networks.
      biases: [k, 1, outputs] of each layer.
    """

    flat: NDArray[np.float32]
    weights: Sequence[NDArray[np.float32]]
    biases: Sequence[NDArray[np.float32]]

    @staticmethod
    def zeros(networks: int, units: Sequence[int]) -> Networks:
        """So many networks; `units` are the inputs, the hidden layers' and the output's, 1."""
        shapes = [(networks, i, o) for i, o in itertools.pairwise(units)]
        shapes += [(networks, 1, o) for o in units[1:]]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        flat = np.zeros(int(ends[-1]), np.float32)
        parts = [
            part.reshape(shape)
            for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)
        ]
        layers = len(units) - 1
        return Networks(flat, parts[:layers], parts[layers:])

    @staticmethod
    def drawn(networks: int, units: Sequence[int], generator: np.random.Generator) -> Networks:
        """Weights by chance, by the number of inputs (He et al. 2015); biases are 0."""
        drawn = Networks.zeros(networks, units)
        for weight in drawn.weights:
            weight[:] = generator.normal(0, math.sqrt(2 / weight.shape[1]), weight.shape)
        return drawn

    def like(self) -> Networks:
        """Networks of the same shape, all 0."""
        units = [*(weight.shape[1] for weight in self.weights), 1]
        return Networks.zeros(len(self.weights[0]), units)

    def one(self, network: int) -> Networks:
        """That network alone, sharing the numbers of its layers with these."""
        only = slice(network, network + 1)
        return Networks(
            self.flat, [one[only] for one in self.weights], [one[only] for one in self.biases]
        )

    def log_odds(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The outputs of each network, [k, n], for features [n, d]."""
        return self.activations(features)[-1][:, :, 0]

    def activations(self, features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """What enters each layer, [n, d] and then [k, n, inputs], and the output, [k, n, 1]."""
        values = [features]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            if len(values) > 1:
                np.maximum(values[-1], 0, out=values[-1])
            values.append(np.matmul(values[-1], weight))
            values[-1] += bias
        return values

    def layers(self, network: int) -> Layers:
        """A copy of one network's layers."""
        return [
            (weight[network].astype(np.float64), bias[network, 0].astype(np.float64))
            for weight, bias in zip(self.weights, self.biases, strict=True)
        ]


class Adam:
    """Steps down the gradient of a log-loss with a penalty on the size of weights."""

    def __init__(self, networks: Networks, learning_rate: float, l2: float) -> None:
        """Starts at the networks as they are, which every step changes.

        Args:
          networks: What is trained.
          learning_rate: The size of a step.
          l2: The penalty: so much times the sum of the squared weights of a network.
        """
        self._networks = networks
        self._gradient = networks.like()
        self._first, self._second = np.zeros((2, *networks.flat.shape), np.float32)
        self._learning_rate = learning_rate
        self._l2 = l2
        self._steps = 0

    def step(
        self,
        features: NDArray[np.float32],
        member: NDArray[np.float32],
        weight: NDArray[np.float32],
    ) -> None:
        """One step for the mean of the weighted log-losses of n rows.

        Args:
          features: [n, d].
          member: [n], 1 for members and 0 for others.
          weight: [k, n], of each row for each network.
        """
        self._measure_gradient(features, member, weight)
        self._steps += 1
        gradient = self._gradient.flat
        self._first += (1 - _FIRST_MOMENT) * (gradient - self._first)
        self._second += (1 - _SECOND_MOMENT) * (gradient * gradient - self._second)
        size = self._learning_rate * math.sqrt(1 - _SECOND_MOMENT**self._steps)
        size /= 1 - _FIRST_MOMENT**self._steps
        self._networks.flat[:] -= np.float32(size) * self._first / (np.sqrt(self._second) + _SMALL)

    def _measure_gradient(
        self,
        features: NDArray[np.float32],
        member: NDArray[np.float32],
        weight: NDArray[np.float32],
    ) -> None:
        *inputs, outputs = self._networks.activations(features)
        # tanh does not overflow, as exp would.
        probability = 0.5 + 0.5 * np.tanh(0.5 * outputs[:, :, 0])
        back = (weight * (probability - member) / np.float32(len(features)))[:, :, None]
        for layer in range(len(inputs) - 1, -1, -1):
            mine = self._networks.weights[layer]
            np.matmul(inputs[layer].swapaxes(-1, -2), back, out=self._gradient.weights[layer])
            self._gradient.weights[layer][:] += np.float32(2 * self._l2) * mine
            back.sum(axis=1, keepdims=True, out=self._gradient.biases[layer])
            if layer:
                back = np.matmul(back, mine.swapaxes(-1, -2))
                back *= inputs[layer] > 0


def batches(rows: int, size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Every row once, in batches of one size; the last is filled up with the first rows."""
    order = generator.permutation(rows)
    order = np.resize(order, math.ceil(rows / size) * size)
    yield from np.split(order, len(order) // size)
