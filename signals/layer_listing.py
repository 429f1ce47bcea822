"""The layers of a SavedModel, told without any examples."""

from __future__ import annotations

import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_function import CannotFreezeError, freeze
from tfx_privacy.signals.frozen_logits import FoundLogits, find_logits
from tfx_privacy.signals.saved_model import ModelFunction, SavedModel, first_line
from tfx_privacy.signals.target_features import in_words
from tfx_privacy.signals.white_box.layers import Layer, list_layers
from tfx_privacy.signals.white_box.program import Wanted
from tfx_privacy.signals.white_box.weights import find_weights
from tfx_privacy.signals.white_box_choice import choose_layers
from tfx_privacy.signals.white_box_layout import LayerDescription
from tfx_privacy.signals.white_box_trial import describe_layers

# Any number that is unlikely to be a length of something else.
_BATCH = 509


def list_model_layers(
    model_dir: str,
    signature_name: str,
    output_name: str,
    spec: config_pb2.WhiteBoxSpec,
) -> tuple[LayerDescription, ...]:
    """The layers on the way to an output, and what would be taken of each.

    Args:
      model_dir: Directory of a SavedModel.
      signature_name: A signature of it.
      output_name: An output of that; may be empty where there is one alone.
      spec: Which signals are wanted, with sizes filled in.

    Returns:
      Every layer with weights, in forward order; those whose weights are not trained have
      no `weight_shapes`.

    Raises:
      InputError: If there is no such model, signature or output, the model cannot be
        frozen, or the selection does not suit it.
    """
    # Its variables live as long as it does.
    model = SavedModel.load(model_dir)
    signature = model.signature(signature_name)
    layers = _layers(signature, _output(signature, output_name))
    has_weights = any(layer.weights for layer in layers)
    batch = _fixed_batch(signature) or _BATCH
    wanted = choose_layers(spec, layers, batch) if has_weights else Wanted()
    return describe_layers(layers, wanted, batch)


def _fixed_batch(signature: ModelFunction) -> int | None:
    """The signature's own batch size, where it has one."""
    lengths = {
        spec.shape[0]
        for spec in signature.input_specs.values()
        if isinstance(spec, tf.TensorSpec) and spec.shape.rank
    }
    return lengths.pop() if len(lengths) == 1 else None


def _output(signature: ModelFunction, name: str) -> str:
    outputs = sorted(signature.output_specs)
    if name in outputs:
        return name
    if name or len(outputs) != 1:
        what = f"no output {name!r}" if name else f"{len(outputs)} outputs"
        raise InputError(
            f"the signature {signature.describe()} has {what}: expected the name of one of "
            f"{in_words(outputs)}"
        )
    return outputs[0]


def _layers(signature: ModelFunction, output_name: str) -> tuple[Layer, ...]:
    names = list(signature.input_specs)

    def step(*inputs: tf.Tensor) -> list[tf.Tensor]:
        return [signature.call(dict(zip(names, inputs, strict=True)))[output_name]]

    types = [_with_batch(spec) for spec in signature.input_specs.values()]
    try:
        function = tf.function(step, input_signature=types, autograph=False).get_concrete_function()
        frozen = freeze(function)
    except (CannotFreezeError, TypeError, ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"the signature {signature.describe()} cannot be looked into: {first_line(error)}"
        ) from error
    found = find_logits(frozen.outputs[0])
    logits = found.tensor if isinstance(found, FoundLogits) else frozen.outputs[0]
    return list_layers(frozen, logits, find_weights(function, frozen))


def _with_batch(spec: tf.TypeSpec) -> tf.TypeSpec:
    """The same for a batch of known size, which makes more shapes known."""
    if isinstance(spec, tf.TensorSpec) and spec.shape.rank and spec.shape[0] is None:
        return tf.TensorSpec([_BATCH, *spec.shape[1:]], spec.dtype, spec.name)
    return spec
