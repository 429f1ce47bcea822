"""Small weights that are added to every position or multiply it: biases, gammas and betas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfx_privacy.signals.white_box.contribution import Contribution, Rule, Site, explicit
from tfx_privacy.signals.white_box.uses import Use

# The gradient of y = f(x, w) with regard to w at each place where w is used.
_Local = Callable[[Site, int], tf.Tensor]


def _added(site: Site, index: int) -> tf.Tensor:
    return site.gradient


def _subtracted(site: Site, index: int) -> tf.Tensor:
    return site.gradient if index == 0 else -site.gradient


def _multiplied(site: Site, index: int) -> tf.Tensor:
    return site.gradient * site.inputs[1 - index]


def _divided(site: Site, index: int) -> tf.Tensor:
    quotient = site.gradient / site.inputs[1]
    return quotient if index == 0 else -quotient * site.output


_LOCAL: dict[str, _Local] = {
    "BiasAdd": _added,
    "Add": _added,
    "AddV2": _added,
    "Sub": _subtracted,
    "Mul": _multiplied,
    "RealDiv": _divided,
}


def broadcast_rule(use: Use, batch: int) -> Rule | None:
    """The rule for an operation on each number, along which the weight is repeated."""
    operation = use.operation
    if operation.type not in _LOCAL:
        return None
    if operation.type == "BiasAdd" and operation.get_attr("data_format") != b"NHWC":
        return None
    output, weight = operation.outputs[0].shape, operation.inputs[use.index].shape.as_list()
    if output.rank is None or output.rank < max(len(weight), 1) or (output[0] or batch) % batch:
        return None
    aligned = [1] * (output.rank - len(weight)) + weight
    if aligned[0] != 1:
        return None
    local = _LOCAL[operation.type]

    def contribution(site: Site) -> Contribution:
        gradient = tf.cast(local(site, use.index), tf.float32)
        return explicit(_summed(gradient, aligned, batch), use.shape)

    return contribution


def fused_normalisation_rule(use: Use, batch: int) -> Rule | None:
    """The rule for gamma and beta of a FusedBatchNormV3 that uses its moving averages."""
    operation = use.operation
    if not operation.type.startswith("FusedBatchNorm") or use.index not in (1, 2):
        return None
    layout = operation.get_attr("data_format")
    if operation.get_attr("is_training") or layout != b"NHWC":
        return None
    if operation.inputs[0].shape[0] != batch:
        return None
    epsilon = operation.get_attr("epsilon")

    def contribution(site: Site) -> Contribution:
        values, _, _, mean, variance = site.inputs
        gradient = site.gradient
        if use.index == 1:
            gradient = gradient * (values - mean) * tf.math.rsqrt(variance + epsilon)
        aligned = [1, 1, 1, *use.shape]
        return explicit(_summed(gradient, aligned, batch), use.shape)

    return contribution


def _summed(gradient: tf.Tensor, aligned: Sequence[int], batch: int) -> tf.Tensor:
    """[b, numbers of the weight]: the sum over all places at which a number is used."""
    by_example = tf.reshape(gradient, [batch, -1, *_lengths(gradient)])
    repeated = [axis + 1 for axis, length in enumerate(aligned) if axis and length == 1]
    return tf.reduce_sum(by_example, axis=[1, *repeated])


def _lengths(gradient: tf.Tensor) -> list[int | tf.Tensor]:
    dynamic = tf.shape(gradient)
    return [
        dynamic[axis] if length is None else length
        for axis, length in enumerate(gradient.shape.as_list())
    ][1:]
