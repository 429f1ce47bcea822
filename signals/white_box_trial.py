"""Tries white-box signals on a few examples: in seconds, and not in the workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.labels import Labels
from tfx_privacy.signals.saved_model import SavedModel, first_line
from tfx_privacy.signals.target_plan import TargetPlan
from tfx_privacy.signals.target_program import TargetProgram
from tfx_privacy.signals.white_box.layers import Layer
from tfx_privacy.signals.white_box.program import Wanted
from tfx_privacy.signals.white_box_choice import activation_length, choose_layers, naming
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout
from tfx_privacy.signals.white_box_model import WhiteBoxModel
from tfx_privacy.signals.white_box_plan import WhiteBoxPlan
from tfx_privacy.signals.white_box_target import WhiteBoxTarget


def plan_white_box(
    program: TargetProgram,
    model: SavedModel,
    spec: config_pb2.WhiteBoxSpec,
    seed: int,
    examples: Sequence[bytes],
) -> WhiteBoxPlan:
    """Chooses the layers, and computes their signals once.

    Args:
      program: The target, its plan settled.
      model: What it was built from.
      spec: The configuration, with its sizes filled in.
      seed: Of the random projections.
      examples: Some of the examples.

    Raises:
      InputError: If a selection does not suit the model, or the model cannot be
        differentiated; the message names the field.
    """
    with naming("white_box"):
        inside = WhiteBoxModel.of(program)
    batch = program.plan.batch_size
    wanted = choose_layers(spec, inside.layers, batch)
    layout = WhiteBoxLayout(
        layers=tuple(
            layer for layer in describe_layers(inside.layers, wanted, batch) if layer.weights
        ),
        sketch_rows=spec.sketch_rows,
        sketch_columns=spec.sketch_columns,
        seed=seed,
    )
    plan = WhiteBoxPlan(layout, spec.activation_width, batch)
    few = list(examples[:batch])
    with naming("white_box"):
        target = _tried(program, model, plan, few)
    return dataclasses.replace(
        plan,
        layout=dataclasses.replace(layout, notes=(*_left_out(spec, layout), *target.notes)),
        batch_size=target.batch_size,
    )


def _left_out(spec: config_pb2.WhiteBoxSpec, layout: WhiteBoxLayout) -> tuple[str, ...]:
    """Says so where the defaults choose no layer for a signal: nobody asked to do without it."""
    notes = []
    if not (
        layout.sketch_layers
        or spec.HasField("sketches")
        or config_pb2.GRADIENT_SKETCHES in spec.skip
    ):
        notes.append(
            f"no gradient was sketched: none of the layers has the {layout.sketch_size:,} weights "
            f"of a sketch of {layout.sketch_rows} x {layout.sketch_columns} (set sketch_rows and "
            "sketch_columns in white_box to smaller numbers)"
        )
    if not (
        layout.activation_widths
        or spec.HasField("activations")
        or config_pb2.ACTIVATIONS in spec.skip
    ):
        notes.append(
            "no activations were taken: of the layers before the last there is none whose output "
            "is known (name layers in white_box.activations)"
        )
    return tuple(notes)


def describe_layers(
    layers: Sequence[Layer], wanted: Wanted, batch: int
) -> tuple[LayerDescription, ...]:
    """The layers, and what is taken of each; only trainable weights are told."""
    return tuple(
        LayerDescription(
            name=layer.name,
            index=layer.index,
            kind=layer.kind,
            weight_shapes=tuple(weight.shape for weight in layer.weights),
            has_norms=layer in wanted.norms,
            has_sketches=layer in wanted.sketches,
            activation_width=(
                min(activation_length(layer, batch), wanted.activation_width)
                if layer in wanted.activations
                else 0
            ),
        )
        for layer in layers
    )


def _tried(
    program: TargetProgram, model: SavedModel, plan: WhiteBoxPlan, examples: Sequence[bytes]
) -> WhiteBoxTarget:
    try:
        target = WhiteBoxTarget(program, model, plan)
        target.run(examples, _some_labels(program.plan, len(examples)))
    except InputError:
        raise
    except (LookupError, NotImplementedError, TypeError, ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"the gradients of {program.plan.signature_in_words} cannot be computed: "
            f"{first_line(error)}"
        ) from error
    return target


def _some_labels(plan: TargetPlan, rows: int) -> Labels:
    """Labels that are right for any model; the examples' own are read later."""
    if plan.task in (config_pb2.MULTILABEL, config_pb2.REGRESSION):
        return np.zeros((rows, plan.output_width), np.float32)
    return np.zeros(rows, np.int64)
