"""A dense layer whose result does not depend on how a sum is ordered.

A matrix product of floating-point numbers rounds after every addition, and the
order of additions depends on the number of rows, a row's place among them, threads
and processor: the same row has another score in another batch. Here inputs and
weights are rounded to a grid on which every product and every partial sum is a
whole number that float64 holds exactly. Then any order gives the same result, and
BLAS may do what it likes.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

# Whole numbers up to 2^53 are exact in float64.
_EXACT_BITS = 53

# The grid is not made finer than 2^-26: finer says nothing about features.
_MAX_GRID_BITS = 26


@dataclasses.dataclass(frozen=True)
class ExactLinear:
    """x W + b for |x| <= input_limit, with x and W rounded to multiples of 2^-grid_bits.

    Attributes:
      weight: [d, h] float64, whole numbers: W in units of 2^-grid_bits.
      bias: [h] float64.
      input_limit: Larger inputs are cut off here.
      grid_bits: So that no partial sum of whole numbers exceeds 2^53.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    input_limit: float
    grid_bits: int

    @staticmethod
    def of(
        weight: NDArray[np.float64], bias: NDArray[np.float64], input_limit: float
    ) -> ExactLinear:
        """The layer on the finest grid that is exact for inputs up to the limit."""
        bits = _MAX_GRID_BITS
        while _largest_sum(_on_grid(weight, bits), input_limit, bits) > 2**_EXACT_BITS:
            bits -= 1
        return ExactLinear(_on_grid(weight, bits), bias, input_limit, bits)

    @property
    def output_limit(self) -> float:
        """No output is larger than this."""
        largest_sum = _largest_sum(self.weight, self.input_limit, self.grid_bits)
        return math.ldexp(largest_sum, -2 * self.grid_bits) + float(np.abs(self.bias).max())

    def __call__(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, h] float64 for inputs [n, d]: of each row to the bit the same in any batch."""
        limited = np.clip(inputs, -self.input_limit, self.input_limit)
        sums = _on_grid(limited, self.grid_bits) @ self.weight
        return np.ldexp(sums, -2 * self.grid_bits) + self.bias


def _on_grid(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    whole: NDArray[np.float64] = np.rint(np.ldexp(values, bits))
    return whole


def _largest_sum(weight: NDArray[np.float64], input_limit: float, bits: int) -> float:
    """The largest sum of absolute products, weights and inputs in units of the grid."""
    largest_input = math.ceil(math.ldexp(input_limit, bits))
    return largest_input * float(np.abs(weight).sum(axis=0).max())
