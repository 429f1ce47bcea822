"""Kernels of convolutions: over maps, over sequences, dilated, transposed, depthwise."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfx_privacy.signals.white_box.contribution import (
    Contribution,
    Rule,
    Site,
    explicit,
    squared_length,
)
from tfx_privacy.signals.white_box.dense import Factors
from tfx_privacy.signals.white_box.projections import SketchProjection
from tfx_privacy.signals.white_box.uses import Use

# With fewer, what the kernel meets is copied together, for products of a size that pays.
_FEW_CHANNELS = 8


@dataclasses.dataclass(frozen=True)
class Geometry:
    """How a convolution's kernel moves over maps of [height, width].

    Attributes:
      kernel: Height and width of the kernel.
      strides: Along height and width.
      dilations: The same.
      padding: Numbers of zeros ((top, bottom), (left, right)).
      result: Height and width of the result.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    result: tuple[int, int]

    @property
    def positions(self) -> int:
        """Of the kernel on a map."""
        return self.result[0] * self.result[1]

    def met(self, maps: tf.Tensor) -> list[tf.Tensor]:
        """What each number of the kernel meets, [blocks * b, *result, in] each, row by row."""
        phases = self._phases(maps)
        return [
            self._at(phases, row, column)
            for row in range(self.kernel[0])
            for column in range(self.kernel[1])
        ]

    def _phases(self, maps: tf.Tensor) -> list[list[tf.Tensor]]:
        """Padded maps, for each remainder of row and column divided by the strides those rows.

        A slice of every second number takes TensorFlow ten times as long as one copy of
        all maps in this order, of which slices are of neighbours.
        """
        down, across = self.strides
        (above, below), (left, right) = self.padding
        below += -(int(maps.shape[1]) + above + below) % down
        right += -(int(maps.shape[2]) + left + right) % across
        padded = maps
        if (above, below, left, right) != (0, 0, 0, 0):
            padded = tf.pad(maps, [(0, 0), (above, below), (left, right), (0, 0)])
        if (down, across) == (1, 1):
            return [[padded]]
        height, width, channels = padded.shape[1:]
        divided = tf.reshape(padded, [-1, height // down, down, width // across, across, channels])
        apart = tf.transpose(divided, [2, 4, 0, 1, 3, 5])
        return [tf.unstack(row) for row in tf.unstack(apart)]

    def _at(self, phases: list[list[tf.Tensor]], row: int, column: int) -> tf.Tensor:
        """What the kernel's number in a row and column meets."""
        first_row, down = divmod(row * self.dilations[0], self.strides[0])
        first_column, across = divmod(column * self.dilations[1], self.strides[1])
        rows = slice(first_row, first_row + self.result[0])
        columns = slice(first_column, first_column + self.result[1])
        return phases[down][across][:, rows, columns]


@dataclasses.dataclass(frozen=True)
class Convolved(Contribution):
    """Gradients of a kernel [height, width, in, out].

    The maps may be those of several blocks, one after the other, of all examples each:
    so a dilated convolution is computed.

    Attributes:
      maps: [blocks * b, height, width, in], what the kernel is moved over.
      gradient_maps: [blocks * b, *result, out], the gradient of what comes out.
      geometry: How it is moved.
      batch: The number b of examples.
    """

    maps: tf.Tensor
    gradient_maps: tf.Tensor
    geometry: Geometry
    batch: int

    @property
    def matrix(self) -> tuple[int, int]:
        height, width = self.geometry.kernel
        return height * width * self._inner, self._outer

    @property
    def _inner(self) -> int:
        return int(self.maps.shape[-1])

    @property
    def _outer(self) -> int:
        return int(self.gradient_maps.shape[-1])

    def squared_norm(self) -> tf.Tensor:
        rows, columns = self.matrix
        if self.geometry.positions * self._blocks * (rows + columns) <= rows * columns:
            return self._as_factors().squared_norm()
        return tf.add_n([squared_length(part) for part in self._by_offset()])

    def sketch(self, projection: SketchProjection) -> tf.Tensor:
        rows, columns = self.matrix
        return self.projected(projection.left(rows), projection.right(columns)[None])

    def projected(self, left: NDArray[np.float32], right: NDArray[np.float32]) -> tf.Tensor:
        """P^T G Q of G = sum of u_t d_t^T: u_t^T P is a convolution by P, without any patches.

        Args:
          left: P, [rows of G, r].
          right: Q, [1, columns of G, c], or [k, columns of G, c] for each of k examples
            in turn.

        Returns:
          [b, r, c].
        """
        filters = tf.reshape(left, [*self.geometry.kernel, self._inner, left.shape[1]])
        maps = tf.nn.conv2d(
            self.maps,
            filters,
            strides=self.geometry.strides,
            padding=[(0, 0), *self.geometry.padding, (0, 0)],
            dilations=self.geometry.dilations,
        )
        positions = self.geometry.positions
        turns, columns, narrow = right.shape
        met = tf.reshape(maps, [-1, positions, left.shape[1]])
        given = tf.reshape(self.gradient_maps, [-1, turns, positions, columns])
        if turns == 1:
            # As one product, which is faster than one for each example.
            flat = tf.reshape(given, [-1, columns]) @ right[0]
        else:
            flat = tf.matmul(given, right)
        flat = tf.reshape(flat, [-1, positions, narrow])
        return self._sum_of_blocks(tf.matmul(met, flat, transpose_a=True))

    def gradient(self) -> tf.Tensor:
        rows, columns = self.matrix
        transposed = tf.concat(self._by_offset(), axis=2)
        return tf.reshape(tf.transpose(transposed, [0, 2, 1]), [-1, rows * columns])

    @property
    def _blocks(self) -> int:
        return int(self.maps.shape[0]) // self.batch

    def _sum_of_blocks(self, values: tf.Tensor) -> tf.Tensor:
        if self._blocks == 1:
            return values
        return tf.reduce_sum(
            tf.reshape(values, [self._blocks, self.batch, *values.shape[1:]]), axis=0
        )

    def _by_offset(self) -> list[tf.Tensor]:
        """The gradient at each offset of the kernel, in order, transposed: [b, out, in].

        Of a kernel with few channels [b, out, offsets * in] at once.
        """
        positions = self.geometry.positions
        # A product with the long axis inside is much faster if it is the first one's last.
        left = tf.transpose(tf.reshape(self.gradient_maps, [-1, positions, self._outer]), [0, 2, 1])
        met = self.geometry.met(self.maps)
        if self._inner < _FEW_CHANNELS:
            met = [tf.concat(met, axis=-1)]
        return [
            self._sum_of_blocks(
                tf.matmul(left, tf.reshape(part, [-1, positions, int(part.shape[-1])]))
            )
            for part in met
        ]

    def _as_factors(self) -> Factors:
        patches = tf.concat(self.geometry.met(self.maps), axis=-1)
        return Factors(self._positions(patches), self._positions(self.gradient_maps))

    def _positions(self, maps: tf.Tensor) -> tf.Tensor:
        """[b, blocks * positions, channels]."""
        channels = int(maps.shape[-1])
        blocks = tf.reshape(maps, [self._blocks, self.batch, self.geometry.positions, channels])
        if self._blocks > 1:
            blocks = tf.transpose(blocks, [1, 0, 2, 3])
        return tf.reshape(blocks, [self.batch, -1, channels])


def convolution_rule(use: Use, batch: int) -> Rule | None:
    """The rule for Conv2D and its transpose, channels last and in one group."""
    operation = use.operation
    if operation.type not in ("Conv2D", "Conv2DBackpropInput") or use.index != 1:
        return None
    transposed = operation.type == "Conv2DBackpropInput"
    # A transposed convolution is the gradient of one that leads from its result to its input.
    small, large = operation.outputs[0], operation.inputs[2 if transposed else 0]
    if transposed:
        small, large = large, small
    kernel = operation.inputs[1].shape.as_list()
    geometry = geometry_of(operation, large, small, kernel)
    if geometry is None or not has_blocks_of(large, operation, batch):
        return None
    if (large.shape[3], small.shape[3]) != (kernel[2], kernel[3]):
        return None

    def convolved(site: Site) -> Convolved:
        gradient = tf.cast(site.gradient, tf.float32)
        entering = tf.cast(site.inputs[2 if transposed else 0], tf.float32)
        maps, gradient_maps = (gradient, entering) if transposed else (entering, gradient)
        maps.set_shape(large.shape)
        gradient_maps.set_shape(small.shape)
        return Convolved(maps, gradient_maps, geometry, batch)

    return convolved


def depthwise_rule(use: Use, batch: int) -> Rule | None:
    """The rule for a depthwise kernel [height, width, channels, multiplier]."""
    operation = use.operation
    if operation.type != "DepthwiseConv2dNative" or use.index != 1:
        return None
    large, small = operation.inputs[0], operation.outputs[0]
    kernel = operation.inputs[1].shape.as_list()
    geometry = geometry_of(operation, large, small, kernel)
    if geometry is None or not has_blocks_of(large, operation, batch):
        return None

    def contribution(site: Site) -> Contribution:
        maps = tf.cast(site.inputs[0], tf.float32)
        maps.set_shape(large.shape)
        shape = [-1, *geometry.result, kernel[2], kernel[3]]
        gradient = tf.reshape(tf.cast(site.gradient, tf.float32), shape)
        parts = [
            tf.reduce_sum(met[..., None] * gradient, axis=[1, 2]) for met in geometry.met(maps)
        ]
        stacked = tf.stack(parts, axis=1)
        blocks = tf.reshape(stacked, [-1, batch, *stacked.shape[1:]])
        return explicit(tf.reduce_sum(blocks, axis=0), use.shape)

    return contribution


def in_blocks(operation: tf.Operation, batch: int) -> bool:
    """Whether a convolution's maps are blocks of all examples, one block after the other."""
    kinds = ("Conv2D", "DepthwiseConv2dNative")
    return operation.type in kinds and operation.outputs[0].shape[0] != batch


def geometry_of(
    operation: tf.Operation, large: tf.Tensor, small: tf.Tensor, kernel: Sequence[int]
) -> Geometry | None:
    """How the kernel moves, or None where sizes are not known or channels come first."""
    if operation.get_attr("data_format") != b"NHWC":
        return None
    if not (large.shape.is_fully_defined() and small.shape.is_fully_defined()):
        return None
    sizes, results = large.shape.as_list()[1:3], small.shape.as_list()[1:3]
    strides = operation.get_attr("strides")[1:3]
    dilations = operation.get_attr("dilations")[1:3]
    way = operation.get_attr("padding")
    if way == b"EXPLICIT":
        numbers = operation.get_attr("explicit_paddings")
        padding = ((numbers[2], numbers[3]), (numbers[4], numbers[5]))
    elif way == b"SAME":
        pad = functools.partial(_same_padding)
        vertical, horizontal = map(pad, sizes, results, kernel[:2], strides, dilations)
        padding = (vertical, horizontal)
    else:
        padding = ((0, 0), (0, 0))
    return Geometry(
        kernel=(kernel[0], kernel[1]),
        strides=(strides[0], strides[1]),
        dilations=(dilations[0], dilations[1]),
        padding=padding,
        result=(results[0], results[1]),
    )


def _same_padding(
    size: int, result: int, kernel: int, stride: int, dilation: int
) -> tuple[int, int]:
    """Zeros before and behind, as TensorFlow's padding "SAME" has them."""
    zeros = max((result - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return zeros // 2, zeros - zeros // 2


def has_blocks_of(maps: tf.Tensor, operation: tf.Operation, batch: int) -> bool:
    """Whether its maps are the examples', or blocks of them that SpaceToBatchND made."""
    if maps.shape[0] == batch:
        return True
    made = operation.inputs[0].op
    while made.type in ("ExpandDims", "Identity", "Reshape"):
        made = made.inputs[0].op
    return bool(made.type == "SpaceToBatchND" and maps.shape[0] % batch == 0)
