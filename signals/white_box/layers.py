"""The layers of a frozen model: its variables by the names they share, and how to choose some."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Mapping, Sequence

import tensorflow as tf

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_function import FrozenFunction
from tfx_privacy.signals.white_box.graph import forward_order
from tfx_privacy.signals.white_box.opened_graph import opened
from tfx_privacy.signals.white_box.uses import Use, find_uses
from tfx_privacy.signals.white_box.weights import Weight

# What people call the layers around an operation.
_KINDS = {
    "MatMul": "dense",
    "BatchMatMulV2": "dense",
    "BatchMatMul": "dense",
    "BatchMatMulV3": "dense",
    "Einsum": "einsum",
    "Conv2D": "convolution",
    "Conv3D": "convolution",
    "DepthwiseConv2dNative": "depthwise convolution",
    "Conv2DBackpropInput": "transposed convolution",
    "GatherV2": "embedding",
    "FusedBatchNormV3": "normalisation",
    "While": "loop",
}
_SCALES = frozenset({"BiasAdd", "Add", "AddV2", "Sub", "Mul", "RealDiv"})
_LISTED = 20


@dataclasses.dataclass(frozen=True)
class Layer:
    """Variables that share a name up to the last "/", and so belong to one layer.

    Attributes:
      name: That shared part: "dense_1"; for a variable without a "/" its own name.
      index: Its position among the model's layers in forward order, from 0.
      kind: What its weights do, after the operation that uses the largest: "dense",
        "convolution", "loop"; the operation's type where people have no word for it.
      weights: Its trainable weights in forward order; may be empty.
      uses: Where each is used, by the weight's node.
      quantised: Names of its variables that are small integers.
    """

    name: str
    index: int
    kind: str
    weights: tuple[Weight, ...]
    uses: Mapping[str, Sequence[Use]]
    quantised: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of trainable numbers."""
        return sum(weight.size for weight in self.weights)


@dataclasses.dataclass(frozen=True)
class LayerSpec:
    """Which layers are asked for: those that any of these names. Empty: all with weights.

    Attributes:
      names: Names of layers.
      indices: Positions; negative ones count from the end.
      pattern: A regular expression that the whole name must match.
      last: The last so many layers that have weights.
    """

    names: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    pattern: str = ""
    last: int = 0


def list_layers(
    frozen: FrozenFunction, logits: tf.Tensor, weights: Mapping[str, Weight]
) -> tuple[Layer, ...]:
    """The layers on the way to the logits, in forward order.

    Args:
      frozen: The model.
      logits: A tensor of it.
      weights: Its variables by node.
    """
    # A function that is compiled as a whole may take its inputs in any order.
    logits = opened(logits)
    ordered = [
        weights[operation.name]
        for operation in forward_order(logits)
        if operation.type == "Const" and operation.name in weights
    ]
    uses = find_uses(frozen.function.inputs, logits, ordered)
    return tuple(
        Layer(
            name=name,
            index=index,
            kind=_kind(members, uses),
            weights=tuple(weight for weight in members if weight.trainable),
            uses={weight.node: uses[weight.node] for weight in members if weight.trainable},
            quantised=tuple(each.name for each in members if "int" in each.dtype),
        )
        for index, (name, members) in enumerate(_by_layer(ordered).items())
    )


def select_layers(layers: Sequence[Layer], spec: LayerSpec) -> tuple[Layer, ...]:
    """The layers that a specification names, all with weights, in forward order.

    Raises:
      InputError: If a part of it matches no layer, or names one without weights or one
        that is quantised, or if no layer has any.
    """
    with_weights = [layer for layer in layers if layer.weights]
    if not with_weights:
        raise InputError(
            f"no layer of the model has trainable weights, so none has a gradient{_why(layers)}"
        )
    if spec == LayerSpec():
        return _not_quantised(with_weights)
    chosen = {_by_name(layers, name) for name in spec.names}
    chosen |= {_by_index(layers, index) for index in spec.indices}
    if spec.pattern:
        chosen |= _by_pattern(with_weights, spec.pattern, layers)
    if spec.last:
        if not 1 <= spec.last <= len(with_weights):
            raise InputError(
                f"the last {spec.last} layers are asked for: expected between 1 and the "
                f"{len(with_weights)} that have weights ({_listed(with_weights)})"
            )
        chosen |= {layer.index for layer in with_weights[-spec.last :]}
    for index in sorted(chosen):
        if not layers[index].weights:
            raise InputError(
                f"layer {layers[index].name!r} has no trainable weights, so no gradient"
                f"{_why([layers[index]])}; layers that have: {_listed(with_weights)}"
            )
    return _not_quantised([layers[index] for index in sorted(chosen)])


def _not_quantised(chosen: Sequence[Layer]) -> tuple[Layer, ...]:
    for layer in chosen:
        if layer.quantised:
            raise InputError(
                f"layer {layer.name!r} has no gradient as a whole{_why([layer])}: expected layers "
                "of floating point; leave it out"
            )
    return tuple(chosen)


def _by_layer(ordered: Sequence[Weight]) -> dict[str, list[Weight]]:
    """Weights by layer; variables of one full name are of different layers: "w", "w#2"."""
    members: dict[str, list[Weight]] = {}
    for weight in ordered:
        prefix, _, _ = weight.name.rpartition("/")
        prefix = prefix or weight.name
        name, count = prefix, 1
        while any(known.name == weight.name for known in members.get(name, ())):
            count += 1
            name = f"{prefix}#{count}"
        members.setdefault(name, []).append(weight)
    return members


def _kind(members: Collection[Weight], uses: Mapping[str, Sequence[Use]]) -> str:
    used = [weight for weight in members if uses[weight.node]]
    if not used:
        return "unused"
    largest = max(used, key=lambda weight: (len(weight.shape), weight.size))
    op_type = uses[largest.node][0].operation.type
    return _KINDS.get(op_type, "scale and offset" if op_type in _SCALES else op_type)


def _by_name(layers: Sequence[Layer], name: str) -> int:
    for layer in layers:
        if layer.name == name:
            return layer.index
    names = [layer.name for layer in layers]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(
        f"no layer with weights is called {name!r}{hint} (layers such as pooling and activations "
        f"have none, and a model's file does not show them); there are: {_listed(layers)}"
    )


def _by_index(layers: Sequence[Layer], index: int) -> int:
    if not -len(layers) <= index < len(layers):
        raise InputError(
            f"there is no layer {index}: the model has {len(layers)} with weights, "
            f"0 to {len(layers) - 1} ({_listed(layers)})"
        )
    return index % len(layers)


def _by_pattern(with_weights: Sequence[Layer], pattern: str, layers: Sequence[Layer]) -> set[int]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"{pattern!r} is no regular expression ({error}): expected one for names of layers"
        ) from error
    found = {layer.index for layer in with_weights if expression.fullmatch(layer.name)}
    if not found:
        raise InputError(
            f"no layer with trainable weights has a name that matches {pattern!r} as a whole; "
            f"there are: {_listed(layers)}"
        )
    return found


def _why(layers: Sequence[Layer]) -> str:
    quantised = [name for layer in layers for name in layer.quantised]
    shown = ", ".join(repr(name) for name in quantised[:_LISTED])
    return f" (quantised, of small integers: {shown})" if quantised else ""


def _listed(layers: Sequence[Layer]) -> str:
    shown = ", ".join(f"{layer.index} {layer.name!r}" for layer in layers[:_LISTED])
    more = len(layers) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown or "none"
