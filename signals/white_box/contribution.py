"""What one use of a weight adds to the per-example gradients, in the graph."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfx_privacy.signals.white_box.projections import SketchProjection

# Up to this size a weight's gradient is projected at once, as a vector.
_LARGEST_VECTOR = 4096


@dataclasses.dataclass(frozen=True)
class Site:
    """An operation that uses a weight, in the graph that is being built.

    Attributes:
      inputs: What enters it.
      output: What comes out of it.
      gradient: Of the examples' losses, with regard to the output.
      batch: The number of examples.
    """

    inputs: Sequence[tf.Tensor]
    output: tf.Tensor
    gradient: tf.Tensor
    batch: int


class Contribution(abc.ABC):
    """Gradients of b examples' losses with regard to one weight, through one of its uses."""

    @property
    @abc.abstractmethod
    def matrix(self) -> tuple[int, int] | None:
        """Rows and columns of the weight as a matrix; None where it is taken as a vector."""

    @abc.abstractmethod
    def squared_norm(self) -> tf.Tensor:
        """|G|^2 of each example, [b], exact."""

    @abc.abstractmethod
    def sketch(self, projection: SketchProjection) -> tf.Tensor:
        """Sketch of each example's gradient, [b, rows, columns]."""

    @abc.abstractmethod
    def gradient(self) -> tf.Tensor:
        """Each example's gradient, [b, the numbers in the order of what the operation took]."""


# Makes a contribution where an operation is of a kind that is known.
Rule = Callable[[Site], Contribution]


@dataclasses.dataclass(frozen=True)
class Explicit(Contribution):
    """Gradients that were formed.

    Attributes:
      values: [b, n].
      shape: The weight's shape, of n numbers.
    """

    values: tf.Tensor
    shape: tuple[int, ...]

    @property
    def matrix(self) -> tuple[int, int] | None:
        return matrix_of(self.shape)

    def squared_norm(self) -> tf.Tensor:
        return squared_length(self.values)

    def sketch(self, projection: SketchProjection) -> tf.Tensor:
        return sketch_of(self.values, self.matrix, projection)

    def gradient(self) -> tf.Tensor:
        return self.values


def explicit(gradient: tf.Tensor, shape: tuple[int, ...]) -> Explicit:
    """Formed gradients from [b, ...] of any shape."""
    return Explicit(tf.reshape(gradient, [-1, math.prod(shape)]), shape)


def matrix_of(shape: Sequence[int]) -> tuple[int, int] | None:
    """How a weight is sketched whose use does not say: small ones as vectors, at once."""
    size = math.prod(shape)
    if size <= _LARGEST_VECTOR or size in shape:
        return None
    return size // shape[-1], shape[-1]


def sketch_of(
    values: tf.Tensor, matrix: tuple[int, int] | None, projection: SketchProjection
) -> tf.Tensor:
    """Sketch of gradients [b, n] that were formed, [b, rows, columns]."""
    size = projection.size
    if matrix is None:
        flat = values @ projection.of_vector(values.shape[1])
        return tf.reshape(flat, [-1, size.rows, size.columns])
    rows, columns = matrix
    narrow = tf.reshape(values, [-1, columns]) @ projection.right(columns)
    left = tf.transpose(projection.left(rows))
    return tf.matmul(left, tf.reshape(narrow, [-1, rows, size.columns]))


def squared_length(values: tf.Tensor) -> tf.Tensor:
    """The sum of the squares of each row, from [b, ...] to [b]."""
    # One operation over the numbers, where the sum of their squares would be two.
    return tf.square(tf.math.reduce_euclidean_norm(values, axis=list(range(1, values.shape.rank))))
