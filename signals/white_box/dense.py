"""Kernels that multiply rows of activations: MatMul and its kin, at one or many positions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tfx_privacy.signals.white_box.contribution import (
    Contribution,
    Rule,
    Site,
    sketch_of,
    squared_length,
)
from tfx_privacy.signals.white_box.projections import SketchProjection
from tfx_privacy.signals.white_box.uses import Use

# Attributes that say whether the first and the second input is transposed.
_TRANSPOSES = {
    "MatMul": ("transpose_a", "transpose_b"),
    "BatchMatMul": ("adj_x", "adj_y"),
    "BatchMatMulV2": ("adj_x", "adj_y"),
    "BatchMatMulV3": ("adj_x", "adj_y"),
}


@dataclasses.dataclass(frozen=True)
class Factors(Contribution):
    """Gradients as sums over positions t of outer products left_t right_t^T.

    Attributes:
      left: [b, t, rows].
      right: [b, t, columns].
    """

    left: tf.Tensor
    right: tf.Tensor

    @property
    def matrix(self) -> tuple[int, int]:
        return int(self.left.shape[-1]), int(self.right.shape[-1])

    def squared_norm(self) -> tf.Tensor:
        """By the cheaper of three ways.

        |sum_t l_t r_t^T|^2 = sum_{t, s} (l_t l_s)(r_t r_s) needs t^2 (rows + columns)
        multiplications, forming the matrix t * rows * columns; a single outer product
        has the norm |l| |r|.
        """
        positions = self.left.shape[1]
        rows, columns = self.matrix
        if positions == 1:
            return squared_length(self.left) * squared_length(self.right)
        if positions is None:
            few = tf.shape(self.left)[1] * (rows + columns) <= rows * columns
            return tf.cond(few, self._by_grams, lambda: squared_length(self._matrices()))
        if positions * (rows + columns) <= rows * columns:
            return self._by_grams()
        return squared_length(self._matrices())

    def _by_grams(self) -> tf.Tensor:
        grams = [tf.matmul(part, part, transpose_b=True) for part in (self.left, self.right)]
        return tf.reduce_sum(grams[0] * grams[1], axis=[1, 2])

    def sketch(self, projection: SketchProjection) -> tf.Tensor:
        rows, columns = self.matrix
        size = projection.size
        if rows * columns < size.size and self.left.shape[1] != 1:
            return sketch_of(self.gradient(), self.matrix, projection)
        left = _rows_times(self.left, projection.left(rows))
        right = _rows_times(self.right, projection.right(columns))
        return tf.matmul(left, right, transpose_a=True)

    def gradient(self) -> tf.Tensor:
        rows, columns = self.matrix
        return tf.reshape(self._matrices(), [-1, rows * columns])

    def _matrices(self) -> tf.Tensor:
        return tf.matmul(self.left, self.right, transpose_a=True)

    def swapped(self) -> Factors:
        """The gradients of the weight's transpose."""
        return Factors(self.right, self.left)


def join(parts: Sequence[Factors]) -> Factors:
    """Adds gradients of one weight: their positions side by side."""
    return Factors(
        tf.concat([part.left for part in parts], axis=1),
        tf.concat([part.right for part in parts], axis=1),
    )


def dense_rule(use: Use, batch: int) -> Rule | None:
    """The rule for a kernel [in, out], or [out, in] if the product transposes it."""
    operation = use.operation
    if operation.type not in _TRANSPOSES or use.index != 1:
        return None
    transpose_rows, transpose_kernel = map(operation.get_attr, _TRANSPOSES[operation.type])
    kernel = operation.inputs[1].shape
    lengths = kernel.as_list()
    rows = operation.inputs[0].shape
    if transpose_rows or any(length != 1 for length in lengths[:-2]):
        return None
    if rows.rank is None or rows.rank < len(lengths) or (rows[0] or batch) % batch:
        return None
    inner, outer = reversed(lengths[-2:]) if transpose_kernel else lengths[-2:]

    def factors(site: Site) -> Factors:
        left = tf.reshape(site.inputs[0], [batch, _positions(site.inputs[0], batch, inner), inner])
        right = tf.reshape(site.gradient, [batch, _positions(site.output, batch, outer), outer])
        both = Factors(_float32(left), _float32(right))
        return both.swapped() if transpose_kernel else both

    return factors


def is_product(operation: tf.Operation) -> bool:
    """Whether an operation multiplies matrices."""
    return operation.type in _TRANSPOSES


def transposes_kernel(operation: tf.Operation) -> bool:
    """Whether such an operation transposes the second one first."""
    return bool(operation.get_attr(_TRANSPOSES[operation.type][1]))


def _positions(rows: tf.Tensor, batch: int, width: int) -> int:
    """How many rows an example has; -1, which leaves it to reshaping, if that is not known."""
    size = rows.shape.num_elements()
    return -1 if size is None else size // (batch * width)


def _rows_times(rows: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """[b, t, n] by [n, m], as one product of matrices."""
    length, width = matrix.shape
    flat = tf.reshape(rows, [-1, length]) @ matrix
    positions = rows.shape[1]
    return tf.reshape(flat, [rows.shape[0], -1 if positions is None else positions, width])


def _float32(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(values, tf.float32)
