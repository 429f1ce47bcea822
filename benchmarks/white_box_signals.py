"""What an attacker that holds a Keras model sees of records, without a SavedModel or Beam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.benchmarks.real_pools import Pool
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.batch import WHITE_BOX, Signals
from tfx_privacy.signals.losses import losses

if TYPE_CHECKING:
    import keras

    from tfx_privacy.signals.white_box.layers import Layer
    from tfx_privacy.signals.white_box.program import Wanted

_BATCH = 256
# The last so many layers are sketched, and the outputs of as many before the logits are taken:
# the defaults of the package.
_LAST = 2

Columns = dict[str, NDArray[np.float32]]


def white_box_columns(model: keras.Model, pool: Pool, seed: int) -> Columns:
    """Norms, sketches and activations of every record, by "<field of Signals>/<layer>".

    Norms of all layers, sketches of 16 x 16 of the last two and the outputs of the last two
    before the logits.

    Args:
      model: From inputs to logits of several classes.
      pool: The records.
      seed: Of the random projections. Models of one architecture and seed share them.
    """
    import tensorflow as tf

    from tfx_privacy.signals.frozen_function import freeze
    from tfx_privacy.signals.white_box.layers import LayerSpec, list_layers, select_layers
    from tfx_privacy.signals.white_box.program import WhiteBoxProgram
    from tfx_privacy.signals.white_box.weights import find_weights

    signature = [tf.TensorSpec([_BATCH, *pool.inputs.shape[1:]], tf.float32)]

    @tf.function(input_signature=signature, autograph=False)
    def forward(batch: tf.Tensor) -> list[tf.Tensor]:
        return [model(batch, training=False)]

    concrete = forward.get_concrete_function()
    frozen = freeze(concrete)
    logits = frozen.outputs[0]
    layers = select_layers(list_layers(frozen, logits, find_weights(concrete, frozen)), LayerSpec())
    wanted = _wanted(layers)
    program = WhiteBoxProgram.build(frozen, logits, config_pb2.MULTICLASS, wanted, seed)
    batches = []
    for start in range(0, len(pool), _BATCH):
        rows = np.minimum(np.arange(start, start + _BATCH), len(pool) - 1)
        found = program.run(tf.constant(pool.inputs[rows]), tf.constant(pool.label[rows]))
        here = min(_BATCH, len(pool) - start)
        batches.append(_by_layer({name: found[name].numpy()[:here] for name in found}, wanted))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def signals_of(
    pool: Pool, member: NDArray[np.bool_], logits: NDArray[np.float32], columns: Columns
) -> Signals:
    """Everything that is seen of a pool's records.

    Args:
      pool: The records. Ids are their rows in the source.
      member: [n] whether the model was trained on each.
      logits: [n, classes], the model's.
      columns: As `white_box_columns` gives them.
    """
    ids = np.stack([np.zeros_like(pool.ids), pool.ids], axis=1).astype(np.uint64)
    white_box: dict[str, Columns] = {field: {} for field in WHITE_BOX}
    for name, values in columns.items():
        field, _, layer = name.partition("/")
        white_box[field][layer] = values
    return Signals(
        task=config_pb2.MULTICLASS,
        ids=ids,
        member=member,
        label=pool.label,
        logits=logits,
        loss=losses(config_pb2.MULTICLASS, logits, pool.label),
        gradient_norms=white_box["gradient_norms"],
        gradient_sketches=white_box["gradient_sketches"],
        activations=white_box["activations"],
    )


def _wanted(layers: tuple[Layer, ...]) -> Wanted:
    from tfx_privacy.signals.white_box.program import Wanted

    size = Wanted().sketch_size.size
    large = tuple(layer for layer in layers if layer.size >= size)
    return Wanted(norms=layers, sketches=large[-_LAST:], activations=layers[:-1][-_LAST:])


def _by_layer(found: Columns, wanted: Wanted) -> Columns:
    """What a program answers to a batch, a column a layer."""
    from tfx_privacy.signals.white_box.program import ACTIVATION, LAYER_NORMS, SKETCHES

    norms = {
        f"gradient_norms/{layer.name}": found[LAYER_NORMS][:, place]
        for place, layer in enumerate(wanted.norms)
    }
    sketches = {
        f"gradient_sketches/{layer.name}": found[SKETCHES][:, place]
        for place, layer in enumerate(wanted.sketches)
    }
    activations = {
        f"activations/{layer.name}": found[ACTIVATION + layer.name] for layer in wanted.activations
    }
    return norms | sketches | activations
