"""Which layers white-box signals are taken of: what the configuration selects, or the defaults."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.white_box.activations import activation_tensor
from tfx_privacy.signals.white_box.layers import Layer, LayerSpec, select_layers
from tfx_privacy.signals.white_box.program import Wanted
from tfx_privacy.signals.white_box.projections import SketchSize

# Layers that are sketched, and whose output is taken, where nothing else is said.
_LAST = 2


def choose_layers(spec: config_pb2.WhiteBoxSpec, layers: Sequence[Layer], batch: int) -> Wanted:
    """What is computed of which layer.

    Args:
      spec: The configuration, with its sizes filled in.
      layers: The model's layers.
      batch: The batch size of the graph that they are of.

    Raises:
      InputError: If a selection does not suit the model; the message names the field.
    """
    with_weights = tuple(layer for layer in layers if layer.weights)
    if not with_weights:
        raise InputError(
            "white_box: the model has no trainable weights of floating point on the way to its "
            "output, so there is nothing to see inside (weights that were quantised or turned "
            "into constants cannot be told from other numbers); expected white_box unset"
        )
    size = SketchSize(spec.sketch_rows, spec.sketch_columns)
    if spec.HasField("norms"):
        norms = _selected(spec.norms, layers, "norms")
    else:
        norms = with_weights
    if spec.HasField("sketches"):
        sketches = _selected(spec.sketches, layers, "sketches")
        _require_size(sketches, size)
    else:
        sketches = tuple(layer for layer in with_weights if layer.size >= size.size)[-_LAST:]
    if spec.HasField("activations"):
        activations = _selected(spec.activations, layers, "activations")
        _require_activations(activations, batch)
    else:
        activations = _before_the_last(with_weights, batch)
    return Wanted(
        norms=() if config_pb2.GRADIENT_NORMS in spec.skip else norms,
        sketches=() if config_pb2.GRADIENT_SKETCHES in spec.skip else sketches,
        sketch_size=size,
        activations=() if config_pb2.ACTIVATIONS in spec.skip else activations,
        activation_width=spec.activation_width,
    )


def activation_length(layer: Layer, batch: int) -> int:
    """How many numbers come out of a layer for an example.

    Raises:
      InputError: If they are no array, or their number is not known beforehand.
    """
    shape = activation_tensor(layer, batch).shape
    length = shape[1:].num_elements()
    if length is None:
        raise InputError(
            f"the activations of layer {layer.name!r} have the shape {shape}: expected one that "
            "is known before the model runs"
        )
    return int(length)


def _before_the_last(with_weights: Sequence[Layer], batch: int) -> tuple[Layer, ...]:
    """The last layers of which activations can be told, but for the one that gives the logits."""
    found = []
    for layer in with_weights[:-1]:
        with contextlib.suppress(InputError):
            activation_length(layer, batch)
            found.append(layer)
    return tuple(found[-_LAST:])


def _selected(
    selection: config_pb2.LayerSelection, layers: Sequence[Layer], field: str
) -> tuple[Layer, ...]:
    spec = LayerSpec(
        names=tuple(selection.names),
        indices=tuple(selection.indices),
        pattern=selection.pattern,
        last=selection.last,
    )
    with naming(f"white_box.{field}"):
        return select_layers(layers, spec)


def _require_size(sketched: Sequence[Layer], size: SketchSize) -> None:
    for layer in sketched:
        if size.size > layer.size:
            raise InputError(
                f"white_box.sketches: layer {layer.name!r} has a gradient of {layer.size:,} "
                f"numbers, fewer than the {size.rows} x {size.columns} = {size.size:,} of a "
                "sketch; expected smaller sketch_rows or sketch_columns, or other layers"
            )


def _require_activations(layers: Sequence[Layer], batch: int) -> None:
    for layer in layers:
        with naming("white_box.activations"):
            activation_length(layer, batch)


@contextlib.contextmanager
def naming(field: str) -> Iterator[None]:
    """Puts the field of the configuration before what an InputError says."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{field}: {error}") from error
