"""Work on many rows in blocks, so that what is computed on the way stays small."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tfx_privacy.signals.batch import Signals

_BLOCK_ROWS = 4096


def in_blocks(
    function: Callable[[Signals], NDArray[np.float64]], signals: Signals
) -> NDArray[np.float64]:
    """function(signals), for a function whose result for a row depends on that row alone.

    The function sees blocks of rows, without units, weights, slices and inputs.
    """
    starts = range(0, len(signals), _BLOCK_ROWS) if len(signals) else [0]
    return np.concatenate([function(_block(signals, start)) for start in starts])


def in_blocks_with_inputs(
    function: Callable[[Signals], NDArray[np.float64]], signals: Signals
) -> NDArray[np.float64]:
    """The same for a function that looks at the inputs; its blocks have every column."""
    scores = np.empty(len(signals))
    for start in range(0, len(signals), _BLOCK_ROWS):
        rows = np.arange(start, min(start + _BLOCK_ROWS, len(signals)))
        scores[rows] = function(signals.take(rows))
    return scores


def _block(signals: Signals, start: int) -> Signals:
    rows = slice(start, start + _BLOCK_ROWS)
    return dataclasses.replace(
        signals,
        ids=signals.ids[rows],
        member=signals.member[rows],
        label=None if signals.label is None else signals.label[rows],
        logits=None if signals.logits is None else signals.logits[rows],
        loss=None if signals.loss is None else signals.loss[rows],
        entropy=None if signals.entropy is None else signals.entropy[rows],
        units=None,
        weight=None,
        slices={},
        inputs={},
        gradient_norms=_of_layers(signals.gradient_norms, rows),
        gradient_sketches=_of_layers(signals.gradient_sketches, rows),
        activations=_of_layers(signals.activations, rows),
        references=None if signals.references is None else signals.references.take(rows),
    )


def _of_layers(
    columns: Mapping[str, NDArray[np.float32]], rows: slice
) -> dict[str, NDArray[np.float32]]:
    return {layer: values[rows] for layer, values in columns.items()}
