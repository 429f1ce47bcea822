"""Finds the rule for a use, and puts together what the uses of a weight contribute."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import tensorflow as tf
from tensorflow.python.ops.parallel_for.control_flow_ops import pfor

from tfx_privacy.signals.white_box.broadcast import broadcast_rule, fused_normalisation_rule
from tfx_privacy.signals.white_box.contribution import Contribution, Explicit, Rule, explicit
from tfx_privacy.signals.white_box.convolution import convolution_rule, depthwise_rule
from tfx_privacy.signals.white_box.dense import Factors, dense_rule, join
from tfx_privacy.signals.white_box.einsum import einsum_rule
from tfx_privacy.signals.white_box.embedding import embedding_rule
from tfx_privacy.signals.white_box.grouped_convolution import grouped_convolution_rule
from tfx_privacy.signals.white_box.uses import Use

_RULES = (
    dense_rule,
    einsum_rule,
    convolution_rule,
    grouped_convolution_rule,
    depthwise_rule,
    embedding_rule,
    broadcast_rule,
    fused_normalisation_rule,
)


def rule_for(use: Use, batch: int) -> Rule | None:
    """The first rule that knows the use, or None."""
    found = (rule(use, batch) for rule in _RULES)
    return next((rule for rule in found if rule is not None), None)


def of_weight(
    use: Use, contribution: Contribution, used: tf.Tensor, weight: tf.Tensor
) -> Contribution:
    """From gradients of what an operation takes to those of the weight that it was made of.

    Args:
      use: Says what was made of the weight.
      contribution: Gradients with regard to `used`.
      used: What the operation takes.
      weight: The weight's constant, in the same graph.
    """
    shape = use.weight.shape
    if use.derived:
        return explicit(_pulled_back(contribution.gradient(), used, weight), shape)
    if use.transposed:
        contribution = _transposed(contribution, use)
    if not use.scaled:
        return contribution
    # Each number is a function of one: the gradient of the sum has all their derivatives.
    (scale,) = tf.gradients(used, weight)
    return explicit(contribution.gradient() * tf.reshape(scale, [1, -1]), shape)


def add(contributions: Sequence[Contribution], shape: tuple[int, ...]) -> Contribution:
    """The sum of what the uses of one weight contribute."""
    first, *others = contributions
    if not others:
        return first
    factors = [each for each in contributions if isinstance(each, Factors)]
    if len(factors) == len(contributions) and len({each.matrix for each in factors}) == 1:
        return join(factors)
    total = functools.reduce(tf.add, [each.gradient() for each in contributions])
    return Explicit(total, shape)


def _transposed(contribution: Contribution, use: Use) -> Contribution:
    if isinstance(contribution, Factors):
        return contribution.swapped()
    rows, columns = use.weight.shape
    matrices = tf.reshape(contribution.gradient(), [-1, columns, rows])
    return explicit(tf.transpose(matrices, [0, 2, 1]), use.weight.shape)


def _pulled_back(gradients: tf.Tensor, used: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Each example's gradient with regard to the weight, from that of what was made of it."""

    def pull_back(example: tf.Tensor) -> tf.Tensor:
        given = tf.cast(tf.reshape(tf.gather(gradients, example), tf.shape(used)), used.dtype)
        (gradient,) = tf.gradients(used, weight, given)
        return tf.cast(tf.convert_to_tensor(gradient), tf.float32)

    return pfor(pull_back, gradients.shape[0])
