"""Kernels of convolutions in groups: each group of channels has a part of the kernel for itself."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfx_privacy.signals.white_box.channel_groups import group_count
from tfx_privacy.signals.white_box.contribution import Contribution, Rule, Site
from tfx_privacy.signals.white_box.convolution import Convolved, geometry_of, has_blocks_of
from tfx_privacy.signals.white_box.projections import SketchProjection
from tfx_privacy.signals.white_box.uses import Use


@dataclasses.dataclass(frozen=True)
class ConvolvedInGroups(Contribution):
    """Gradients of a kernel [height, width, in, groups * out].

    Attributes:
      apart: The same with every group of an example as an example of its own, an
        example's groups one after the other: gradients of [height, width, in, out].
      groups: Their number.
    """

    apart: Convolved
    groups: int

    @property
    def matrix(self) -> tuple[int, int]:
        rows, columns = self.apart.matrix
        return rows, self.groups * columns

    def squared_norm(self) -> tf.Tensor:
        return tf.reduce_sum(tf.reshape(self.apart.squared_norm(), [-1, self.groups]), axis=1)

    def sketch(self, projection: SketchProjection) -> tf.Tensor:
        """P^T G Q is a sum over groups, each with its own rows of Q."""
        rows, columns = self.matrix
        right = projection.right(columns).reshape(self.groups, columns // self.groups, -1)
        apart = self.apart.projected(projection.left(rows), right)
        shape = [-1, self.groups, projection.size.rows, projection.size.columns]
        return tf.reduce_sum(tf.reshape(apart, shape), axis=1)

    def gradient(self) -> tf.Tensor:
        rows, columns = self.apart.matrix
        apart = tf.reshape(self.apart.gradient(), [-1, self.groups, rows, columns])
        return tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), [-1, rows * self.groups * columns])


def grouped_convolution_rule(use: Use, batch: int) -> Rule | None:
    """The rule for Conv2D in groups, channels last."""
    operation = use.operation
    groups = group_count(operation)
    if operation.type != "Conv2D" or use.index != 1 or groups == 1:
        return None
    large, small = operation.inputs[0], operation.outputs[0]
    geometry = geometry_of(operation, large, small, operation.inputs[1].shape.as_list())
    if geometry is None or not has_blocks_of(large, operation, batch):
        return None

    def convolved(site: Site) -> ConvolvedInGroups:
        maps = _apart(site.inputs[0], large.shape.as_list(), groups)
        gradient_maps = _apart(site.gradient, small.shape.as_list(), groups)
        return ConvolvedInGroups(Convolved(maps, gradient_maps, geometry, batch * groups), groups)

    return convolved


def _apart(maps: tf.Tensor, shape: list[int], groups: int) -> tf.Tensor:
    """From [n, height, width, groups * channels] to [n * groups, height, width, channels]."""
    count, height, width, channels = shape
    own = channels // groups
    values = tf.reshape(tf.cast(maps, tf.float32), [count, height, width, groups, own])
    return tf.reshape(tf.transpose(values, [0, 3, 1, 2, 4]), [count * groups, height, width, own])
