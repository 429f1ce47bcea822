"""Runs the target model forward and back: from serialised examples to white-box signals."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.errors import InputError
from tfx_privacy.signals.labels import Labels
from tfx_privacy.signals.saved_model import SavedModel
from tfx_privacy.signals.target_program import TargetProgram
from tfx_privacy.signals.white_box.layers import Layer
from tfx_privacy.signals.white_box.program import (
    ACTIVATION,
    LAYER_NORMS,
    SKETCHES,
    BatchTooLargeError,
    Wanted,
    WhiteBoxArrays,
    WhiteBoxProgram,
)
from tfx_privacy.signals.white_box.projections import SketchSize
from tfx_privacy.signals.white_box_layout import LayerDescription, WhiteBoxLayout
from tfx_privacy.signals.white_box_model import WhiteBoxModel
from tfx_privacy.signals.white_box_plan import WhiteBoxPlan

Columns = Mapping[str, NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class WhiteBoxSignals:
    """What an attacker that has the parameters sees of n examples; as in `Signals`."""

    gradient_norms: Columns = dataclasses.field(default_factory=dict)
    gradient_sketches: Columns = dataclasses.field(default_factory=dict)
    activations: Columns = dataclasses.field(default_factory=dict)


class WhiteBoxTarget:
    """The target model with its gradients.

    May be called by several threads; one batch is computed at a time, so that memory
    has to suffice for one.
    """

    def __init__(self, target: TargetProgram, model: SavedModel, plan: WhiteBoxPlan) -> None:
        """Builds what runs a batch.

        Args:
          target: The model as it answers, for batches of any size.
          model: What that was built from.
          plan: What is computed.

        Raises:
          InputError: If the model is not the one that was planned for, or cannot be
            differentiated.
        """
        self._target = target
        self._model = model
        self._plan = plan
        self._lock = threading.Lock()
        self._program = self._built(plan.batch_size)

    @property
    def batch_size(self) -> int:
        """Examples that are computed at once."""
        return self._program.batch_size

    @property
    def notes(self) -> tuple[str, ...]:
        """What is slow or otherwise than asked so far, in sentences."""
        wanted, found = self._target.plan.batch_size, self._program.batch_size
        if found == wanted:
            return self._program.notes
        return (
            *self._program.notes,
            f"memory did not suffice for the white-box signals of {wanted} examples at once: they "
            f"were computed for {found} at a time",
        )

    def run(self, serialized: Sequence[bytes], labels: Labels) -> WhiteBoxSignals:
        """The white-box signals of n >= 1 examples, in order.

        Args:
          serialized: The examples.
          labels: [n] classes (BINARY, MULTICLASS) or [n, w] (MULTILABEL, REGRESSION).

        Raises:
          InputError: If the model fails, what comes out is not finite, or memory does
            not suffice for the smallest batch.
        """
        with self._lock:
            parts: list[WhiteBoxArrays] = []
            start = 0
            while start < len(serialized):
                rows = slice(start, start + self._program.batch_size)
                try:
                    parts.append(self._program(serialized[rows], labels[rows]))
                except BatchTooLargeError as error:
                    self._halve(error)
                else:
                    start = rows.stop
        return _columns(parts, self._plan.layout)

    def _halve(self, error: BatchTooLargeError) -> None:
        size = self._program.batch_size
        if size == 1:
            raise InputError(
                f"memory does not suffice for the white-box signals of one example: {error}"
            ) from error
        try:
            self._program = self._built(size // 2)
        except InputError as other:
            raise InputError(
                f"memory does not suffice for the white-box signals of {size} examples, and fewer "
                f"are not possible: {other}"
            ) from error

    def _built(self, batch_size: int) -> WhiteBoxProgram:
        target = self._target
        if batch_size != target.plan.batch_size:
            plan = dataclasses.replace(target.plan, batch_size=batch_size)
            target = TargetProgram.build(plan, self._model)
        model = WhiteBoxModel.of(target)
        return WhiteBoxProgram.build(
            model.frozen,
            model.logits,
            target.plan.task,
            _wanted(self._plan, model),
            self._plan.layout.seed,
        )


def _wanted(plan: WhiteBoxPlan, model: WhiteBoxModel) -> Wanted:
    layout = plan.layout

    def layer(description: LayerDescription) -> Layer:
        names = [layer.name for layer in model.layers]
        if names[description.index : description.index + 1] != [description.name]:
            raise InputError(
                f"{model.program.plan.signature_in_words} has no layer {description.index} called "
                f"{description.name!r} any more: expected the model that the job was planned for"
            )
        return model.layers[description.index]

    return Wanted(
        norms=tuple(layer(each) for each in layout.layers if each.has_norms),
        sketches=tuple(layer(each) for each in layout.layers if each.has_sketches),
        sketch_size=SketchSize(layout.sketch_rows, layout.sketch_columns),
        activations=tuple(layer(each) for each in layout.layers if each.activation_width),
        activation_width=plan.activation_width,
    )


def _columns(parts: Sequence[WhiteBoxArrays], layout: WhiteBoxLayout) -> WhiteBoxSignals:
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return WhiteBoxSignals(
        gradient_norms={
            layer: whole[LAYER_NORMS][:, position]
            for position, layer in enumerate(layout.norm_layers)
        },
        gradient_sketches={
            layer: whole[SKETCHES][:, position]
            for position, layer in enumerate(layout.sketch_layers)
        },
        activations={layer: whole[ACTIVATION + layer] for layer in layout.activation_widths},
    )
