"""Random matrices that make a sketch of a gradient: of seed, position and shape alone.

Two models of one architecture so share them, and their sketches can be compared.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

# What a matrix is for, so that no two are alike.
_LEFT, _RIGHT, _VECTOR, _ACTIVATION = range(4)


@dataclasses.dataclass(frozen=True)
class SketchSize:
    """The shape of a sketch, [rows, columns]."""

    rows: int = 16
    columns: int = 16

    @property
    def size(self) -> int:
        """Its numbers."""
        return self.rows * self.columns


@dataclasses.dataclass(frozen=True)
class SketchProjection:
    """The random matrices for one weight.

    For a matrix G the sketch is P^T G Q, of entries N(0, 1) / sqrt(m) with m the number
    of columns of P or of Q; so E|S|^2 = |G|^2, and the sketches of the weights of a
    layer add up to one of which that is true as well. A vector g is projected at once
    by a matrix R of entries N(0, 1) / sqrt(rows * columns).

    The spread of |S|^2 around |G|^2 is wide. For independent normal entries its relative
    variance is 2/(rc) + rho (2/r + 2/c + 2/(rc)) at r x c, where rho is the sum of the
    fourth powers of G's singular values over the square of the sum of their squares: 1 for
    a G of rank one, at most 1, at least 1/rank. The standard deviation at 16 x 16 so is
    .52 for a dense layer's kernel, some .2 to .25 for a convolution's, and for a vector
    sqrt(2/(rc)), .09. No norm is ever taken from a sketch.

    Attributes:
      seed: The seed.
      layer: The layer's position in the model.
      weight: The weight's position in the layer.
      size: The sketch's shape.
    """

    seed: int
    layer: int
    weight: int
    size: SketchSize

    def left(self, rows: int) -> NDArray[np.float32]:
        """P, [rows, size.rows]."""
        return self._normal(_LEFT, rows, self.size.rows)

    def right(self, columns: int) -> NDArray[np.float32]:
        """Q, [columns, size.columns]."""
        return self._normal(_RIGHT, columns, self.size.columns)

    def of_vector(self, length: int) -> NDArray[np.float32]:
        """R, [length, size.rows * size.columns]."""
        return self._normal(_VECTOR, length, self.size.size)

    def _normal(self, purpose: int, rows: int, columns: int) -> NDArray[np.float32]:
        return _normal((self.seed, self.layer, self.weight, purpose), rows, columns)


def activation_projection(seed: int, layer: int, length: int, width: int) -> NDArray[np.float32]:
    """[length, width] of entries N(0, 1) / sqrt(width), for a layer's wide activations."""
    return _normal((seed, layer, 0, _ACTIVATION), length, width)


def _normal(key: tuple[int, ...], rows: int, columns: int) -> NDArray[np.float32]:
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((*key, rows, columns))))
    matrix = generator.standard_normal((rows, columns), np.float32)
    matrix /= math.sqrt(columns)
    return matrix
