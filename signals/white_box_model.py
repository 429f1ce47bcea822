"""The target model from inside: its layers, and the numbers that its loss is a function of."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.frozen_function import FrozenFunction
from tfx_privacy.signals.frozen_logits import FoundLogits, NoLogits
from tfx_privacy.signals.target_output import LARGEST_BELOW_ONE, SMALLEST, sums_to_one
from tfx_privacy.signals.target_program import TargetProgram
from tfx_privacy.signals.white_box.layers import Layer, list_layers
from tfx_privacy.signals.white_box.weights import find_weights


@dataclasses.dataclass(frozen=True)
class WhiteBoxModel:
    """A frozen target model, its logits and its layers.

    Attributes:
      program: The model as it answers.
      frozen: The same frozen.
      logits: [None, w] in that graph: what `signals.losses` takes.
      layers: The layers on the way to them.
    """

    program: TargetProgram
    frozen: FrozenFunction
    logits: tf.Tensor
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, program: TargetProgram) -> WhiteBoxModel:
        """Looks into a program whose plan has nothing left open.

        Raises:
          InputError: If the model cannot be frozen.
        """
        plan, frozen = program.plan, program.frozen
        if frozen is None:
            reason = program.logits.reason if isinstance(program.logits, NoLogits) else ""
            raise InputError(f"{plan.signature_in_words} cannot be looked into: {reason}")
        with frozen.function.graph.as_default():
            # The output's own shape may be unknown; the plan's width is not.
            logits = tf.reshape(_scores(program, frozen), [-1, plan.output_width])
        layers = list_layers(frozen, logits, find_weights(program.function, frozen))
        return cls(program, frozen, logits, layers)


def _scores(program: TargetProgram, frozen: FrozenFunction) -> tf.Tensor:
    """Logits, or for REGRESSION the predictions, in the default graph."""
    plan = program.plan
    if plan.reads_logits and isinstance(program.logits, FoundLogits):
        return program.logits.tensor
    output = frozen.outputs[0]
    if plan.output_kind != config_pb2.PROBABILITIES:
        return output
    # As `logits_of_values` makes them, so that it is the same loss.
    probabilities = tf.cast(output, tf.float32)
    if sums_to_one(plan.task, plan.output_width):
        return tf.math.log(tf.clip_by_value(probabilities, SMALLEST, np.float32(1)))
    kept = tf.clip_by_value(probabilities, SMALLEST, LARGEST_BELOW_ONE)
    return tf.math.log(kept) - tf.math.log1p(-kept)
