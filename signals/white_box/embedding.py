"""Rows of a table that are looked up by identifiers."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfx_privacy.signals.white_box.contribution import Contribution, Rule, Site
from tfx_privacy.signals.white_box.projections import SketchProjection
from tfx_privacy.signals.white_box.uses import Use

# Up to so many look-ups an example, all pairs of them are compared; above, equal ones are found.
_FEW = 24


@dataclasses.dataclass(frozen=True)
class LookedUp(Contribution):
    """Gradients of a table [vocabulary, width], added where an example repeats an identifier.

    Attributes:
      identifiers: [b, t] int64.
      rows: [b, t, width], the gradient of each row that was looked up.
      vocabulary: The table's rows.
    """

    identifiers: tf.Tensor
    rows: tf.Tensor
    vocabulary: int

    @property
    def matrix(self) -> tuple[int, int]:
        return self.vocabulary, int(self.rows.shape[-1])

    def squared_norm(self) -> tf.Tensor:
        positions = self.rows.shape[1]
        if positions is None or positions > _FEW:
            return self._by_sums()
        same = self.identifiers[:, :, None] == self.identifiers[:, None, :]
        products = tf.matmul(self.rows, self.rows, transpose_b=True)
        return tf.reduce_sum(tf.where(same, products, 0.0), axis=[1, 2])

    def sketch(self, projection: SketchProjection) -> tf.Tensor:
        vocabulary, width = self.matrix
        # Captured by the function and not a constant in its graph: it may be large.
        with tf.init_scope():
            table = tf.constant(projection.left(vocabulary))
        left = tf.gather(table, self.identifiers)
        right = tf.reshape(self.rows, [-1, width]) @ projection.right(width)
        right = tf.reshape(right, [*tf.unstack(tf.shape(self.rows)[:2]), projection.size.columns])
        return tf.matmul(left, right, transpose_a=True)

    def gradient(self) -> tf.Tensor:
        vocabulary, width = self.matrix
        keys = tf.reshape(self._keys(), [-1, 1])
        batch = self.rows.shape[0]
        values = tf.reshape(self.rows, [-1, width])
        table = tf.scatter_nd(keys, values, tf.constant([batch * vocabulary, width], tf.int64))
        return tf.reshape(table, [batch, vocabulary * width])

    def _keys(self) -> tf.Tensor:
        """A number for each example and identifier, [b, t]."""
        batch = self.rows.shape[0]
        return tf.range(batch, dtype=tf.int64)[:, None] * self.vocabulary + self.identifiers

    def _by_sums(self) -> tf.Tensor:
        batch, width = self.rows.shape[0], self.rows.shape[-1]
        found = tf.unique(tf.reshape(self._keys(), [-1]))
        sums = tf.math.unsorted_segment_sum(
            tf.reshape(self.rows, [-1, width]), found.idx, tf.size(found.y)
        )
        squares = tf.reduce_sum(tf.square(sums), axis=1)
        return tf.math.unsorted_segment_sum(squares, found.y // self.vocabulary, batch)


def embedding_rule(use: Use, batch: int) -> Rule | None:
    """The rule for a Gather of whole rows, by identifiers that come from the examples."""
    operation = use.operation
    if operation.type != "GatherV2" or use.index != 0:
        return None
    table, identifiers = operation.inputs[:2]
    axis = tf.get_static_value(operation.inputs[2])
    plain = axis == 0 and operation.get_attr("batch_dims") == 0 and table.shape.rank == 2
    rank = identifiers.shape.rank
    if not plain or not rank or (identifiers.shape[0] or batch) % batch:
        return None
    vocabulary, width = table.shape.as_list()

    def looked_up(site: Site) -> LookedUp:
        size = identifiers.shape.num_elements()
        positions = -1 if size is None else size // batch
        return LookedUp(
            tf.reshape(tf.cast(site.inputs[1], tf.int64), [batch, positions]),
            tf.reshape(tf.cast(site.gradient, tf.float32), [batch, positions, width]),
            vocabulary,
        )

    return looked_up
